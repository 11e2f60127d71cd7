"""Video and audio for tests: scenes with known faults, long recordings, and other programs' reports on a file.

Each scene is written as a real WebM file with a manifest. Tests for recording, verification and faults use the modules
in this folder.
"""
