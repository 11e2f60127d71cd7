"""Turn markers and facts into numbers: presence, cadence, A/V offset, gaps.

In: the results of probe and markers, and the manifest.  Out: the Evidence that all checks use.
Called by ``analysis.py``.
"""
