"""The script for attached pages contains every module that the pages need."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from harness.server.attach_script import attach_script, modules
from harness.server.web_app import web_folder

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.parallel

_LINK = re.compile(r"'harness:([^']+)'")


def test_each_module_follows_the_modules_that_it_uses() -> None:
    """The page creates the modules' URLs in this order, so each URL exists before another module uses it."""
    earlier: set[str] = set()
    for path, text in modules(web_folder() / "src"):
        assert set(_LINK.findall(text)) <= earlier, path
        earlier.add(path)

    assert "attach.js" in earlier
    # Workers and worklets are included, although no module imports them.
    assert {"mixer/video/worker.js", "mixer/audio/ring-worklet.js", "media/synthetic-worker.js"} <= earlier


def test_no_module_loads_anything_by_a_relative_address() -> None:
    """A module that was loaded from a blob URL can't load another module by a relative URL."""
    for path, text in modules(web_folder() / "src"):
        code = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
        assert not re.search(r"(\bfrom|\bimport\(?|\bURL\() *['\"`]\.", code), path


def test_specifiers_are_resolved_from_the_modules_folder(tmp_path: Path) -> None:
    """Imports, side-effect imports and workers refer to other modules by paths relative to their own folder."""
    (tmp_path / "part").mkdir()
    (tmp_path / "attach.js").write_text("import { a } from './part/a.js';\nimport './part/b.js';\n")
    (tmp_path / "part" / "a.js").write_text("export const a = new Worker(new URL('./b.js', import.meta.url));\n")
    (tmp_path / "part" / "b.js").write_text("export {};\n")

    assert modules(tmp_path) == [
        ("part/b.js", "export {};\n"),
        ("part/a.js", "export const a = new Worker(new URL('harness:part/b.js', import.meta.url));\n"),
        ("attach.js", "import { a } from 'harness:part/a.js';\nimport 'harness:part/b.js';\n"),
    ]


def test_modules_that_import_each_other_are_refused(tmp_path: Path) -> None:
    """If modules import each other, no order ensures that each URL exists before it is used."""
    (tmp_path / "attach.js").write_text("import './a.js';\n")
    (tmp_path / "a.js").write_text("import './attach.js';\n")

    with pytest.raises(ValueError, match=r"circular import: attach\.js -> a\.js -> attach\.js"):
        modules(tmp_path)


def test_script_is_ascii() -> None:
    """If a script is not ASCII, Chrome stores each character in two bytes, in every frame of the page."""
    assert attach_script({"url": "http://127.0.0.1:1"}).isascii()
