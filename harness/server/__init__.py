"""Serve the page, signaling, the spool and downloads to browsers in a separate thread.

Input: requests and sockets of pages, and calls from Python.  Output: rooms, finished recordings and their files.
Called by ``harness.launch``, ``harness.session`` and ``harness.pytest_plugin``, all through ``RoomServer``.
"""
