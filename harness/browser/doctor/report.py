"""DoctorReport contains the results of ``harness doctor``, and formats them as a table."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pydantic import BaseModel, ConfigDict
from rich.markup import escape
from rich.table import Table

from harness.browser.doctor.folders import FolderReport
from harness.recording.machine import shown_processors

if TYPE_CHECKING:
    from collections.abc import Iterator

# If the encoder is this many times faster than real time, there is enough CPU time left for mixing and for the senders.
_COMFORTABLE: Final = 1.5


class MissingRequirement(BaseModel):
    """Something that is required for recording but missing on this machine."""

    model_config = ConfigDict(frozen=True)

    what: str
    """Name of the missing requirement."""
    remedy: str
    """Instructions for meeting the requirement."""


class Recommendation(BaseModel):
    """A problem that makes recordings worse or more likely to fail, but does not prevent them."""

    model_config = ConfigDict(frozen=True)

    what: str
    """Name of the resource or setting."""
    remedy: str
    """Description of the problem, and instructions for solving it."""


class DoctorReport(BaseModel):
    """The results of ``harness doctor`` on this machine; None means that a value is unknown."""

    model_config = ConfigDict(frozen=True)

    executable: Path | None
    """Path of the browser."""
    channel: str | None
    """Playwright's channel for the browser, for example ``chrome``."""
    how_found: str | None
    """Description of where the browser was found."""
    version: str | None
    """Version of the browser."""
    sandbox: bool | None
    """Whether the browser's sandbox works on this machine."""
    codecs: dict[str, bool]
    """For each of vp8, vp9, av1 and opus, whether the browser's MediaRecorder supports it."""
    mixer: dict[str, bool]
    """For each API that the mixer needs, whether the browser supports the API."""
    capacity: dict[str, float]
    """Speed at which each codec encodes 720p30 on an idle machine, as a multiple of real time.

    If a codec's speed is below 1, recordings with this codec lose frames. Empty with ``--quick``.
    """
    undrawable_scripts: tuple[str, ...] | None
    """Scripts that no installed font can draw, for example ``Chinese`` or ``emoji``. In a recording, the characters of
    these scripts in participants' names appear as boxes."""
    processors: float
    """Number of processors that the harness can use. The number is smaller than ``machine_processors`` if a container
    or another control group has a CPU limit, or if the harness may run only on some processors. With a CPU limit, the
    number can be a fraction."""
    machine_processors: int
    """Number of processors in this machine."""
    memory_free: int
    """Free memory in bytes, on the machine or within the memory limit of the container or control group."""
    memory_total: int
    """Size of the machine's memory in bytes, or the memory limit of the container or control group if it is smaller."""
    disk_free: int | None
    """Free space in bytes on the disk that contains the recordings folder."""
    folders: tuple[FolderReport, ...]
    """The folders to which the harness and Chrome write."""
    node: str | None
    """Version of Node.js, which is needed only to develop the harness's web page; None if it is not installed."""
    python: str
    """Version of Python."""
    platform: str
    """Operating system and processor architecture."""
    versions: dict[str, str]
    """Versions of the harness and of its most important packages."""
    missing: tuple[MissingRequirement, ...]
    """All requirements that are not met; empty if this machine can record."""
    recommended: tuple[Recommendation, ...]
    """All problems that make recordings on this machine worse or more likely to fail, but do not prevent them."""

    @property
    def ok(self) -> bool:
        """Whether all requirements are met."""
        return not self.missing

    def as_json(self) -> dict[str, Any]:
        """Return the object that ``harness doctor --json`` prints."""
        return {"ok": self.ok, **self.model_dump(mode="json")}

    def __rich__(self) -> Table:
        table = Table.grid(padding=(0, 2))
        # A long path continues on the next line, so that it is not cut off.
        for _ in range(2):
            table.add_column(overflow="fold")
        for row in (*self._browser_rows(), *self._machine_rows()):
            table.add_row(*row)
        for requirement in self.missing:
            table.add_row("[bold red]missing[/]", escape(f"{requirement.what}: {requirement.remedy}"))
        for advice in self.recommended:
            table.add_row("[bold yellow]recommended[/]", escape(f"{advice.what}: {advice.remedy}"))
        return table

    def _browser_rows(self) -> Iterator[tuple[str, str]]:
        yield "browser", escape(f"{self.executable} ({self.how_found})") if self.executable else "none"
        yield "version", self.version or "unknown"
        sandbox = {True: "on", False: "off: the sandbox does not work on this machine", None: "unknown"}
        yield "sandbox", sandbox[self.sandbox]
        yield "codecs", _listed(self.codecs)
        yield "mixer", _listed(self.mixer)
        if self.capacity:
            yield "720p30", ", ".join(_speed(*one) for one in self.capacity.items())
        if self.undrawable_scripts is not None:
            missing = ", ".join(f"[yellow]no {name}[/]" for name in self.undrawable_scripts)
            yield "fonts", missing or "complete"

    def _machine_rows(self) -> Iterator[tuple[str, str]]:
        usable, whole = shown_processors(self.processors), shown_processors(self.machine_processors)
        yield "processors", whole if usable == whole else f"{usable} of {whole}"
        yield "memory", f"{_in_gigabytes(self.memory_free)} free of {_in_gigabytes(self.memory_total)}"
        for folder in self.folders:
            variable = f" ({folder.variable})" if folder.variable else ""
            state = f"{_in_gigabytes(folder.free)} free" if folder.writable else "[yellow]not writable[/]"
            yield folder.purpose, f"{escape(f'{folder.path}{variable}')}: {state}"
        yield "Node", self.node or "none (needed only to develop the harness's web page)"
        yield "versions", ", ".join(f"{name} {version}" for name, version in self.versions.items())
        yield "machine", f"{self.platform}, Python {self.python}"


def _listed(things: dict[str, bool]) -> str:
    return ", ".join(name if supported else f"[red]no {name}[/]" for name, supported in things.items()) or "unknown"


def _speed(codec: str, times: float) -> str:
    if times < 1:
        return f"[red]{codec} {times:g}x: too slow; use a smaller size or 15 fps[/]"
    return f"{codec} {times:g}x" if times >= _COMFORTABLE else f"[yellow]{codec} {times:g}x: barely fast enough[/]"


def _in_gigabytes(size: int | None) -> str:
    return "unknown" if size is None else f"{size / 1e9:.1f} GB"
