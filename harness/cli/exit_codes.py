"""The program's exit codes; an interrupted program exits with 128 plus the signal number."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from harness.verification.values.findings import Result

EXIT_FAILED: Final = 1
EXIT_USAGE: Final = 2
EXIT_ENVIRONMENT: Final = 3
EXIT_UNVERIFIED: Final = 4


def exit_code(result: Result, *, allow_unverified: bool = False) -> int:
    """Return the exit code for the result of a command's recordings."""
    return {"passed": 0, "failed": EXIT_FAILED, "unverified": 0 if allow_unverified else EXIT_UNVERIFIED}[result]
