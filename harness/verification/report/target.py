"""Write a report to a file. A report may only overwrite another report of the same kind."""

from __future__ import annotations

import codecs
from typing import TYPE_CHECKING, Final

from harness.errors import ConfigError
from harness.recording.files.text import encodable

if TYPE_CHECKING:
    from pathlib import Path

PAGE: Final = b"<!doctype html"
XML: Final = b"<?xml"


def check_target(target: Path, signature: bytes) -> None:
    """Raise ConfigError if the target exists and is anything but a report of this format, for example a recording."""
    if not target.is_file():
        if target.exists() and not target.is_char_device():
            message = f"{target} exists and is not a file, so nothing can be written there. Specify another file."
            raise ConfigError(message)
        return
    with target.open("rb") as file:
        # An editor may have saved the earlier report with a byte order mark.
        start = file.read(len(codecs.BOM_UTF8) + len(signature)).removeprefix(codecs.BOM_UTF8)[: len(signature)]
    if start and start.lower() != signature:
        kind = "an HTML page" if signature == PAGE else "an XML file"
        message = f"{target} exists and is not {kind}, so it will not be overwritten. Specify another file."
        raise ConfigError(message)


def check_targets(*, html: Path | None = None, junit: Path | None = None) -> None:
    """Raise ConfigError if a report would overwrite a file of another kind.

    This function is called before any time-consuming work, so that the error is raised early.
    """
    if html and junit and html.absolute() == junit.absolute():
        message = f"{html} can't be both the HTML page and the XML file: specify another name for one of them."
        raise ConfigError(message)
    for target, signature in ((html, PAGE), (junit, XML)):
        if target:
            check_target(target, signature)


def write_report(target: Path, signature: bytes, content: str) -> None:
    """Write a report, and create its folder if necessary.

    Raises OSError if the file can't be written, and ConfigError if ``check_target`` rejects the target.
    """
    check_target(target, signature)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(encodable(content), encoding="utf-8")
