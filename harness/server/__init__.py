"""Serve the page, signaling, the spool and downloads to browsers, in a thread of its own.

Input: requests and sockets of pages, and calls of Python.  Output: rooms, finished recordings and their files.
Called by ``harness.launch``, ``harness.session`` and ``harness.pytest_plugin``, all through ``RoomServer``.
"""
