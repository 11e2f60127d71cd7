"""Define the types that all other packages of ``harness.verification`` share, without importing these packages.

All values are immutable: models, findings, limits, expectations and intervals.
"""
