"""Read manifests, scenarios and expectations from untrusted sources, in UTF-8 or UTF-16, and limit their size."""

from __future__ import annotations

import codecs
import io
import re
import tomllib
from typing import TYPE_CHECKING, Any, Final

from harness.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

# Maximum size of files that users write, in bytes; the project's own examples are smaller than 1,000 bytes.
_LARGEST: Final = 200_000
# Some editors, especially on Windows, begin a file with a mark that identifies its encoding.
_BYTE_ORDER_MARKS: Final = {
    codecs.BOM_UTF8: "UTF-8",
    codecs.BOM_UTF16_LE: "UTF-16-LE",
    codecs.BOM_UTF16_BE: "UTF-16-BE",
}
# tomllib's running time is quadratic in the number of parts of a key, so keys with too many parts are refused.
_ENDLESS: Final = re.compile(r"""(?:(?:[\w-]++|"[^"\n]*+"|'[^'\n]*+')[ \t]*+\.[ \t]*+){64}""")


def read_whole(path: Path, what: str, most: int) -> bytes:
    """Return the content of a file; raises ConfigError if it can't be read or is larger than ``most`` bytes."""
    try:
        if path.exists() and not path.is_file():
            message = f"{path} is not a regular file."
            raise ConfigError(message)
        if (size := path.stat().st_size) > most:
            message = f"{path} is too large for {what} ({size} bytes)."
            raise ConfigError(message)
        return path.read_bytes()
    except OSError as error:
        message = f"{path} can't be read: {error.strerror}."
        raise ConfigError(message) from error


def read_text(path: Path, what: str, most: int = _LARGEST) -> str:
    """Return the text of a file, with all line endings replaced by line feeds.

    Raises ConfigError in the same cases as read_whole and decode_text, or if the text contains a null character.
    """
    text = _with_line_feeds(decode_text(read_whole(path, what, most), path))
    if "\0" in text:
        message = (
            f"{path}:{_line_after(text.partition(chr(0))[0])} contains a null character. If the file is UTF-16, save "
            "it with a byte order mark, or as UTF-8."
        )
        raise ConfigError(message)
    return text


def decode_text(content: bytes, path: Path) -> str:
    """Decode the content of the file at ``path``: UTF-8, or UTF-16 if the content begins with a byte order mark.

    The byte order mark is removed. Raises ConfigError with the number of the first line that is not valid.
    """
    mark = next((mark for mark in _BYTE_ORDER_MARKS if content.startswith(mark)), b"")
    encoding = _BYTE_ORDER_MARKS.get(mark, "UTF-8")
    content = content[len(mark) :]
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        before = _with_line_feeds(content[: error.start].decode(encoding))
        message = (
            f"{path}:{_line_after(before)} is not valid {encoding} (byte 0x{content[error.start]:02x}: "
            f"{error.reason}). Save the file as UTF-8."
        )
        raise ConfigError(message) from error


def _with_line_feeds(text: str) -> str:
    """Return the text with all line endings replaced by line feeds, because editors use different line endings."""
    return io.StringIO(text, newline=None).read()


def _line_after(before: str) -> int:
    """Return the number of the line at which the text ``before`` ends, counted from 1."""
    return before.count("\n") + 1


def parse_toml(text: str) -> dict[str, Any]:
    """Parse TOML; raises ValueError or RecursionError if the text is invalid."""
    if endless := _ENDLESS.search(text):
        message = f"a key has too many parts (at line {_line_after(text[: endless.start()])})"
        raise ValueError(message)
    return tomllib.loads(text)
