"""Layouts of other recorders: planned at random, and drawn with the truth next to them."""
