"""Implement the commands, one per module.

In: the options of the command line.  Out: what the command prints, and its exit code.
Called by ``harness.cli.main``.
"""
