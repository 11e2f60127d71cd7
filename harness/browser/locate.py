"""Finding a Chrome to record with, and asking whether its sandbox works."""

from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from harness.errors import SetupError

if TYPE_CHECKING:
    from collections.abc import Iterator

_CHANNELS: Final = {
    "chrome": ("/opt/google/chrome/chrome", "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"),
    "msedge": ("/opt/microsoft/msedge/msedge", "/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge"),
}
_ON_PATH: Final = ("chromium", "chromium-browser", "google-chrome")
OR_NAME_ONE: Final = "or name a Chrome or Chromium with --executable PATH or in CHROME_PATH"
_ANSWER_SECONDS: Final = 20


@dataclass(frozen=True)
class Browser:
    """A browser that answers.

    ``channel`` is Playwright's name for an installation that it finds by itself, else None; ``version`` is like
    ``156.0.8078.79``; ``how_found`` says where it was looked up.
    """

    executable: Path
    channel: str | None
    version: str
    how_found: str


def locate(executable: str | os.PathLike[str] | None = None, *, bundled: str | None = None) -> Browser:
    """Return the browser to record with: the first that answers.

    ``executable`` is what the user named; ``bundled`` is where Playwright keeps its own Chromium, whether or not it
    is there (``playwright.chromium.executable_path``). After those, and CHROME_PATH between them, come Chrome, Edge
    and Chromium where they are usually installed. A browser that was named and does not answer is an error, never
    passed over.

    Raises SetupError, which says where it looked and how to get one.
    """
    for named, how in ((executable, "--executable"), (os.environ.get("CHROME_PATH"), "CHROME_PATH")):
        if named:
            return _named(os.fspath(named), how)

    silent: list[str] = []
    for path, channel, how in _usual_places(bundled):
        version = _version(path)
        if version is not None:
            return Browser(Path(path), channel, version, how)
        silent.append(f"{path} does not start")
    found = "; ".join(silent) or "Playwright has none, and no chrome, msedge or chromium is installed"
    message = f"No Chrome found: {found}. Get one with 'harness browser install', {OR_NAME_ONE}."
    raise SetupError(message)


def _named(name: str, how: str) -> Browser:
    path = shutil.which(name)
    if path is None:
        message = f"{how}: {name} is no program; give the path of a Chrome or Chromium."
        raise SetupError(message)
    version = _version(path)
    if version is None:
        message = f"{how}: {name} does not answer as a Chrome does to --version; give the path of a Chrome or Chromium."
        raise SetupError(message)
    return Browser(Path(path), None, version, how)


def _usual_places(bundled: str | None) -> Iterator[tuple[str, str | None, str]]:
    """Yield path, channel and description of every browser that is there, the best first."""
    if bundled and Path(bundled).exists():
        yield bundled, "chromium", "Playwright's own"
    for channel, paths in _CHANNELS.items():
        for path in paths:
            if Path(path).exists():
                yield path, channel, f"channel {channel}"
    for name in _ON_PATH:
        there = shutil.which(name)
        if there is not None:
            yield there, None, f"{name} on PATH"


def _version(executable: str) -> str | None:
    """Return the program's version; None when it is no Chrome, or none that starts (Ubuntu's stub for the snap)."""
    try:
        answer = subprocess.run(
            [executable, "--version"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_ANSWER_SECONDS,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    # Four numbers: a Chrome's version. Firefox has two or three.
    found = re.search(r"\b\d+(?:\.\d+){3}\b", answer.stdout)
    return found.group() if found else None


@functools.cache
def sandbox_works(executable: Path) -> bool:
    """Return whether this browser starts with its sandbox on; asked once for each browser.

    Root never can (Chrome fact 24); others can't where the kernel or the container withholds user namespaces.
    """
    if os.geteuid() == 0:
        return False
    with tempfile.TemporaryDirectory(prefix="harness-", ignore_cleanup_errors=True) as profile:
        command = [str(executable), "--headless", "--disable-gpu", "--no-first-run", f"--user-data-dir={profile}"]
        try:
            answer = subprocess.run(
                [*command, "--dump-dom", "about:blank"],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=_ANSWER_SECONDS,
                check=True,
            )
        except (OSError, subprocess.SubprocessError):
            return False
    return b"<html" in answer.stdout
