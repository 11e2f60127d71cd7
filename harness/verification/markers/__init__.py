"""Find the markers of synthetic participants in frames and audio.

In: decoded frames and audio.  Out: the time, place and content of each marker. Called by ``analysis.py``; ``measures``
uses the result.
"""
