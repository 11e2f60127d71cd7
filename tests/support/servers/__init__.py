"""Servers that tests run on loopback: pages, applications with their calls, Janus, TURN, Dask, and NERTC's SDK.

Each server is a context manager with a ``url``. Tests are skipped if its program is not installed.
"""
