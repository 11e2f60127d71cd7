"""Examine this machine with a real browser, and report what it can record and what is missing."""

from __future__ import annotations

import contextlib
import platform
from importlib import metadata
from pathlib import Path
from subprocess import SubprocessError
from typing import TYPE_CHECKING, Any, Final

from harness.browser.budget import needed_memory
from harness.browser.capacity import capacity
from harness.browser.chrome import Chrome
from harness.browser.doctor.folders import used_folders
from harness.browser.doctor.report import DoctorReport, MissingRequirement, Recommendation
from harness.browser.fonts import REMEDY, missing_scripts
from harness.browser.locate import sandbox_works
from harness.browser.version import ask_version
from harness.errors import SetupError
from harness.recording.machine import all_processors, memory_free, memory_total, processors, shown_processors

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator

    from playwright.sync_api import Page

    from harness.browser.doctor.folders import FolderReport

_PACKAGES: Final = {"harness": "recording-harness", "playwright": "playwright", "aiohttp": "aiohttp", "av": "av"}
_CODECS: Final = {
    "vp8": "video/webm;codecs=vp8",
    "vp9": "video/webm;codecs=vp9",
    "av1": "video/webm;codecs=av1",
    "opus": "audio/webm;codecs=opus",
}
_NEEDED_CODECS: Final = ("vp9", "opus")
_MIXER_PARTS: Final = ("MediaStreamTrackProcessor", "MediaStreamTrackGenerator")
# With less free memory than this, a recording of more than a few participants might run out of memory.
_ENOUGH_MEMORY: Final = 1_000_000_000
# The recommendation about memory states how much memory a room of this many participants needs.
_USUAL_PARTICIPANTS: Final = 3
_FIND_SUPPORT: Final = """([types, names]) => ({
    types: types.map((type) => MediaRecorder.isTypeSupported(type)),
    names: names.map((name) => name in globalThis),
})"""
# The results if no browser could be examined.
_NO_BROWSER: Final[dict[str, Any]] = {
    **dict.fromkeys(("executable", "channel", "how_found", "version", "sandbox", "undrawable_scripts")),
    "codecs": {},
    "mixer": {},
    "capacity": {},
}


def examine(
    executable: str | os.PathLike[str] | None = None,
    *,
    recordings: str | os.PathLike[str] = "recordings",
    measure: bool = False,
) -> DoctorReport:
    """Check this machine with a real browser, and return what it can record.

    ``executable`` is a browser to check instead of the default one, and ``recordings`` is the folder for recordings.
    ``measure`` also measures each codec's speed, which takes a few seconds. Missing requirements do not raise an error;
    they are listed in the report.
    """
    # Read these values before the browser starts, because it uses memory, and its files stay in the file cache.
    usable, free = processors(), memory_free()
    folders = used_folders(Path(recordings))
    missing = [
        MissingRequirement(what=folder.purpose, remedy=folder.problem)
        for folder in folders
        if folder.problem and folder.blocks_recording
    ]
    browser = _NO_BROWSER
    # No browser can start without a folder for temporary files.
    if not any(requirement.what == "temporary files" for requirement in missing):
        try:
            browser = _examine_browser(executable, measure=measure)
        except SetupError as error:
            missing.append(MissingRequirement(what="a browser", remedy=str(error)))
        else:
            missing += _missing_features(browser)
    if free < needed_memory(1):
        missing.append(MissingRequirement(what="memory", remedy=_memory_remedy(free, 1)))
    return DoctorReport(
        **browser,
        processors=usable,
        machine_processors=all_processors(),
        memory_free=free,
        memory_total=memory_total(),
        disk_free=folders[0].free,
        folders=folders,
        node=_node(),
        python=platform.python_version(),
        platform=platform.platform(),
        versions=_versions(),
        missing=tuple(missing),
        recommended=tuple(_recommendations(usable, free, folders, browser["undrawable_scripts"])),
    )


def _examine_browser(executable: str | os.PathLike[str] | None, *, measure: bool) -> dict[str, Any]:
    """Return the report's fields about the browser; raises SetupError if no browser starts."""
    with Chrome(executable) as chrome:
        found = chrome.found
        page = chrome.new_context().new_page()
        codecs, mixer = _find_support(page)
        speeds: dict[str, float] = {}
        if measure and all(mixer.values()):
            speeds = {
                name: capacity(page, kind)
                for name, kind in _CODECS.items()
                if codecs[name] and kind.startswith("video")
            }
        return {
            "executable": found.executable,
            "channel": found.channel,
            "how_found": found.how_found,
            "version": chrome.version,
            "sandbox": sandbox_works(found.executable),
            "codecs": codecs,
            "mixer": mixer,
            "capacity": speeds,
            "undrawable_scripts": missing_scripts(page),
        }


def _missing_features(browser: dict[str, Any]) -> Iterator[MissingRequirement]:
    """Yield the features that recording needs but the browser lacks."""
    codecs, mixer = browser["codecs"], browser["mixer"]
    remedy = "this browser can't record; use a current Chrome or Chromium ('harness browser install')"
    for name in (*_NEEDED_CODECS, *mixer):
        if not (codecs | mixer)[name]:
            yield MissingRequirement(what=name, remedy=remedy)


def _recommendations(
    usable: float, free: int, folders: Iterable[FolderReport], undrawable: tuple[str, ...] | None
) -> Iterator[Recommendation]:
    """Yield the problems that make recordings worse; ``usable`` is a number of processors, and ``free`` is in bytes."""
    if usable < 1:
        remedy = (
            f"{shown_processors(usable)} of a processor is enough only for small recordings; raise the container's CPU "
            "limit to at least 1"
        )
        yield Recommendation(what="processors", remedy=remedy)
    if needed_memory(1) <= free < _ENOUGH_MEMORY:
        yield Recommendation(what="memory", remedy=_memory_remedy(free, _USUAL_PARTICIPANTS))
    for folder in folders:
        if folder.problem and not folder.blocks_recording:
            yield Recommendation(what=folder.purpose, remedy=folder.problem)
    if undrawable:
        yield Recommendation(what="fonts", remedy=f"no font can draw {', '.join(undrawable)}; {REMEDY}")


def _memory_remedy(free: int, participants: int) -> str:
    """Return how much memory is free, how much a room needs, and what to do."""
    room = "one participant" if participants == 1 else f"{participants} participants"
    return (
        f"{free / 1e9:.1f} GB is free, and a room of {room} needs about {needed_memory(participants) / 1e9:.1f} GB; "
        "close other programs, or raise the container's memory limit"
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


def _node() -> str | None:
    try:
        answer = ask_version("node")
    except (OSError, SubprocessError):
        return None
    return answer.stdout.strip() if answer.returncode == 0 else None
