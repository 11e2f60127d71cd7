"""Decode a file into frames and audio in a single pass.

In: a path, and the sinks for frames and audio.  Out: facts about the container and its tracks.
Called by ``analysis.py``, in the child process only.
"""
