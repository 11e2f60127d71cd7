"""Decode a file into frames and audio in a single pass.

Input: a path, and the sinks for frames and audio. Output: facts about the container and its tracks. Called by
``analysis.py``, in the child process only.
"""
