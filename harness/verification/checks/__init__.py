"""Apply the rules: each check turns measured values into findings.

In: the Evidence and the Limits.  Out: Findings, both failed and passed.
Called by ``analysis.py``; ``catalogue.py`` lists every check.
"""
