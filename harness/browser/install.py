"""Install Chrome or Chromium, and fonts for participants' names, on this machine."""

from __future__ import annotations

import contextlib
import logging
import os
import platform
import select
import shutil
import signal
import subprocess
import sys
from typing import IO, TYPE_CHECKING, Final, cast

from playwright.sync_api import Error as PlaywrightError
from playwright.sync_api import sync_playwright

from harness.browser.chrome import gist
from harness.browser.driver import driver_problem
from harness.browser.fonts import CJK_PACKAGE, REMEDY, missing_scripts, packages_for
from harness.browser.locate import OR_NAME_ONE, Browser, locate
from harness.errors import SetupError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

# If an installer prints nothing for this many seconds, it is considered stuck.
_SILENCE_SECONDS: Final = 120
_LAST_LINES: Final = 4

_log = logging.getLogger(__name__)


def install() -> Browser:
    """Return a browser, and install it if necessary; an installed browser is returned quickly and without output.

    Installs Playwright's Chromium or, as root on Debian, the package chromium. The installers print to stderr.

    Raises SetupError if no browser can be installed; its message lists everything that was tried and explains what to
    do.
    """
    _complete_driver()
    bundled = _bundled()
    with contextlib.suppress(SetupError):
        return locate(bundled=bundled)
    tried = []
    for commands in _methods():
        # Continue after a failed step: packages can be installed even if the package lists can't be updated.
        failures = [f"{' '.join(command)}\n{reason}" for command in commands if (reason := _run(command))]
        try:
            return locate(bundled=bundled)
        except SetupError as error:
            tried += failures or [f"{' '.join(commands[-1])}\n    succeeded, but: {error}"]
    message = (
        "No Chrome found, and none could be installed. Tried:\n"
        + "\n".join(f"  {what}" for what in tried)
        + "\nInstall Google Chrome or Chromium with this machine's package manager (as root, or ask an administrator), "
        + f"{OR_NAME_ONE}."
    )
    raise SetupError(message)


def install_fonts(browser: Browser) -> None:
    """Install fonts for Arabic, Chinese, Japanese, Korean and emoji, unless other fonts can already draw them.

    This requires root and the packages of Debian or Ubuntu. Recording works without these fonts, so a failure raises no
    error; instead, a warning explains what to do. The installers print to stderr. If no fonts are missing, nothing is
    printed.
    """
    missing = _missing_scripts(browser)
    if missing and os.geteuid() == 0 and shutil.which("apt-get"):
        packages = packages_for(missing)
        size = f" ({CJK_PACKAGE} is about 60 MB)" if CJK_PACKAGE in packages else ""
        sys.stderr.write(f"Installing fonts for {', '.join(missing)}{size}.\n")
        for command in _apt_get(*packages):
            _run(command)
        missing = _missing_scripts(browser)
    if missing:
        _log.warning(
            "The installed fonts can't draw these scripts: %s. Recordings will show boxes instead of their characters. "
            "To install fonts, %s.",
            ", ".join(missing),
            REMEDY,
        )


def _missing_scripts(browser: Browser) -> tuple[str, ...]:
    """Return the scripts that a newly started browser can't draw; if it does not start, log a warning instead."""
    try:
        # The sandbox does not work for root, and the browser does not need it, because it opens only an empty page.
        with sync_playwright() as playwright, playwright.chromium.launch(executable_path=browser.executable) as chrome:
            return missing_scripts(chrome.new_page())
    except PlaywrightError as error:
        _log.warning("The fonts could not be checked: %s failed to start: %s", browser.executable, gist(error))
        return ()


def _complete_driver() -> None:
    """Install missing libraries that Playwright's driver needs, if this is Debian and the user is root.

    Raises SetupError if the driver still does not start.
    """
    problem = driver_problem()
    if problem is None:
        return
    if problem.package and os.geteuid() == 0 and shutil.which("apt-get"):
        # The package lists may be outdated or missing. Errors do not matter, as long as the driver starts afterwards.
        for command in _apt_get(problem.package):
            _run(command)
        problem = driver_problem()
    if problem is not None:
        raise SetupError(str(problem))


def _bundled() -> str:
    """Return the path of Playwright's own Chromium, whether or not it is installed."""
    with sync_playwright() as playwright:
        return playwright.chromium.executable_path


def _methods() -> Iterator[list[list[str]]]:
    """Yield the installation methods, best first, each as a list of commands."""
    playwright = [sys.executable, "-m", "playwright", "install"]
    yield [[*playwright, "--with-deps", "chromium"]]
    if os.geteuid() != 0:
        # Installing libraries requires root. If the libraries are already installed, only the browser has to be
        # installed.
        yield [[*playwright, "chromium"]]
    elif _is_debian():
        yield _apt_get("chromium", "fonts-liberation")


def _apt_get(*packages: str) -> list[list[str]]:
    """Return the commands that install Debian packages."""
    return [["apt-get", "update"], ["apt-get", "install", "-y", "--no-install-recommends", *packages]]


def _is_debian() -> bool:
    """Return whether this is Debian or a derivative, but not Ubuntu, whose chromium package only installs a snap."""
    try:
        release = platform.freedesktop_os_release()
    except OSError:
        return False
    family = {release["ID"], *release.get("ID_LIKE", "").split()}
    return "debian" in family and "ubuntu" not in family


def _run(command: Sequence[str]) -> str:
    """Run an installer with its output on stderr; return the reason if it fails, otherwise an empty string."""
    sys.stderr.write(f"$ {' '.join(command)}\n")
    try:
        # In a separate session, the installer can't prompt at the terminal, and all its processes can be terminated
        # together.
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
            start_new_session=True,
        )
    except OSError as error:
        return f"    {error}"
    with process:
        try:
            output, ended = _copy_output(process)
        finally:
            if process.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
    if ended and process.returncode == 0:
        return ""
    reason = f"exit code {process.returncode}" if ended else f"stopped after {_SILENCE_SECONDS} seconds without output"
    # Only the first line of a Node.js error is useful to the user; the rest is a stack trace.
    lines = [line for line in output.splitlines() if line.strip() and not line.lstrip().startswith("at ")]
    return "\n".join(f"    {line.strip()}" for line in [*lines[-_LAST_LINES:], f"({reason})"])


def _copy_output(process: subprocess.Popen[bytes]) -> tuple[str, bool]:
    """Copy a process's output to stderr; return the end of the output, and whether the process exited by itself."""
    output = cast("IO[bytes]", process.stdout).fileno()
    last = b""
    while select.select([output], [], [], _SILENCE_SECONDS)[0]:
        piece = os.read(output, 65_536)
        if not piece:
            process.wait()
            return last.decode(errors="replace"), True
        sys.stderr.write(piece.decode(errors="replace"))
        sys.stderr.flush()
        last = (last + piece)[-8192:]
    return last.decode(errors="replace"), False
