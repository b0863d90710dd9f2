"""The task API under ``/api/v1/`` (docs/api.md): for programs that query, or hold no socket.

callers, authentication, guard   who asks, and how often a key may be guessed
permissions, throttling          what they may do, and how often
queries, cursors, serializers    what is asked for, and how it is told
problems                         errors, RFC 9457
views/, sse                      the endpoints; a task's events as they happen
schema                           OpenAPI
"""
