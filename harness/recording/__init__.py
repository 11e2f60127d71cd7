"""Turn raw bytes into a finished recording with a manifest, and convert it.

In: the chunks and the log from a page.  Out: a WebM file, its manifest, and conversions of it.
Called by ``harness.server``, ``harness.session`` and the commands ``convert`` and ``recover``.
"""
