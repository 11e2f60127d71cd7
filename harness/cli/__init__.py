"""The command line: one command a module, each a thin door to what the library does."""

from harness.cli.main import main

__all__ = ["main"]
