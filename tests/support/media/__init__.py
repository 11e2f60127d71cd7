"""Video and audio for tests: planned scenes with known faults, long recordings, and other programs' opinions of a file.

A scene goes in, a real WebM with its manifest comes out. Tests of recording, verification and faults use them.
"""
