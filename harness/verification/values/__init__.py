"""Define the types that all stages share; this package imports none of the stages.

Input: numbers and text. Output: immutable values (models, findings, limits, expectations, intervals). Called by every
stage of the verification.
"""
