"""Find the markers of synthetic participants in frames and audio.

Input: decoded frames and audio. Output: the time, place and content of each marker. Called by ``analysis.py``;
``measures`` uses the result.
"""
