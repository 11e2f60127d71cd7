"""Helpers of several suites: programs and processes, disks, sockets, reports, and the table of promised figures.

Tests import these modules, which never import a test. Media, networks and servers have their own folders.
"""
