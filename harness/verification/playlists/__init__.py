"""Find the media files of a call, which a playlist (HLS, DASH) lists or a folder contains.

``verify.py`` passes the paths that the user specified, and gets the sources that the confined child process reads.
Playlists may be hostile: they are read with limits on size, depth and number of segments, and may refer only to regular
files below their own folder.
"""
