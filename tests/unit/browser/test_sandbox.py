"""Sandbox: Chrome is launched without its sandbox only for root, or if a trial start with the sandbox failed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harness.browser.chrome import ARGUMENTS, FAKE_DEVICES, Chrome, launch_options
from harness.browser.locate import Browser, sandbox_works
from harness.errors import SetupError

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.parallel

USER = 1000
ROOT = 0


class Program:
    """A fake Chrome that responds to ``--version``, logs its command-line switches, and opens no page for Playwright.

    If ``sandbox`` is true, the fake Chrome also responds to ``--dump-dom`` with a page, like a Chrome whose sandbox
    works.
    """

    def __init__(self, folder: Path, *, sandbox: bool) -> None:
        self.path = folder / "chrome"
        self._starts = folder / "starts"
        page = "<html></html>" if sandbox else ""
        self.path.write_text(
            "#!/bin/sh\n"
            '[ "$1" = --version ] && echo "Chromium 156.0.8078.79" && exit 0\n'
            f'echo "$*" >>{self._starts}\n'
            f'case "$*" in *--dump-dom*) echo "{page}"; exit 0;; esac\n'
            "exit 1\n"
        )
        self.path.chmod(0o755)

    @property
    def starts(self) -> list[str]:
        """The command-line switches with which the fake Chrome was started each time, in order."""
        return self._starts.read_text().splitlines() if self._starts.exists() else []


def describe(start: str) -> tuple[str, bool]:
    """Return why Chrome was started ("try" or "launch"), and whether its sandbox was enabled."""
    return "try" if "--dump-dom" in start else "launch", "--no-sandbox" not in start.split()


@pytest.mark.own_thread
@pytest.mark.parametrize(
    ("user", "works", "starts"),
    [
        pytest.param(USER, True, [("launch", True), ("try", True), ("launch", True)], id="it works"),
        pytest.param(USER, False, [("launch", True), ("try", True), ("launch", False)], id="it does not start"),
        pytest.param(ROOT, True, [("launch", False)], id="root"),
    ],
)
def test_sandbox_is_only_off_for_root_and_where_it_does_not_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, user: int, starts: list[tuple[str, bool]], *, works: bool
) -> None:
    """The harness's switches are passed to Chrome at every launch.

    Playwright launches a fake Chrome that logs its switches and exits.
    """
    monkeypatch.setattr("os.geteuid", lambda: user)
    program = Program(tmp_path, sandbox=works)

    with pytest.raises(SetupError, match="failed to start"):
        Chrome(program.path).open()

    assert starts == [describe(start) for start in program.starts]
    launches = [start for start in program.starts if describe(start)[0] == "launch"]
    assert all(switch in start for switch in ARGUMENTS for start in launches)
    assert not any(switch in start for switch in FAKE_DEVICES for start in launches)


@pytest.mark.parametrize("works", [True, False])
def test_launch_options_try_the_sandbox_unless_it_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, works: bool
) -> None:
    """If the option ``sandbox`` is given, its value is used, and no browser is started to test the sandbox."""
    monkeypatch.setattr("os.geteuid", lambda: USER)
    program = Program(tmp_path, sandbox=works)
    browser = Browser(program.path, None, "156.0.8078.79", "--executable")

    given = [launch_options(browser, sandbox=on)["chromium_sandbox"] for on in (True, False)]
    starts_before = program.starts
    tried = launch_options(browser)["chromium_sandbox"]

    assert [True, False] == given
    assert [] == starts_before
    assert works == tried == sandbox_works(program.path)
    assert [("try", True)] == [describe(start) for start in program.starts]
