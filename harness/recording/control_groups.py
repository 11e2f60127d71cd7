"""Read the limits of this process's Linux control groups (cgroups, versions 1 and 2), for example those of a container.

A process belongs to one group in each hierarchy, and the limits of all groups above that group also apply. Version 1
can have a separate hierarchy for each controller; version 2 has one for all of them, and a hybrid system has both.
Source: Linux's ``cgroups(7)``, ``admin-guide/cgroup-v1`` and ``admin-guide/cgroup-v2``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

# In mountinfo, spaces, tabs, newlines and backslashes are written as octal numbers.
_ESCAPED: Final = re.compile(r"\\([0-7]{3})")
# The names of the files with a group's memory limit and its memory usage, and of the statistic that counts the file
# cache that Linux can drop, in version 2 and in version 1.
_MEMORY_FILES: Final = (
    ("memory.max", "memory.current", "inactive_file"),
    ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
)


class ControlGroups:
    """This process's control groups for processors and memory; the groups are found when the object is created.

    ``root`` is the folder that contains ``proc`` and ``sys``. Missing and unreadable files count as "no limit".
    """

    def __init__(self, root: Path = Path("/")) -> None:
        self._cpu = _groups(root, "cpu")
        self._memory = _groups(root, "memory")

    def processors(self) -> float | None:
        """Return how many processors the smallest quota allows, for example 0.5; None if there is no quota."""
        return min((quota for group in self._cpu if (quota := _quota(group))), default=None)

    def memory_limit(self) -> int | None:
        """Return the smallest memory limit in bytes; None if there is no limit."""
        return min((limit for limit, _ in self._memory_limits()), default=None)

    def memory_free(self) -> int | None:
        """Return how many bytes can be allocated before a limit is reached; None if there is no limit.

        Cached file content that Linux drops when memory is short counts as free.
        """
        return min((max(0, limit - used) for limit, used in self._memory_limits()), default=None)

    def throttled_seconds(self) -> float | None:
        """Return how long quotas have kept the groups' processes waiting since the groups were created.

        The time is in seconds, summed over all processors. Returns None if the groups' statistics can't be read.
        """
        statistics = [found for group in self._cpu if (found := _statistics(group / "cpu.stat"))]
        if not statistics:
            return None
        # Version 2 counts microseconds, and version 1 nanoseconds.
        return sum(one.get("throttled_usec", 0) / 1e6 + one.get("throttled_time", 0) / 1e9 for one in statistics)

    def _memory_limits(self) -> Iterator[tuple[int, int]]:
        """Yield the limit and the usage, in bytes, of each group with a memory limit.

        In version 1, a group without a limit has a limit that is larger than any machine's memory.
        """
        for group in self._memory:
            for limit_name, usage_name, cache_name in _MEMORY_FILES:
                for limit in _numbers(group / limit_name):
                    used = sum(_numbers(group / usage_name))
                    yield limit, used - _statistics(group / "memory.stat").get(cache_name, 0)


@dataclass(frozen=True)
class _Mount:
    """A mounted hierarchy: ``root`` is the group whose files are at ``point``; ``kind`` is the file system type."""

    kind: str
    root: PurePosixPath
    point: PurePosixPath
    options: tuple[str, ...]

    def has(self, group: PurePosixPath) -> bool:
        """Return whether the files of ``group`` can be reached through this mount."""
        return group.is_relative_to(self.root) and ".." not in group.relative_to(self.root).parts


def _groups(root: Path, controller: str) -> list[Path]:
    """Return the folders of the groups in which ``controller`` limits this process, from its own group upwards.

    In a container, the groups above the container's own group are usually not visible.
    """
    own = _own_group(_text(root / "proc/self/cgroup"), controller)
    if own is None:
        return []
    kind, group = own
    mounts = [
        mount
        for mount in _mounts(_text(root / "proc/self/mountinfo"))
        if mount.kind == kind and (kind == "cgroup2" or controller in mount.options)
    ]
    if not mounts:
        return []
    # Of several mounts, the one with the highest root shows the most groups. If no mount shows the process's own group,
    # the container's group is mounted under another name. The mount's root is then the closest group that is visible.
    visible = sorted((mount for mount in mounts if mount.has(group)), key=lambda mount: len(mount.root.parts))
    mount = visible[0] if visible else mounts[0]
    below = group.relative_to(mount.root) if visible else PurePosixPath()
    top = root / str(mount.point).lstrip("/")
    return [top / folder for folder in (below, *below.parents)]


def _own_group(text: str, controller: str) -> tuple[str, PurePosixPath] | None:
    """Return the file system type of the hierarchy with ``controller``, and the process's group in that hierarchy.

    ``text`` is the content of ``/proc/self/cgroup``. A controller that a hierarchy of version 1 uses does not exist in
    version 2. Returns None if there is no such hierarchy.
    """
    unified = None
    for line in text.splitlines():
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if controller in controllers.split(","):
            return "cgroup", PurePosixPath(path)
        if path and not controllers:
            unified = PurePosixPath(path)
    return ("cgroup2", unified) if unified else None


def _mounts(text: str) -> Iterator[_Mount]:
    """Yield the mounted hierarchies that ``text``, the content of ``/proc/self/mountinfo``, contains."""
    for line in text.splitlines():
        before, _, after = line.partition(" - ")
        match before.split(), after.split():
            case [_, _, _, root, point, *_], ["cgroup" | "cgroup2" as kind, *_, options]:
                yield _Mount(kind, _unescaped(root), _unescaped(point), tuple(options.split(",")))


def _unescaped(path: str) -> PurePosixPath:
    return PurePosixPath(_ESCAPED.sub(lambda found: chr(int(found[1], 8)), path))


def _quota(group: Path) -> float | None:
    """Return how many processors a group may use, or None if it has no quota."""
    # Version 2 has one file with "max 100000" or "50000 100000"; version 1 has two files, and -1 means no quota.
    match _numbers(group / "cpu.max") or _numbers(group / "cpu.cfs_quota_us") + _numbers(group / "cpu.cfs_period_us"):
        case [quota, period] if quota and period:
            return quota / period
    return None


def _statistics(path: Path) -> dict[str, int]:
    """Return the content of a file in which each line has a name and a number."""
    pairs = (line.split() for line in _text(path).splitlines())
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2 and pair[1].isdecimal()}  # noqa: PLR2004


def _numbers(path: Path) -> list[int]:
    """Return the numbers in a file, without words such as "max" and without negative numbers."""
    return [int(word) for word in _text(path).split() if word.isdecimal()]


def _text(path: Path) -> str:
    """Return a file's text, or an empty text if the file can't be read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
