"""Video and audio for tests: planned scenes with known faults, long recordings, and second opinions about a file.

Each scene is written as a real WebM file with a manifest. The tests of recording, verification and faults use these
modules.
"""
