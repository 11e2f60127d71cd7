"""The command line: one command a module, each a thin door to what the library does."""

try:
    from harness.cli.interrupt import quiet_interrupts
except KeyboardInterrupt:
    # Until its handler is installed, Ctrl-C is an exception in the middle of an import.
    raise SystemExit(130) from None


def main() -> None:
    """Run the program; exit 0: all well, 1: a check failed, 2: wrong usage, 3: the environment lacks something.

    An interrupted program exits with 128 and the number of the signal: 130 after Ctrl-C, 143 after SIGTERM, 129 after
    SIGHUP.
    """
    with quiet_interrupts():
        # Importing the commands takes a third of a second, in which Ctrl-C has to be quiet as well.
        from harness.cli.main import run

        run()


__all__ = ["main"]
