"""Present a report as a Python object, a table in the terminal, JSON, an HTML page or JUnit XML.

A Report contains the findings and measurements of one file, and can be saved in several formats. ``verify.py`` and all
code that shows results use this package.
"""
