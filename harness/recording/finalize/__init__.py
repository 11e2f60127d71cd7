"""Copy MediaRecorder's raw bytes into a complete, seekable WebM file.

In: the growing raw file and the tick log.  Out: the finished file, with every video packet on its own tick. Called by
the server's spool while a recording runs, and by recovery after a crash.
"""
