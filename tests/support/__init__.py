"""Helpers for several test suites: programs and processes, disks, sockets, reports, and the table of limits.

Tests import the modules in this folder, but these modules never import a test. Helpers for media, networks and servers
have their own folders.
"""
