"""Keep the rooms: members, signaling messages, routes of the media.

In: the messages of a page's signaling socket.  Out: messages for the sockets of the other members.
Called by ``web_app.py``; ``signaling.py`` itself does no I/O.
"""
