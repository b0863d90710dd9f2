"""Frames and handshakes of strangers, each with the answer that docs/protocol.md defines for it."""
