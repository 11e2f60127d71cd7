"""Read media in a confined child process, because a recording may be hostile.

Input: a VerifyRequest. Output: a Report, or the error that occurred while the file was read. Called by ``verify.py``;
the child process calls ``analysis.py``.
"""
