"""Put the files of one call onto one timeline: align their clocks, and join what was found in them.

``analysis.py`` passes what was observed in each file, and gets the evidence about each file and about the whole call.
"""
