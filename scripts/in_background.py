#!/usr/bin/env python3
"""Run a command that receives only the processor time that other programs leave unused.

A shell ignores interrupts in its background commands, and the command's own tests would inherit this. So the command
handles interrupts as in the foreground.
"""

import contextlib
import os
import signal
import sys


def main() -> None:
    """Replace this process with the command in the arguments."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    if hasattr(os, "SCHED_IDLE"):
        with contextlib.suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    else:
        os.nice(19)
    os.execvp(sys.argv[1], sys.argv[1:])  # noqa: S606  # The command comes from the Makefile.


if __name__ == "__main__":
    main()
