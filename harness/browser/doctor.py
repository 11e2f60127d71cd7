"""Find out what this machine can record, which requirements are missing, and how to meet them."""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
from importlib import metadata
from pathlib import Path
from subprocess import SubprocessError
from typing import TYPE_CHECKING, Any, Final

import psutil
from pydantic import BaseModel, ConfigDict
from rich.markup import escape
from rich.table import Table

from harness.browser.capacity import capacity
from harness.browser.chrome import Chrome
from harness.browser.locate import sandbox_works
from harness.browser.version import ask_version
from harness.errors import SetupError

if TYPE_CHECKING:
    from playwright.sync_api import Page

_PACKAGES: Final = {"harness": "recording-harness", "playwright": "playwright", "aiohttp": "aiohttp", "av": "av"}
_CODECS: Final = {
    "vp8": "video/webm;codecs=vp8",
    "vp9": "video/webm;codecs=vp9",
    "av1": "video/webm;codecs=av1",
    "opus": "audio/webm;codecs=opus",
}
_NEEDED_CODECS: Final = ("vp9", "opus")
_MIXER_PARTS: Final = ("MediaStreamTrackProcessor", "MediaStreamTrackGenerator")
# If the encoder is this many times faster than real time, there is enough CPU time left for mixing and for the senders.
_COMFORTABLE: Final = 1.5
_FREE_DISK_BYTES: Final = 1_000_000_000
_FREE_MEMORY_BYTES: Final = 1_000_000_000
_FIND_SUPPORT: Final = """([types, names]) => ({
    types: types.map((type) => MediaRecorder.isTypeSupported(type)),
    names: names.map((name) => name in globalThis),
})"""


class MissingRequirement(BaseModel):
    """Something that is required for recording but missing on this machine."""

    model_config = ConfigDict(frozen=True)

    what: str
    """Name of the missing requirement."""
    remedy: str
    """Instructions for meeting the requirement."""


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
    processors: int
    """Number of processors in this machine."""
    memory_free: int
    """Free memory in bytes."""
    disk_free: int | None
    """Free space in bytes on the disk that contains the recordings folder."""
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
        table.add_row("browser", escape(f"{self.executable} ({self.how_found})") if self.executable else "none")
        table.add_row("version", self.version or "unknown")
        table.add_row(
            "sandbox",
            {True: "on", False: "off: the sandbox does not work on this machine", None: "unknown"}[self.sandbox],
        )
        table.add_row("codecs", _listed(self.codecs))
        table.add_row("mixer", _listed(self.mixer))
        if self.capacity:
            table.add_row("720p30", ", ".join(_speed(*one) for one in self.capacity.items()))
        table.add_row("processors", str(self.processors))
        table.add_row("memory free", _in_gigabytes(self.memory_free))
        table.add_row("disk free", _in_gigabytes(self.disk_free))
        table.add_row("Node", self.node or "none (needed only to develop the harness's web page)")
        table.add_row("versions", ", ".join(f"{name} {version}" for name, version in self.versions.items()))
        table.add_row("machine", f"{self.platform}, Python {self.python}")
        for requirement in self.missing:
            table.add_row("[bold red]missing[/]", escape(f"{requirement.what}: {requirement.remedy}"))
        return table


def examine(
    executable: str | os.PathLike[str] | None = None,
    *,
    recordings: str | os.PathLike[str] = "recordings",
    measure: bool = False,
) -> DoctorReport:
    """Check this machine with a real browser, and return what it can record.

    ``executable`` is a browser to check instead of the default one, and ``recordings`` is the folder whose disk is
    checked. ``measure`` also measures each codec's speed, which takes a few seconds. Missing requirements do not raise
    an error; they are listed in the report.
    """
    missing: list[MissingRequirement] = []
    browser: dict[str, Any] = dict.fromkeys(("executable", "channel", "how_found", "version", "sandbox"))
    codecs: dict[str, bool] = {}
    mixer: dict[str, bool] = {}
    speeds: dict[str, float] = {}
    try:
        with Chrome(executable) as chrome:
            found = chrome.found
            browser = {
                "executable": found.executable,
                "channel": found.channel,
                "how_found": found.how_found,
                "version": chrome.version,
                "sandbox": sandbox_works(found.executable),
            }
            page = chrome.new_context().new_page()
            codecs, mixer = _find_support(page)
            if measure and all(mixer.values()):
                speeds = {
                    name: capacity(page, kind)
                    for name, kind in _CODECS.items()
                    if codecs[name] and kind.startswith("video")
                }
    except SetupError as error:
        missing.append(MissingRequirement(what="a browser", remedy=str(error)))
    else:
        absent = [name for name in _NEEDED_CODECS if not codecs[name]] + [name for name in mixer if not mixer[name]]
        remedy = "this browser can't record; use a current Chrome or Chromium ('harness browser install')"
        missing += [MissingRequirement(what=name, remedy=remedy) for name in absent]

    memory_free, disk_free = psutil.virtual_memory().available, _disk_free(Path(recordings))
    if memory_free < _FREE_MEMORY_BYTES:
        remedy = "a room of three participants needs 1 GB of free memory; close other programs"
        missing.append(MissingRequirement(what="memory", remedy=remedy))
    if disk_free is not None and disk_free < _FREE_DISK_BYTES:
        missing.append(
            MissingRequirement(
                what="disk space", remedy="free some space, or record to another disk with --recordings DIR"
            )
        )
    return DoctorReport(
        **browser,
        codecs=codecs,
        mixer=mixer,
        capacity=speeds,
        processors=os.cpu_count() or 1,
        memory_free=memory_free,
        disk_free=disk_free,
        node=_node(),
        python=platform.python_version(),
        platform=platform.platform(),
        versions=_versions(),
        missing=tuple(missing),
    )


def _find_support(page: Page) -> tuple[dict[str, bool], dict[str, bool]]:
    answer = page.evaluate(_FIND_SUPPORT, [list(_CODECS.values()), list(_MIXER_PARTS)])
    return (
        dict(zip(_CODECS, answer["types"], strict=True)),
        dict(zip(_MIXER_PARTS, answer["names"], strict=True)),
    )


def _versions() -> dict[str, str]:
    versions = {}
    for name, distribution in _PACKAGES.items():
        # A source checkout that is not installed has no version number.
        with contextlib.suppress(metadata.PackageNotFoundError):
            versions[name] = metadata.version(distribution)
    return versions


def _disk_free(folder: Path) -> int | None:
    """Return the free space, in bytes, on the disk of a folder that might not exist yet."""
    existing = next(parent for parent in (folder.absolute(), *folder.absolute().parents) if parent.exists())
    try:
        return shutil.disk_usage(existing).free
    except OSError:
        return None


def _node() -> str | None:
    try:
        answer = ask_version("node")
    except (OSError, SubprocessError):
        return None
    return answer.stdout.strip() if answer.returncode == 0 else None


def _listed(things: dict[str, bool]) -> str:
    return ", ".join(name if supported else f"[red]no {name}[/]" for name, supported in things.items()) or "unknown"


def _speed(codec: str, times: float) -> str:
    if times < 1:
        return f"[red]{codec} {times:g}x: too slow; use a smaller size or 15 fps[/]"
    return f"{codec} {times:g}x" if times >= _COMFORTABLE else f"[yellow]{codec} {times:g}x: barely fast enough[/]"


def _in_gigabytes(size: int | None) -> str:
    return "unknown" if size is None else f"{size / 1e9:.1f} GB"
