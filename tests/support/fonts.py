"""Fontconfig files with which new browsers find only some of this machine's fonts."""

from __future__ import annotations

from pathlib import Path

FONTS = Path("/usr/share/fonts")
# These fonts contain Latin, Greek and Cyrillic letters.
LIBERATION = FONTS / "truetype/liberation"


def write_font_configuration(path: Path, *folders: Path) -> None:
    """Write a fontconfig file that lists only the fonts in the given folders."""
    listed = "".join(f"<dir>{folder}</dir>" for folder in folders)
    cache = f"<cachedir>{path.parent / 'font-cache'}</cachedir>"
    path.write_text(
        '<?xml version="1.0"?>\n<!DOCTYPE fontconfig SYSTEM "urn:fontconfig:fonts.dtd">\n'
        f"<fontconfig>{listed}{cache}</fontconfig>\n"
    )
