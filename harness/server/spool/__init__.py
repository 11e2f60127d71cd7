"""Receive recordings in chunks, finish them, and offer them for download.

Input: messages and chunks from a page's spool socket.  Output: finished files with their manifests.
Called by ``web_app.py`` and ``room_server.py``; ``harness.recording`` writes the files.
"""
