"""Turn a page's raw bytes into a finished recording with a manifest, and convert recordings to other formats.

Input: a page's chunks and log. Output: a WebM file with a manifest, and conversions of that file to other formats. Used
by ``harness.server``, ``harness.session``, and the commands ``convert`` and ``recover``.
"""
