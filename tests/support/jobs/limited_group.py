"""Run programs in a control group with limits, like the programs in a container; only root can create such groups."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_ROOT = Path("/sys/fs/cgroup")
# The period for which a quota applies, in microseconds.
_PERIOD = 100_000
_ENDED_WITHIN = 10.0
# Moves the shell into the groups, and then replaces it with the program.
_ENTER = 'for group in $1; do echo $$ >"$group/cgroup.procs" || exit 1; done; shift; exec "$@"'


@contextmanager
def limited_group(*, processors: float, memory: int) -> Iterator[list[str]]:
    """Create a group with limits, and yield the beginning of a command line that runs a program in the group.

    ``memory`` is in bytes. Afterwards, programs that are still running in the group are killed, and the group is
    removed.
    """
    name = f"harness-test-{secrets.token_hex(4)}"
    quota = round(processors * _PERIOD)
    groups: list[Path] = []
    try:
        try:
            if (_ROOT / "cgroup.controllers").exists():
                # A group has only those controllers that the group above it has enabled.
                (_ROOT / "cgroup.subtree_control").write_text("+cpu +memory")
                _create(groups, _ROOT / name, {"cpu.max": f"{quota} {_PERIOD}", "memory.max": memory})
            else:
                cpu = {"cpu.cfs_period_us": _PERIOD, "cpu.cfs_quota_us": quota}
                _create(groups, _ROOT / "cpu" / name, cpu)
                _create(groups, _ROOT / "memory" / name, {"memory.limit_in_bytes": memory})
        except OSError as error:
            pytest.skip(f"Control groups with limits need root and writable groups: {error}")
        yield ["sh", "-c", _ENTER, "sh", " ".join(str(group) for group in groups)]
    finally:
        for group in groups:
            _remove(group)


def _create(groups: list[Path], group: Path, limits: Mapping[str, object]) -> None:
    group.mkdir()
    groups.append(group)
    for file, limit in limits.items():
        (group / file).write_text(str(limit))


def _remove(group: Path) -> None:
    """Kill the group's processes, and remove the group as soon as they have ended."""
    end = time.monotonic() + _ENDED_WITHIN
    while True:
        for pid in (group / "cgroup.procs").read_text().split():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)
        try:
            group.rmdir()
        except OSError:
            if time.monotonic() > end:
                raise
            threading.Event().wait(0.02)
        else:
            return
