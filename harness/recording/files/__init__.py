"""Handle files and text that come from elsewhere: disk room, names, encodings, media formats.

In: paths, text and bytes that nobody has checked.  Out: safe names, bounded reads, opened media, clear errors.
Called by every part that touches the disk.
"""
