"""Hold the vocabulary that all stages share; it imports none of them.

In: nothing but numbers and text.  Out: frozen values: models, findings, limits, expectations, intervals.
Called by every stage of the verification.
"""
