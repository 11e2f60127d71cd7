"""Text that others gave: fit to be shown on a page, in a file and in a terminal."""

from __future__ import annotations

from typing import Final

# Emoji, Persian and Indian scripts are spelt with them.
NON_JOINER: Final = "\u200c"
JOINER: Final = "\u200d"
JOINERS: Final = frozenset({JOINER, NON_JOINER})
_UNKNOWN: Final = "\ufffd"


def printable(text: str) -> str:
    """Return text with a mark for each control, escape or invisible character, which could do something, or hide it."""
    if text.isprintable():
        return text
    return "".join(sign if sign.isprintable() or sign in JOINERS else _UNKNOWN for sign in text)
