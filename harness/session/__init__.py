"""A room and its participants, as Python sees them: who is in, and what was asked of them."""
