"""Apply rules to the numbers: each check yields findings.

In: the Evidence and the Limits.  Out: Findings, failed ones as well as passed ones.
Called by ``analysis.py``; ``catalogue.py`` lists every check.
"""
