"""Provide the command-line interface. Each command has its own module, which calls the library.

Input: arguments, options and HARNESS_ environment variables.  Output: reports on stdout, messages on stderr, and an
exit code. Called by ``python -m harness`` and the ``harness`` program.
"""

try:
    from harness.cli.interrupt import quiet_interrupts
except KeyboardInterrupt:
    # Before quiet_interrupts installs its handler, Ctrl-C raises an exception in the middle of an import.
    raise SystemExit(130) from None


def main() -> None:
    """Run the program and exit.

    The exit code is 0 if everything passed, 1 if a check failed, 2 for a usage error, and 3 if something that the
    harness requires is missing or unavailable. An interrupted program exits with 128 plus the signal number: 130 after
    Ctrl-C, 143 after SIGTERM, 129 after SIGHUP.
    """
    with quiet_interrupts():
        # Importing the commands takes a third of a second, and Ctrl-C must not print a traceback during that time.
        from harness.cli.main import run

        run()


__all__ = ["main"]
