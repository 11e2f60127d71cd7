"""Find the part of an observed call that another recorder's file covers.

Input: an observation's manifest, and the markers in the file. Output: the manifest with file times, or the reason why
the clocks can't be aligned. Called by ``analysis``.
"""
