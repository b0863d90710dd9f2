"""How Django writes dates and times, for each language."""
