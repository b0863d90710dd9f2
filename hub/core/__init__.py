"""The rules of TaskHub, pure: commands in, facts and effects out.

Nothing here reads a clock, draws a random number, logs or does I/O; the shell
around it (``hub.pipeline``, ``hub.runtime``) passes the time and fresh ids in,
and carries facts to the journal and effects to the router.
"""
