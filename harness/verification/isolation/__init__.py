"""Read media in a confined child process, because a recording may be hostile.

``verify.py`` passes a VerifyRequest, and gets a Report or the error that occurred while the file was read. The child
process calls ``analysis.py``.
"""
