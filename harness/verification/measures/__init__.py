"""Measure presence, smoothness, A/V offset and gaps, from a file's markers and the properties of its tracks.

``analysis.py`` passes the manifest and the results of ``probe`` and ``markers`` to this package. The measurements
become part of the Evidence, which all checks use.
"""
