"""Servers that tests run on loopback: pages, applications with calls, Janus, TURN, Dask, and NERTC's SDK.

Each server is a context manager with a ``url`` attribute. Tests are skipped if a server's program is not installed.
"""
