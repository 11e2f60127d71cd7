"""What others wrote, as manifests, scenarios and expectations: read to its end, which is not far."""

from __future__ import annotations

import io
import re
import tomllib
from typing import TYPE_CHECKING, Any, Final

from harness.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

# In bytes, of what people write; the largest example has two thousand.
_LARGEST: Final = 200_000
# tomllib takes the square of the time for a key of many parts; nobody writes so many.
_ENDLESS: Final = re.compile(r"""(?:(?:[\w-]++|"[^"\n]*+"|'[^'\n]*+')[ \t]*+\.[ \t]*+){64}""")


def read_whole(path: Path, what: str, most: int) -> bytes:
    """Return all of a file; raises ConfigError where it can't be read, or has more bytes than ``what`` may."""
    try:
        if path.exists() and not path.is_file():
            message = f"{path} is no file that could be read to its end."
            raise ConfigError(message)
        if (size := path.stat().st_size) > most:
            message = f"{path} is too large for {what} ({size} bytes)."
            raise ConfigError(message)
        return path.read_bytes()
    except OSError as error:
        message = f"{path} can't be read: {error.strerror}."
        raise ConfigError(message) from error


def read_text(path: Path, what: str) -> str:
    """Return what somebody wrote at ``path``; raises ConfigError as read_whole does, and where it is no text."""
    try:
        text = read_whole(path, what, _LARGEST).decode("utf-8")
    except UnicodeDecodeError as error:
        message = f"{path} is no text in UTF-8: {error}."
        raise ConfigError(message) from error
    # Lines end in whatever way their editor has.
    return io.StringIO(text, newline=None).read()


def parse_toml(text: str) -> dict[str, Any]:
    """Return what a text says in TOML; raises ValueError, RecursionError where it is none."""
    if endless := _ENDLESS.search(text):
        line = text.count("\n", 0, endless.start()) + 1
        message = f"a key of too many parts (at line {line})"
        raise ValueError(message)
    return tomllib.loads(text)
