"""Access files and text from untrusted sources safely: check disk space, names, encodings and media formats.

Input: unchecked paths, text and bytes. Output: safe names, content of limited size, opened media, clear errors. Called
by every part of the harness that accesses the disk.
"""
