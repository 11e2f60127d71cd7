"""Getting a Chrome onto this machine."""

from __future__ import annotations

import contextlib
import os
import platform
import select
import shutil
import signal
import subprocess
import sys
from typing import IO, TYPE_CHECKING, Final, cast

from harness.browser.driver import driver_problem
from harness.browser.locate import OR_NAME_ONE, Browser, locate
from harness.errors import SetupError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

# A download or a package manager that says nothing for this long hangs.
_SILENCE_SECONDS: Final = 120
_LAST_LINES: Final = 4


def install() -> Browser:
    """Return a browser, installing one where none is found; quick and silent where one is.

    Takes Playwright's Chromium, else, as root on Debian, the package chromium. What the installers say goes to
    stderr.

    Raises SetupError, which lists everything tried and what to do.
    """
    _complete_driver()
    bundled = _bundled()
    with contextlib.suppress(SetupError):
        return locate(bundled=bundled)
    tried = []
    for commands in _ways():
        # A step that fails does not end the way: packages can be installed although their lists can't be renewed.
        failures = [f"{' '.join(command)}\n{said}" for command in commands if (said := _run(command))]
        try:
            return locate(bundled=bundled)
        except SetupError as error:
            tried += failures or [f"{' '.join(commands[-1])}\n    succeeded, and yet: {error}"]
    message = (
        "No Chrome found, and none could be installed. Tried:\n"
        + "\n".join(f"  {what}" for what in tried)
        + "\nInstall Google Chrome or Chromium with this machine's package manager (as root, or ask whoever is), "
        + f"{OR_NAME_ONE}."
    )
    raise SetupError(message)


def _complete_driver() -> None:
    """Install what Playwright's driver lacks, as root on Debian; raises SetupError where it does not start."""
    problem = driver_problem()
    if problem is None:
        return
    if problem.package and os.geteuid() == 0 and shutil.which("apt-get"):
        # The lists of packages may be old, or not there yet; what counts is whether the driver starts.
        _run(["apt-get", "update"])
        _run(["apt-get", "install", "-y", "--no-install-recommends", problem.package])
        problem = driver_problem()
    if problem is not None:
        raise SetupError(str(problem))


def _bundled() -> str:
    """Return where Playwright keeps its own Chromium, whether or not it is there."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        return playwright.chromium.executable_path


def _ways() -> Iterator[list[list[str]]]:
    """Yield what to run, one list of commands a way, the best first."""
    playwright = [sys.executable, "-m", "playwright", "install"]
    yield [[*playwright, "--with-deps", "chromium"]]
    if os.geteuid() != 0:
        # The libraries want root; where they are there already, the browser alone will do.
        yield [[*playwright, "chromium"]]
    elif _is_debian():
        packages = ["chromium", "fonts-liberation"]
        yield [["apt-get", "update"], ["apt-get", "install", "-y", "--no-install-recommends", *packages]]


def _is_debian() -> bool:
    """Return whether this is Debian or a relative; Ubuntu is none, its package chromium is a stub for a snap."""
    try:
        release = platform.freedesktop_os_release()
    except OSError:
        return False
    family = {release["ID"], *release.get("ID_LIKE", "").split()}
    return "debian" in family and "ubuntu" not in family


def _run(command: Sequence[str]) -> str:
    """Run an installer, passing on to stderr what it says; return why it failed, or nothing."""
    sys.stderr.write(f"$ {' '.join(command)}\n")
    try:
        # A session of its own: nothing in it can ask at the terminal, and all of it ends together.
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
            said, ended = _listen(process)
        finally:
            if process.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
    if ended and process.returncode == 0:
        return ""
    reason = f"exit code {process.returncode}" if ended else f"silent for {_SILENCE_SECONDS} seconds, stopped"
    # Of Node's errors the first line speaks to people; what follows is where it came from.
    lines = [line for line in said.splitlines() if line.strip() and not line.lstrip().startswith("at ")]
    return "\n".join(f"    {line.strip()}" for line in [*lines[-_LAST_LINES:], f"({reason})"])


def _listen(process: subprocess.Popen[bytes]) -> tuple[str, bool]:
    """Return the last that the process says, and whether it came to its end before it fell silent."""
    output = cast("IO[bytes]", process.stdout).fileno()
    said = b""
    while select.select([output], [], [], _SILENCE_SECONDS)[0]:
        piece = os.read(output, 65_536)
        if not piece:
            process.wait()
            return said.decode(errors="replace"), True
        sys.stderr.write(piece.decode(errors="replace"))
        sys.stderr.flush()
        said = (said + piece)[-8192:]
    return said.decode(errors="replace"), False
