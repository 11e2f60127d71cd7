"""Define the types shared by all other packages of ``harness.verification``, none of which is imported here.

All values are immutable: models, findings, limits, expectations and intervals.
"""
