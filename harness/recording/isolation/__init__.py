"""Start confined Python processes that can read untrusted media safely.

Input: a line of Python code, and limits. Output: a running child process that is ready to work, with a deadline in CPU
time. Called by ``harness.verification`` and ``convert.py``.
"""
