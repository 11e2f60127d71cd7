"""Check a file's measured values: each check applies one rule, and returns findings.

The checks take the Evidence and the Limits, and return findings for passed checks as well as for failed ones.
``analysis.py`` runs the checks. ``catalogue.py`` lists every check.
"""
