"""Decide which clients are admitted, and how much of the server they may use.

Input: connections, tokens, codes, host names and limits.  Output: admitted pages, or one refusal in plain English.
Called by ``web_app.py`` and by the packages ``rooms``, ``spool`` and ``library``.
"""
