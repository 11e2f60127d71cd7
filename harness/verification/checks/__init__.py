"""Apply the rules: each check turns measured values into findings.

In: the Evidence and the Limits.  Out: Findings, for failed and passed checks alike.
Called by ``analysis.py``; ``catalogue.py`` lists every check.
"""
