"""Present the report in each form: Python value, terminal, JSON, HTML, JUnit.

In: the findings and measures of one file.  Out: a Report and the files that are written from it.
Called by ``verify.py`` and by all code that shows results.
"""
