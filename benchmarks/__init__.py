"""How fast the hub is, against what; ``make bench`` runs all of it."""
