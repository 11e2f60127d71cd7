"""written: puts a report where it was asked for, in place of nothing but another page, or another XML file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from harness.errors import ConfigError
from harness.recording.files.text import encodable

if TYPE_CHECKING:
    from pathlib import Path

PAGE: Final = b"<!doctype html"
XML: Final = b"<?xml"


def check_target(target: Path, begins: bytes) -> None:
    """Raise ConfigError where a file lies that is no report, which begins so: recordings and manifests stay."""
    if not target.is_file():
        if target.exists() and not target.is_char_device():
            message = f"{target} is there already and is no file: nothing can be written there. Give another one."
            raise ConfigError(message)
        return
    with target.open("rb") as file:
        there = file.read(len(begins))
    if there and there.lower() != begins:
        kind = "page" if begins == PAGE else "XML"
        message = f"{target} is there already and is no {kind}: it is not overwritten. Give another file."
        raise ConfigError(message)


def check_targets(*, html: Path | None = None, junit: Path | None = None) -> None:
    """Raise ConfigError where reports would take another file's place: before what they tell of, which takes long."""
    if html and junit and html.absolute() == junit.absolute():
        message = f"{html} can't be the page and the XML at once: give one of them another name."
        raise ConfigError(message)
    for target, begins in ((html, PAGE), (junit, XML)):
        if target:
            check_target(target, begins)


def write_report(target: Path, begins: bytes, content: str) -> None:
    """Write a report, with the folders that it lies in; raises ConfigError as check_target does, OSError."""
    check_target(target, begins)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(encodable(content), encoding="utf-8")
