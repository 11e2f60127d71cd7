"""What several suites share: programs and processes, disks, sockets, reports, and the table of promised figures.

Tests import these modules; nothing here imports a test. Media, networks and servers have folders of their own.
"""
