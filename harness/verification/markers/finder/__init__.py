"""Find synthetic participants anywhere in the frames of a file whose layout is unknown, and follow them.

``marker_reader.py`` passes the frames, and receives each place in which a marker was seen, with its readings.
"""
