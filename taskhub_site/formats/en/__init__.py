"""English, as people of all countries read it."""
