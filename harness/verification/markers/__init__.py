"""Find the markers of synthetic participants in frames and audio.

In: decoded frames and audio.  Out: when and where each marker was read, and its content.
Called by ``analysis.py``; ``measures`` reads the result.
"""
