"""Receive recordings chunk by chunk, finish them, and offer them for download.

In: the messages and chunks of a page's spool socket.  Out: finished files with their manifests.
Called by ``web_app.py`` and ``room_server.py``; files are written by ``harness.recording``.
"""
