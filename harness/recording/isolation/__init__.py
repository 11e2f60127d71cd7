"""Start confined Python processes that can read hostile media safely.

In: a line of Python and its limits.  Out: a running child, ready to work, with a deadline in CPU time.
Called by ``harness.verification`` and ``convert.py``.
"""
