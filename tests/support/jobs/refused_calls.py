"""Run a program whose system calls the kernel refuses, as on some network disks.

Run as ``python refused_calls.py flock=ENOLCK fsync=EINVAL -- COMMAND``. The kernel also refuses the calls of all
processes that the program starts, for example Chrome.
"""

from __future__ import annotations

import ctypes
import errno
import functools
import os
import platform
import struct
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

# For each machine: the architecture's number in seccomp(2), and the numbers of its system calls.
_MACHINES: Final[dict[str, tuple[int, dict[str, tuple[int, ...]]]]] = {
    "x86_64": (0xC000003E, {"flock": (73,), "fsync": (74,), "link": (86, 265)}),
    "aarch64": (0xC00000B7, {"flock": (32,), "fsync": (82,), "link": (37,)}),
}
_LOAD: Final = 0x20
_JUMP_IF_EQUAL: Final = 0x15
_RETURN: Final = 0x06
_ALLOW: Final = 0x7FFF0000
_REFUSE: Final = 0x00050000
# Offsets in struct seccomp_data.
_CALL: Final = 0
_ARCHITECTURE: Final = 4
_NO_NEW_PRIVILEGES: Final = 38
_SET_SECCOMP: Final = 22
_FILTER: Final = 2


class _Program(ctypes.Structure):
    """``struct sock_fprog``: the number of instructions, and a pointer to them."""

    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def refusing(*calls: str) -> list[str]:
    """Return the beginning of a command whose ``calls`` are refused, for example "fsync=EINVAL"."""
    if not _works():
        pytest.skip("Refusing system calls requires Linux with seccomp on x86_64 or aarch64.")
    return [sys.executable, str(Path(__file__).resolve()), *calls, "--"]


@functools.cache
def _works() -> bool:
    if platform.machine() not in _MACHINES:
        return False
    command = [sys.executable, str(Path(__file__).resolve()), "fsync=EINVAL", "--", "true"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def refuse(errors: dict[str, int]) -> None:
    """Make the kernel refuse system calls of this process, each with its error number."""
    architecture, numbers = _MACHINES[platform.machine()]
    refused = [(number, error) for name, error in errors.items() for number in numbers[name]]
    instructions = [
        _instruction(_LOAD, _ARCHITECTURE),
        # Skip everything but the last instruction if the call is made for another architecture.
        _instruction(_JUMP_IF_EQUAL, architecture, otherwise=1 + 2 * len(refused)),
        _instruction(_LOAD, _CALL),
    ]
    for number, error in refused:
        instructions += [
            _instruction(_JUMP_IF_EQUAL, number, otherwise=1),
            _instruction(_RETURN, _REFUSE | error),
        ]
    instructions.append(_instruction(_RETURN, _ALLOW))
    program = _Program(len(instructions), b"".join(instructions))
    _prctl(_NO_NEW_PRIVILEGES, 1, 0)
    _prctl(_SET_SECCOMP, _FILTER, ctypes.addressof(program))


def _instruction(code: int, value: int, *, otherwise: int = 0) -> bytes:
    """Return a ``struct sock_filter``; a jump skips ``otherwise`` instructions if the values differ."""
    return struct.pack("HBBI", code, 0, otherwise, value)


def _prctl(option: int, argument: int, other: int) -> None:
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    values = (ctypes.c_ulong(one) for one in (argument, other, 0, 0))
    if prctl(ctypes.c_int(option), *values) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def main(arguments: list[str]) -> None:
    """Refuse the calls before the argument ``--``, and run the command after it."""
    end = arguments.index("--")
    calls = dict(argument.split("=") for argument in arguments[:end])
    refuse({name: getattr(errno, error) for name, error in calls.items()})
    command = arguments[end + 1 :]
    os.execvp(command[0], command)  # noqa: S606 - a shell would make other system calls


if __name__ == "__main__":
    main(sys.argv[1:])
