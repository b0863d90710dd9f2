"""Who may connect, with which key, and to do what. Knows nothing of the hub that asks."""
