"""Implement the commands, one per module.

In: command-line options.  Out: what the command prints, and its exit code.  Called by ``harness.cli.main``.
"""
