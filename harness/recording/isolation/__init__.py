"""Start confined Python processes that can read hostile media safely.

In: a line of Python code, and limits.  Out: a running child process that is ready to work, with a deadline in CPU time.
Called by ``harness.verification`` and ``convert.py``.
"""
