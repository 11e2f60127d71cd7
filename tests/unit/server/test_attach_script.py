"""The script for attached pages contains attach.js and every worker, each with all modules that it imports."""

from __future__ import annotations

import re

import pytest

from harness.server.attach_script import attach_script, modules
from harness.server.web_app import web_folder

pytestmark = pytest.mark.parallel

_LINK = re.compile(r"'harness:([^']+)'")


def test_each_script_follows_the_workers_that_it_starts() -> None:
    """The page creates the scripts' URLs in this order, so each URL exists before another script uses it."""
    earlier: set[str] = set()
    for path, text in modules(web_folder() / "src"):
        assert set(_LINK.findall(text)) <= earlier, path
        earlier.add(path)

    assert "attach.js" in earlier
    assert {"mixer/video/worker.js", "mixer/audio/ring-worklet.js", "media/synthetic-worker.js"} <= earlier


def test_no_script_loads_anything_by_a_relative_address() -> None:
    """A script that was loaded from a blob URL can't load another script by a relative URL."""
    for path, text in modules(web_folder() / "src"):
        code = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
        assert not re.search(r"(\bfrom|\bimport\(?|\bURL\() *['\"`]\.", code), path


def test_script_is_ascii() -> None:
    """If a script is not ASCII, Chrome stores each character in two bytes, in every frame of the page."""
    assert attach_script({"url": "http://127.0.0.1:1"}).isascii()
