"""Find the markers of synthetic participants in frames and audio.

The detectors receive decoded frames and audio, and return the time, place and content of each marker. ``analysis.py``
creates the detectors, and ``measures`` uses their results.
"""
