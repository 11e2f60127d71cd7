"""Manage the rooms: their members, the signaling messages and the media routes.

Input: the messages on a page's signaling socket.  Output: messages for the sockets of other members.
Called by ``web_app.py``; ``signaling.py`` itself does no I/O.
"""
