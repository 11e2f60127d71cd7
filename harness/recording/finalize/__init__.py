"""Copy the raw bytes of MediaRecorder into a complete, seekable WebM file.

In: the growing raw file and the tick log.  Out: the finished file, with every packet on its own tick.
Called by the server's spool while a recording runs, and by recovery after a crash.
"""
