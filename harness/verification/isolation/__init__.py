"""Read media in a confined child process, because a recording may be hostile.

In: a VerifyRequest.  Out: a Report, or the error that reading the file met.
Called by ``verify.py``; the child process calls ``analysis.py``.
"""
