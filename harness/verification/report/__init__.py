"""Present the report in every form: Python value, terminal, JSON, HTML, JUnit.

Input: the findings and measurements of one file. Output: a Report, and the files written from it. Called by
``verify.py`` and by all code that shows results.
"""
