"""Decode a file into frames and audio in a single pass.

``probe`` takes a path and the sinks that receive the frames and the audio, and returns the properties of the container
and its tracks. ``analysis.py`` calls ``probe`` in the child process only.
"""
