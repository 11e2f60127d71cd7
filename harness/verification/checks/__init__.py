"""Apply the rules: each check turns measured values into findings.

Input: the Evidence and the Limits. Output: Findings, for failed and passed checks alike. Called by ``analysis.py``;
``catalogue.py`` lists every check.
"""
