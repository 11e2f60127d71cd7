"""Turn markers and facts into numbers: presence, cadence, A/V offset, gaps.

In: what probe and markers found, and the manifest.  Out: the Evidence that all checks look at.
Called by ``analysis.py``.
"""
