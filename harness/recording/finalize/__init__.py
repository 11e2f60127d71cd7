"""Copy the raw bytes of MediaRecorder into a complete, seekable WebM.

In: the growing raw file and the tick log.  Out: the finished file, every packet on its own tick.
Called by the spool's folder while a recording runs, and by recovery after a crash.
"""
