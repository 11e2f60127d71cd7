"""Decide which clients are admitted, and limit how much of the server's resources they can use.

Input: connections, tokens, codes, host names and limits. Output: admitted pages, or error messages in plain English for
refused pages. Called by ``web_app.py`` and by the packages ``rooms``, ``spool`` and ``library``.
"""
