"""Find the markers of synthetic participants in frames and audio.

In: decoded frames and audio.  Out: when and where each marker was seen or heard, and what it carried.
Called by ``analysis.py``; ``measures`` reads the result.
"""
