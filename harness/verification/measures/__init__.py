"""Turn markers and file facts into measurements: presence, smoothness, A/V offset, gaps.

In: the results of ``probe`` and ``markers``, and the manifest.  Out: the Evidence that all checks use.
Called by ``analysis.py``.
"""
