"""Tests for names that the installed fonts can't draw, in browsers that find only some of this machine's fonts."""

from __future__ import annotations

import contextlib
import os
import unicodedata
from typing import TYPE_CHECKING

import pytest

from harness import HarnessError, open_room
from harness.browser.chrome import Chrome
from harness.browser.fonts import _LATIN, REMEDY, _missing_characters, missing_scripts, undrawable
from harness.browser.install import install, install_fonts
from tests.support.fonts import FONTS, LIBERATION, write_font_configuration
from tests.support.program import run_harness

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from playwright.sync_api import Page

pytestmark = [pytest.mark.own_thread, pytest.mark.parallel]

WARNING = "The installed fonts can't draw"


@pytest.fixture
def use_fonts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Return a function that hides all fonts from new browsers, except those in the given folders.

    The function returns the path of the fontconfig file.
    """

    def use(*folders: Path) -> Path:
        for folder in folders:
            if not folder.is_dir():
                pytest.skip(f"The fonts in {folder} are not installed.")
        path = tmp_path / "fonts.conf"
        write_font_configuration(path, *folders)
        monkeypatch.setenv("FONTCONFIG_FILE", str(path))
        return path

    return use


@contextlib.contextmanager
def empty_page() -> Iterator[Page]:
    """Open an empty page in a new browser."""
    with Chrome() as chrome:
        yield chrome.new_context().new_page()


def test_liberation_fonts_lack_every_other_script(use_fonts: Callable[..., Path]) -> None:
    """The Liberation fonts contain Cyrillic letters, but no Arabic, Chinese, Japanese, Korean or emoji."""
    use_fonts(LIBERATION)

    with empty_page() as page:
        missing = missing_scripts(page)
        names = undrawable(page, ["alice", "Ольга", "王芳", "Zoë", "王芳", "علي", "🎉 party", "Ελένη"])

    assert ("Arabic", "Chinese", "Japanese", "Korean", "emoji") == missing
    assert ("王芳", "علي", "🎉 party") == names


def test_every_latin_letter_is_drawn_without_other_fonts(use_fonts: Callable[..., Path]) -> None:
    """The Liberation fonts contain all characters that are never checked in a page."""
    use_fonts(LIBERATION)
    letters = [
        character
        for character in map(chr, range(0x2000))
        if _LATIN.match(character) and unicodedata.category(character)[0] in "LNPS"
    ]

    with empty_page() as page:
        missing = _missing_characters(page, letters)

    assert len(letters) > 300
    assert set() == missing


@pytest.mark.parametrize(
    ("folder", "script", "name"),
    [
        ("truetype/freefont", "Arabic", "علي"),
        ("truetype/wqy", "Chinese", "王们"),
        ("opentype/ipafont-gothic", "Japanese", "働くサクラ"),
        ("opentype/unifont", "Korean", "김철수"),
        ("truetype/noto", "emoji", "🎉 party"),
    ],
)
def test_script_that_a_font_contains_is_not_missing(
    use_fonts: Callable[..., Path], folder: str, script: str, name: str
) -> None:
    """A script can be drawn with any font, not only with those that ``harness browser install`` installs."""
    use_fonts(LIBERATION, FONTS / folder)

    with empty_page() as page:
        missing = missing_scripts(page)
        names = undrawable(page, [name])

    assert script not in missing
    assert () == names


def test_closed_page_reports_no_names(use_fonts: Callable[..., Path]) -> None:
    """If the page is closed, it is unknown which names can be drawn, so none is reported."""
    use_fonts(LIBERATION)

    with empty_page() as page:
        page.close()
        names = undrawable(page, ["王芳"])

    assert () == names


# ---- the warning ----------------------------------------------------------------------------------------------------


def test_record_warns_once_of_all_names_that_no_font_can_draw(use_fonts: Callable[..., Path], tmp_path: Path) -> None:
    """The warning lists the names and the remedy, and the recording is made."""
    use_fonts(LIBERATION)

    ran = run_harness("record", "王芳", "alice", "李娜", "--seconds", "1", folder=tmp_path)

    (warning,) = [line for line in ran.stderr.splitlines() if WARNING in line]
    assert f"{WARNING} these names: 王芳, 李娜. The recording will show boxes" in warning
    assert REMEDY in warning
    assert 1 == len([*(tmp_path / "recordings").glob("*.webm")]), ran.stderr


def test_names_in_the_call_of_an_application_are_checked_once(
    use_fonts: Callable[..., Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The mixer in another application's page writes the names of all attached participants.

    The empty page is not in a call, so the recording does not start, but the names are checked before the start.
    """
    use_fonts(LIBERATION)

    with open_room(recordings=tmp_path / "recordings") as room:
        participants = [room.enter(name) for name in ("王芳", "alice", "李娜")]
        before = caplog.text
        for _ in range(2):
            with pytest.raises(HarnessError):
                participants[0].start_media_recording()

    assert WARNING not in before
    assert 1 == caplog.text.count(WARNING)
    assert f"{WARNING} these names: 王芳, 李娜." in caplog.text


# ---- harness browser install ----------------------------------------------------------------------------------------


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put a fake apt-get on PATH, and return the file that lists its arguments.

    If the file ``available.conf`` exists, ``apt-get install`` makes the fonts in this fontconfig file available.
    """
    log = tmp_path / "apt-get.log"
    program = tmp_path / "bin" / "apt-get"
    program.parent.mkdir()
    program.write_text(
        f'#!/bin/sh\necho "$*" >>{log}\n'
        f'[ "$1" = update ] || exec cp {tmp_path / "available.conf"} {tmp_path / "fonts.conf"}\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    return log


def test_missing_fonts_are_installed_by_root_and_a_second_run_is_silent(
    use_fonts: Callable[..., Path],
    packages: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Root on Debian gets the packages of all missing scripts; if no script is missing, nothing is run or printed."""
    with empty_page() as page:
        if missing := missing_scripts(page):
            pytest.skip(f"This machine has no fonts for {', '.join(missing)}.")
    configuration = use_fonts(LIBERATION)
    write_font_configuration(configuration.with_name("available.conf"), FONTS)
    monkeypatch.setattr("os.geteuid", lambda: 0)
    browser = install()
    caplog.clear()
    capfd.readouterr()

    install_fonts(browser)
    first = capfd.readouterr()
    install_fonts(browser)
    second = capfd.readouterr()

    assert [
        "update",
        "install -y --no-install-recommends fonts-noto-core fonts-noto-cjk fonts-noto-color-emoji",
    ] == packages.read_text().splitlines()
    assert "Installing fonts for Arabic, Chinese, Japanese, Korean, emoji (fonts-noto-cjk is about 60 MB)." in first.err
    assert ("", "") == second
    assert [] == caplog.messages


@pytest.mark.parametrize("user", [pytest.param(1000, id="a user"), pytest.param(0, id="root without a network")])
def test_fonts_that_can_not_be_installed_cause_a_warning(
    use_fonts: Callable[..., Path],
    packages: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    user: int,
) -> None:
    """Recording works without the fonts, so no error is raised; the warning lists the scripts and the remedy."""
    use_fonts(LIBERATION)
    monkeypatch.setattr("os.geteuid", lambda: user)
    browser = install()
    caplog.clear()

    install_fonts(browser)

    (warning,) = caplog.messages
    assert f"{WARNING} these scripts: Arabic, Chinese, Japanese, Korean, emoji." in warning
    assert REMEDY in warning
    assert (user == 0) == packages.exists()
