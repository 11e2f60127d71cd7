"""Decide who may enter, and how much they may use.

In: connections, tokens, host names and limits.  Out: admitted pages, or one refusal in plain words.
Called by ``web_app.py`` and by the folders ``rooms``, ``spool`` and ``library``.
"""
