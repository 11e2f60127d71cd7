"""Find out which characters the fonts on a browser's machine can't draw, and which packages contain fonts for them."""

from __future__ import annotations

import contextlib
import re
import unicodedata
from typing import TYPE_CHECKING, Final

from playwright.sync_api import Error as PlaywrightError

from harness.recording.files.text import visible

if TYPE_CHECKING:
    from collections.abc import Iterable

    from playwright.sync_api import Page

CJK_PACKAGE: Final = "fonts-noto-cjk"
# For each script: characters that show whether the installed fonts cover it, and the Debian package with a font for it.
_SCRIPTS: Final = {
    "Arabic": ("\N{ARABIC LETTER BEH}\N{ARABIC LETTER YEH}", "fonts-noto-core"),
    # Japanese fonts contain only the traditional one of these two characters.
    "Chinese": ("们們", CJK_PACKAGE),
    "Japanese": ("のカ働", CJK_PACKAGE),
    "Korean": ("한글", CJK_PACKAGE),
    # Some text fonts contain only the first one of these emoji.
    "emoji": ("😀👍🎉🚀", "fonts-noto-color-emoji"),
}
REMEDY: Final = (
    "run 'harness browser install' as root on Debian or Ubuntu, or install any fonts with these characters, for "
    "example Debian's packages fonts-noto-core (Arabic), fonts-noto-cjk (Chinese, Japanese, Korean) and "
    "fonts-noto-color-emoji"
)
# Every common font contains the Latin letters of the European languages.
_LATIN: Final = re.compile(r"[\x00-\u017f]")
# The categories of spaces and other invisible characters, and of marks, which are only drawn together with a letter.
_WITHOUT_GLYPH: Final = frozenset({"Cc", "Cf", "Cs", "Zs", "Zl", "Zp", "Mn", "Mc", "Me"})
# If no font contains a character, Chrome draws the first font's glyph for missing characters, which is usually a box.
# No font contains the noncharacters U+FFFF and U+10FFFF or the unassigned U+0378, so they are drawn with that glyph. A
# character is also missing if it is as blank as a space. The font families are those of the labels in a
# recording (web/src/mixer/video/placeholders.js).
_FIND_MISSING: Final = """(characters) => {
    const [width, height, size] = [128, 96, 32];
    const context = new OffscreenCanvas(width, height).getContext('2d', { willReadFrequently: true });
    context.font = `500 ${size}px system-ui, sans-serif`;
    const draw = (character) => {
        context.clearRect(0, 0, width, height);
        context.fillText(character, size, 2 * size);
        return context.getImageData(0, 0, width, height).data.join();
    };
    const missing = new Set([' ', '\\uffff', '\\u{10ffff}', '\\u0378'].map(draw));
    return characters.filter((character) => missing.has(draw(character)));
}"""


def missing_scripts(page: Page) -> tuple[str, ...]:
    """Return which of "Arabic", "Chinese", "Japanese", "Korean" and "emoji" the installed fonts can't draw.

    ``page`` is any page of the browser, for example an empty one.
    """
    missing = _missing_characters(page, "".join(sample for sample, _ in _SCRIPTS.values()))
    return tuple(script for script, (sample, _) in _SCRIPTS.items() if not missing.isdisjoint(sample))


def packages_for(scripts: Iterable[str]) -> list[str]:
    """Return the names of the Debian packages with fonts for the given scripts, which ``missing_scripts`` returned."""
    return list(dict.fromkeys(_SCRIPTS[script][1] for script in scripts))


def undrawable(page: Page, names: Iterable[str]) -> tuple[str, ...]:
    """Return the names that contain a character that the installed fonts can't draw, without duplicates.

    The page is used only if a name contains characters other than Latin letters. If the page does not respond, for
    example because it crashed, the result is empty.
    """
    examined = {
        name: {
            character
            for character in visible(name)
            if not _LATIN.match(character) and unicodedata.category(character) not in _WITHOUT_GLYPH
        }
        for name in names
    }
    characters = set[str]().union(*examined.values())
    missing: set[str] = set()
    if characters:
        with contextlib.suppress(PlaywrightError):
            missing = _missing_characters(page, characters)
    return tuple(name for name, used in examined.items() if not missing.isdisjoint(used))


def _missing_characters(page: Page, characters: Iterable[str]) -> set[str]:
    return set(page.evaluate(_FIND_MISSING, list(characters)))
