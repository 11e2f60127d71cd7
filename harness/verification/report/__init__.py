"""Present the report in every form: Python value, terminal, JSON, HTML, JUnit.

In: the findings and measurements of one file.  Out: a Report, and the files written from it. Called by ``verify.py``
and by all code that shows results.
"""
