"""Tests of how Chrome handles downloads, as observed from Python."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Error

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Download, Page

pytestmark = pytest.mark.alone
CLICK = """([name, times]) => {
    for (let time = 0; time < times; time += 1) {
        const link = document.createElement("a");
        link.href = URL.createObjectURL(new Blob(["a recording"]));
        link.download = name;
        link.click();
    }
}"""


def downloaded(page: Page, name: str = "standup.webm") -> Download:
    """Make the page download a file with this name and a few bytes of content."""
    with page.expect_download() as download:
        page.evaluate(CLICK, [name, 1])
    return download.value


def test_fact_20_closing_the_context_deletes_its_downloads(page: Page, tmp_path: Path) -> None:
    """Fact 20: a download that was not saved is deleted when its browser context is closed."""
    download = downloaded(page)
    path = download.path()
    existed = path.exists()

    page.context.close()

    assert existed
    assert not path.exists()
    with pytest.raises(Error):
        download.save_as(tmp_path / "late.webm")


def test_fact_20_save_as_overwrites_silently(page: Page, tmp_path: Path) -> None:
    """Fact 20: save_as replaces an existing file without an error."""
    precious = tmp_path / "precious.webm"
    precious.write_text("an older recording")

    downloaded(page).save_as(precious)

    assert "a recording" == precious.read_text()


def test_fact_20_the_eleventh_download_within_a_second_is_dropped(page: Page) -> None:
    """Fact 20: of eleven simultaneous downloads, one is dropped without an error, but later downloads arrive."""
    names: list[str] = []
    page.on("download", lambda download: names.append(download.suggested_filename))

    page.evaluate(CLICK, ["burst.webm", 11])
    while "later.webm" not in names:
        page.evaluate(CLICK, ["later.webm", 1])
        page.wait_for_timeout(250)

    assert 10 == names.count("burst.webm")


def test_fact_21_a_suggested_name_is_not_fully_sanitized(page: Page) -> None:
    """Fact 21: in file names, _ replaces separators and control characters.

    The name CON, leading hyphens and long names are not changed.
    """
    suggested = {
        'a/b\\c:d*e?f"g<h>i|j.webm': "a_b_c_d_e_f_g_h_i_j.webm",
        "../../up.webm": "_.._up.webm",
        "line\nbreak.webm": "line_break.webm",
        "reversed\u202egpj.webm": "reversed_gpj.webm",
        "CON.webm": "CON.webm",
        "-rf.webm": "-rf.webm",
        f"{'long' * 75}.webm": f"{'long' * 75}.webm",
    }

    found = {name: downloaded(page, name).suggested_filename for name in suggested}

    assert suggested == found
