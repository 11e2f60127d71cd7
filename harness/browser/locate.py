"""Find a Chrome that can be used for recording, prepare its environment, and test whether its sandbox works."""

from __future__ import annotations

import atexit
import functools
import logging
import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from harness.browser.version import ask_version
from harness.errors import SetupError
from harness.recording.files.disk import temporary_folder, temporary_problem

if TYPE_CHECKING:
    from collections.abc import Iterator

_log = logging.getLogger(__name__)

_CHANNELS: Final = {
    "chrome": ("/opt/google/chrome/chrome", "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"),
    "msedge": ("/opt/microsoft/msedge/msedge", "/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge"),
}
_ON_PATH: Final = ("chromium", "chromium-browser", "google-chrome")
OR_NAME_ONE: Final = "or select an installed Chrome or Chromium with --executable PATH or CHROME_PATH"
_SANDBOX_SECONDS: Final = 20
# The variables for the folders in which Chrome stores its own files, for example crash reports, and the folders in HOME
# that Chrome uses if a variable is not set.
_OWN_FOLDERS: Final = {"XDG_CONFIG_HOME": ".config", "XDG_CACHE_HOME": ".cache"}


@dataclass(frozen=True)
class Browser:
    """A browser that starts and reports its version.

    ``channel`` is Playwright's name for an installation that Playwright finds by itself, or None. ``version`` is, for
    example, ``156.0.8078.79``. ``how_found`` describes where the browser was found.
    """

    executable: Path
    channel: str | None
    version: str
    how_found: str


def locate(executable: str | os.PathLike[str] | None = None, *, bundled: str | None = None) -> Browser:
    """Return the browser for recording, which is the first candidate that starts.

    The candidates are tried in this order: ``executable``, the user's choice; the environment variable CHROME_PATH;
    ``bundled``, the path of Playwright's own Chromium, which might not be installed; and the usual paths of Chrome,
    Edge and Chromium. If a browser that the user chose does not start, an error is raised, and no other candidate is
    tried.

    Raises SetupError, whose message lists the paths that were tried and explains how to get a browser.
    """
    for named, how in ((executable, "--executable"), (os.environ.get("CHROME_PATH"), "CHROME_PATH")):
        if named:
            return _named(os.fspath(named), how)

    silent: list[str] = []
    for path, channel, how in _usual_places(bundled):
        version = _version(path)
        if version is not None:
            return Browser(Path(path), channel, version, how)
        silent.append(f"{path} failed to start")
    found = "; ".join(silent) or "neither Playwright's Chromium nor chrome, msedge or chromium is installed"
    message = f"No Chrome found: {found}. Install one with 'harness browser install', {OR_NAME_ONE}."
    raise SetupError(message)


def _named(name: str, how: str) -> Browser:
    path = shutil.which(name)
    if path is None:
        message = f"{how}: {name} is not an executable program; give the path to Chrome or Chromium."
        raise SetupError(message)
    version = _version(path)
    if version is None:
        message = f"{how}: {name} --version does not print Chrome's version; give the path to Chrome or Chromium."
        raise SetupError(message)
    return Browser(Path(path), None, version, how)


def _usual_places(bundled: str | None) -> Iterator[tuple[str, str | None, str]]:
    """Yield the path, channel and description of every installed browser, best first."""
    # Path.exists() would raise an error for a folder that this user can't access, for example another user's HOME.
    if bundled and os.access(bundled, os.F_OK):
        yield bundled, "chromium", "Playwright's own"
    for channel, paths in _CHANNELS.items():
        for path in paths:
            if os.access(path, os.F_OK):
                yield path, channel, f"channel {channel}"
    for name in _ON_PATH:
        path_found = shutil.which(name)
        if path_found is not None:
            yield path_found, None, f"{name} on PATH"


def _version(executable: str) -> str | None:
    """Return the program's version, or None if it is not Chrome or does not start (for example Ubuntu's snap stub)."""
    try:
        answer = ask_version(executable)
    except (OSError, subprocess.SubprocessError):
        return None
    if answer.returncode != 0:
        return None
    # A Chrome version has four numbers; a Firefox version has only two or three.
    found = re.search(r"\b\d+(?:\.\d+){3}\b", answer.stdout)
    return found.group() if found else None


def check_folders() -> None:
    """Raise SetupError if Chrome or Playwright's driver can't start because of a folder in the environment."""
    if problem := temporary_problem():
        raise SetupError(problem)
    try:
        Path.home()
    except RuntimeError as error:
        message = (
            "HOME is not set, and the current user has no entry in /etc/passwd. Set HOME to a folder, for example "
            "HOME=/tmp."
        )
        raise SetupError(message) from error


def browser_environment() -> dict[str, str] | None:
    """Return the environment for a Chrome that can't store its own files in HOME; None if no change is needed.

    If Chrome can't create its folder for crash reports, it exits immediately. HOME itself is not changed, because it
    can contain fonts and certificates.
    """
    home = Path(os.environ.get("HOME") or temporary_folder())
    folders = {variable: Path(os.environ.get(variable) or home / name) for variable, name in _OWN_FOLDERS.items()}
    unusable = {variable: folder for variable, folder in folders.items() if not _can_create(folder)}
    if not unusable:
        return None
    replacement = _replacement_folder()
    for variable, folder in unusable.items():
        _log.debug("Chrome can't write to %s, so it uses %s=%s.", folder, variable, replacement)
    return {**os.environ, **dict.fromkeys(unusable, replacement)}


def _can_create(folder: Path) -> bool:
    """Return whether files can be stored in a folder that might not exist yet."""
    existing = next(one for one in (folder.absolute(), *folder.absolute().parents) if os.access(one, os.F_OK))
    try:
        Path(tempfile.mkdtemp(prefix=".harness-", dir=existing)).rmdir()
    except OSError:
        return False
    return True


@functools.cache
def _replacement_folder() -> str:
    """Create a private folder for Chrome's own files, which is removed when this process exits."""
    folder = tempfile.mkdtemp(prefix="harness-chrome-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


@functools.cache
def sandbox_works(executable: Path) -> bool:
    """Return whether this browser can start with its sandbox enabled; the result is cached for each browser.

    Root can never use the sandbox (see Chrome fact 24 in tests/expectations). Other users can't use the sandbox if the
    kernel or the container forbids user namespaces.
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
                env=browser_environment(),
                timeout=_SANDBOX_SECONDS,
                check=True,
            )
        except (OSError, subprocess.SubprocessError):
            return False
    return b"<html" in answer.stdout
