"""Start confined Python processes that may read hostile media.

In: a line of Python and its limits.  Out: a running child, ready to work, with a deadline in processor time.
Called by ``harness.verification`` and ``convert.py``.
"""
