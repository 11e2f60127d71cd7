"""Video and audio for tests: planned scenes with known faults, long recordings, and second opinions on a file.

A scene becomes a real WebM file with its manifest. Tests of recording, verification and faults use these modules.
"""
