"""Implement the commands, one per module.

Input: command-line options.  Output: the command's printed text and its exit code.  Called by ``harness.cli.main``.
"""
