"""Copy MediaRecorder's raw bytes into a complete, seekable WebM file.

Input: the growing raw file and the tick log. Output: the finished file, in which each video packet has the time of its
tick. Called by the server's spool while a recording runs, and by recovery after a crash.
"""
