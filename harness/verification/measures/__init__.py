"""Turn markers and file facts into measurements: presence, smoothness, A/V offset, gaps.

Input: the results of ``probe`` and ``markers``, and the manifest. Output: the Evidence that all checks use. Called by
``analysis.py``.
"""
