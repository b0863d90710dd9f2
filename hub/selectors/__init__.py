"""Every read of the history for people and programs: blocking, read-only, bounded.

tasks        lists of tasks by filter, one task with its events and participants
search       the words of the search line, as a filter
attention    what somebody should look at
stats        rates, failures and durations over time
connections  who is connected
"""
