"""Video and audio for tests: planned scenes with known faults, long recordings, and second opinions about a file.

A scene becomes a real WebM file with its manifest. The tests of recording, verification and faults use these modules.
"""
