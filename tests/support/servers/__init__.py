"""Servers that tests run on loopback: pages, applications with their calls, Janus, TURN, Dask, and NERTC's SDK.

Each is a context manager with a ``url``. The tests skip where a program is not installed.
"""
