"""A truthful history, made fast: the hub's own rules over a made-up company and a clock that flies.

mix         the company: who publishes what when, who serves it, and how that goes
bodies      payloads, results and reasons
company     its connections, and what they do when they are offered a task
history     the time that passes: arrivals, deadlines, batches to store
"""
