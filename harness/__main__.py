"""Run the command line as ``python -m harness``, like the command ``harness``."""

from harness.cli import main

if __name__ == "__main__":
    main()
