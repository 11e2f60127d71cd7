"""Make text from untrusted sources safe to show on a page, in a file and in a terminal."""

from __future__ import annotations

import json
import re
from typing import Final

# Emoji, Persian and Indic scripts require these invisible joiners.
NON_JOINER: Final = "\u200c"
JOINER: Final = "\u200d"
JOINERS: Final = frozenset({JOINER, NON_JOINER})
_UNKNOWN: Final = "\ufffd"
_SURROGATES: Final = re.compile("[\ud800-\udfff]")
# Ranges of characters that are invisible (Unicode's Default_Ignorable_Code_Point) or blank.
_UNSEEN: Final = (
    *((0xAD, 0xAD), (0x34F, 0x34F), (0x61C, 0x61C), (0x115F, 0x1160), (0x17B4, 0x17B5), (0x180B, 0x180F)),
    *((0x200B, 0x200F), (0x202A, 0x202E), (0x2060, 0x206F), (0x2800, 0x2800), (0x3164, 0x3164), (0xFE00, 0xFE0F)),
    *((0xFEFF, 0xFEFF), (0xFFA0, 0xFFA0), (0xE0000, 0xE0FFF)),
)


def visible(text: str) -> str:
    """Remove invisible characters, because names that differ only in such characters look the same."""
    return "".join(sign for sign in text if not any(first <= ord(sign) <= last for first, last in _UNSEEN)).strip()


def printable(text: str) -> str:
    """Return text with all control, escape and invisible characters replaced, since a terminal could act on them."""
    if text.isprintable():
        return text
    return "".join(sign if sign.isprintable() or sign in JOINERS else _UNKNOWN for sign in text)


def encodable(text: str) -> str:
    """Return text that can be encoded in UTF-8, since text from a page can contain unpaired surrogates."""
    return _SURROGATES.sub(_UNKNOWN, text)


def shown(text: str) -> str:
    """Make a message safe to print in a terminal, but keep its line breaks and tabs."""
    return "".join(part if part in "\n\t" else printable(part) for part in re.split("([\n\t])", text))


def json_text(value: object, *, indent: int | None = None, ascii_only: bool = False) -> str:
    """Format a value as JSON, and escape characters that a terminal could act on or that can't be encoded.

    If ``ascii_only`` is true, all characters outside ASCII are escaped, for encodings that lack some characters.
    """
    lines = json.dumps(value, indent=indent, ensure_ascii=ascii_only, allow_nan=False).split("\n")
    return "\n".join(line if line.isprintable() else _escaped(line) for line in lines)


def _escaped(line: str) -> str:
    """Return a line of JSON with its unprintable characters replaced by JSON escape sequences."""
    return "".join(sign if printable(sign) == sign else json.dumps(sign)[1:-1] for sign in line)
