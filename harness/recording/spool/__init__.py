"""Manage a recording's folder from its first byte until the recording is published.

Input: the chunks and the log of one recording. Output: the finished file and its manifest, under their final names.
Called by ``harness.server.spool`` while pages record, and by ``harness recover`` after a crash.
"""
