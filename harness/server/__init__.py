"""Serve the page, the sockets for signaling and for the spool, and downloads, from a separate thread.

Input: requests and WebSocket messages from pages, and calls from Python.  Output: rooms, finished recordings and their
files. Called by ``harness.launch``, ``harness.session`` and ``harness.pytest_plugin``, which all use ``RoomServer``.
"""
