"""Read manifests, scenarios and expectations from untrusted sources, and limit their size."""

from __future__ import annotations

import io
import re
import tomllib
from typing import TYPE_CHECKING, Any, Final

from harness.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

# Maximum size of files that users write, in bytes; the project's own examples are smaller than 1,000 bytes.
_LARGEST: Final = 200_000
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


def read_text(path: Path, what: str) -> str:
    """Return the text of a file; raises ConfigError in the same cases as read_whole, or if the text is not UTF-8."""
    try:
        text = read_whole(path, what, _LARGEST).decode("utf-8")
    except UnicodeDecodeError as error:
        message = f"{path} is not UTF-8 text: {error}."
        raise ConfigError(message) from error
    # Accept all line endings, because editors use different ones.
    return io.StringIO(text, newline=None).read()


def parse_toml(text: str) -> dict[str, Any]:
    """Parse TOML; raises ValueError or RecursionError if the text is invalid."""
    if endless := _ENDLESS.search(text):
        line = text.count("\n", 0, endless.start()) + 1
        message = f"a key has too many parts (at line {line})"
        raise ValueError(message)
    return tomllib.loads(text)
