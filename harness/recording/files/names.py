"""File names: the one place where they are derived."""

from __future__ import annotations

import os
import re
import unicodedata
from itertools import count
from typing import TYPE_CHECKING, Final

from harness.errors import SetupError
from harness.recording.files.text import JOINER, JOINERS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SUFFIX: Final = ".webm"
# Transcribers write NAME.json next to a video, so a manifest has a suffix of its own.
MANIFEST_SUFFIX: Final = ".manifest.json"
STATISTICS_SUFFIX: Final = ".stats.jsonl"
FALLBACK: Final = "recording"
# A file name has 255 bytes; what is left over holds a number and a suffix.
_LONGEST: Final = 200
# So many characters are looked at; more only cost time, as composing and trimming take more than their share of it.
_LOOKED_AT: Final = 4_000
# Chrome fact 21: the name that a download suggests is only half safe, so ours never comes from there.
_SEPARATORS_AND_WILDCARDS: Final = frozenset('/\\:*?"<>|')
# Controls, invisible formatting (which can reverse a name to look like another), lone surrogates, line breaks.
_UNFIT_CATEGORIES: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_WINDOWS_DEVICES: Final = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³])\s*(\.|$)", re.IGNORECASE)


def manifest_of(path: Path) -> Path:
    """Return the path of the manifest of the recording at ``path``; a conversion has the recording's manifest."""
    return path.with_name(f"{path.stem}{MANIFEST_SUFFIX}")


def recording_of(manifest: Path) -> Path:
    """Return the path of the recording whose manifest is at ``manifest``."""
    return manifest.with_name(f"{manifest.name.removesuffix(MANIFEST_SUFFIX)}{SUFFIX}")


def statistics_of(path: Path) -> Path:
    """Return the path of the WebRTC statistics of the recording at ``path``: one line of JSON per measurement."""
    return path.with_name(f"{path.stem}{STATISTICS_SUFFIX}")


def safe_stem(name: str) -> str:
    """Return ``name`` as a file name without its suffix, safe on every system and otherwise as given.

    What no file name may hold becomes ``_``; dots and dashes in front, dots and spaces behind, and a ``.webm`` that
    will come back anyway go; at most 200 bytes of UTF-8 remain, cut between characters. A name of which nothing is
    left becomes ``recording``. A safe name stays as it is.
    """
    composed = unicodedata.normalize("NFC", name.strip()[:_LOOKED_AT]).strip()
    fit = "".join("_" if _is_unfit(character) else character for character in composed)
    stem = _trimmed(_cut(_trimmed(fit)))
    if _WINDOWS_DEVICES.match(stem):
        stem = _trimmed(_cut(f"_{stem}"))
    return stem or FALLBACK


def reserve(folder: Path, stem: str) -> Path:
    """Create an empty recording in ``folder`` under the first free name, and return its absolute path.

    The name is the stem, else ``stem-2``, ``stem-3`` and so on; it is free when there is neither a recording nor a
    manifest nor statistics by it, not even as a dangling link. The folder is made where it is missing. Nothing is
    overwritten, whoever else is reserving names there.

    Raises SetupError when the folder can't be written.
    """
    stem = safe_stem(stem)
    folder = folder.absolute()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        paths = (folder / f"{name}{SUFFIX}" for name in numbered(stem))
        return next(path for path in paths if not _taken(path) and _create(path))
    except OSError as error:
        message = f"{folder} can't take recordings: {error.strerror}. Make room there, or choose another --recordings."
        raise SetupError(message) from error


def numbered(stem: str) -> Iterator[str]:
    """Yield the names to try for something: the stem, then ``stem-2``, ``stem-3`` and so on."""
    yield stem
    yield from (f"{stem}-{number}" for number in count(2))


def _taken(path: Path) -> bool:
    """Return whether what belongs to a recording lies beside where it would."""
    return any(os.path.lexists(beside(path)) for beside in (manifest_of, statistics_of))


def _create(path: Path) -> bool:
    """Create an empty file; return False when something is there by that name."""
    try:
        # O_EXCL follows no link, whether or not it leads anywhere.
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644))
    except FileExistsError:
        return False
    return True


def _is_unfit(character: str) -> bool:
    if character in JOINERS:
        return False
    return character in _SEPARATORS_AND_WILDCARDS or unicodedata.category(character) in _UNFIT_CATEGORIES


def _trimmed(stem: str) -> str:
    """Return the stem without what hides it, makes an option of it, or does not survive at its end."""
    before = None
    while stem != before:
        before = stem
        if stem.lower().endswith(SUFFIX):
            stem = stem[: -len(SUFFIX)]
        stem = stem.strip().lstrip(".-").rstrip(".")
    return stem


def _cut(stem: str) -> str:
    """Return as much of the stem as fits, without tearing marks or joined emoji from what they belong to."""
    short = stem.encode()[:_LONGEST].decode(errors="ignore")
    end = len(short)
    if end == len(stem):
        return stem
    while end and (_belongs_to_what_precedes(stem[end]) or stem[end - 1] == JOINER):
        end -= 1
    # Nothing but marks: any cut is as good.
    return stem[:end] or short


def _belongs_to_what_precedes(character: str) -> bool:
    is_mark = unicodedata.category(character).startswith("M")
    is_skin_tone = "\U0001f3fb" <= character <= "\U0001f3ff"
    return is_mark or is_skin_tone or character == JOINER
