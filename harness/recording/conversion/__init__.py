"""Convert a finished recording to another format in a confined process, and report everything that can't be kept.

Input: a media file. Output: a file in another format, and one warning for each part or property of the recording that
the new file does not have. Called by the command ``convert``.
"""
