"""Derive the names of a recording's files."""

from __future__ import annotations

import os
import re
import sys
import unicodedata
from datetime import UTC, datetime
from itertools import count
from typing import TYPE_CHECKING, Final

from harness.errors import SetupError
from harness.recording.files.text import JOINER, JOINERS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SUFFIX: Final = ".webm"
# Transcription tools write NAME.json next to a video, so manifests use a different suffix.
MANIFEST_SUFFIX: Final = ".manifest.json"
STATISTICS_SUFFIX: Final = ".stats.jsonl"
FALLBACK: Final = "recording"
# A file name can have at most 255 bytes; the remaining bytes are reserved for a number and a suffix.
_LONGEST: Final = 200
# Only this many characters of a name are processed, because normalizing and trimming take more than linear time.
_LOOKED_AT: Final = 4_000
# Chrome fact 21: a download's suggested name is not fully sanitized, so it is never used.
_SEPARATORS_AND_WILDCARDS: Final = frozenset('/\\:*?"<>|')
# Control characters, invisible formatting (which can disguise a name), lone surrogates and line breaks.
_UNFIT_CATEGORIES: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_WINDOWS_DEVICES: Final = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³])\s*(\.|$)", re.IGNORECASE)


def manifest_of(path: Path) -> Path:
    """Return the path of the manifest of the recording at ``path``; conversions share the recording's manifest."""
    return path.with_name(f"{path.stem}{MANIFEST_SUFFIX}")


def recording_of(manifest: Path) -> Path:
    """Return the path of the recording whose manifest is at ``manifest``."""
    return manifest.with_name(f"{manifest.name.removesuffix(MANIFEST_SUFFIX)}{SUFFIX}")


def statistics_of(path: Path) -> Path:
    """Return the path of a recording's WebRTC statistics, a file with one line of JSON per measurement."""
    return path.with_name(f"{path.stem}{STATISTICS_SUFFIX}")


def safe_stem(name: str) -> str:
    """Turn ``name`` into a file name that has no suffix and is safe on every system.

    Characters that are forbidden in file names, or that the locale's encoding lacks, become ``_``. Leading dots and
    dashes, trailing dots and spaces, and ``.webm`` (which is appended later) are removed. A result that is longer than
    200 bytes in UTF-8 is shortened without splitting a character. If no characters are left, the file name is
    ``recording``. A name that is already safe is not changed.
    """
    composed = unicodedata.normalize("NFC", name.strip()[:_LOOKED_AT]).strip()
    fit = "".join("_" if _is_unfit(character) else character for character in composed)
    stem = _trimmed(_cut(_trimmed(fit)))
    if _WINDOWS_DEVICES.match(stem):
        stem = _trimmed(_cut(f"_{stem}"))
    return stem or FALLBACK


def default_stem(participant: str) -> str:
    """Return a recording's default name, which consists of the participant's name and the current time."""
    return safe_stem(f"{participant} {datetime.now(tz=UTC).astimezone():%Y-%m-%d %H.%M.%S}")


def reserve(folder: Path, stem: str) -> Path:
    """Create an empty recording in ``folder`` under the first free name, and return its absolute path.

    The name is the stem, or ``stem-2``, ``stem-3`` and so on. A name is free if no recording, manifest or statistics
    file uses it. The name of a dangling symbolic link is not free either. If the folder does not exist, it is created.
    Nothing is overwritten, even if other processes reserve names in the folder at the same time.

    Raises SetupError if no file can be created in the folder.
    """
    stem = safe_stem(stem)
    folder = folder.absolute()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        paths = (folder / f"{name}{SUFFIX}" for name in numbered(stem))
        return next(path for path in paths if not _has_companion(path) and _create(path))
    except OSError as error:
        message = (
            f"Recordings can't be stored in {folder}: {error.strerror}. Free some space, or use another folder "
            "(--recordings)."
        )
        raise SetupError(message) from error


def numbered(stem: str) -> Iterator[str]:
    """Yield the names to try: the stem, then ``stem-2``, ``stem-3`` and so on."""
    yield stem
    yield from (f"{stem}-{number}" for number in count(2))


def _has_companion(path: Path) -> bool:
    """Return whether a manifest or a statistics file with this name exists."""
    return any(os.path.lexists(companion(path)) for companion in (manifest_of, statistics_of))


def _create(path: Path) -> bool:
    """Create an empty file; return False if the name is already in use."""
    try:
        # O_EXCL never follows a link, not even a dangling one.
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644))
    except FileExistsError:
        return False
    return True


def _is_unfit(character: str) -> bool:
    if not _is_encodable(character):
        return True
    if character in JOINERS:
        return False
    return character in _SEPARATORS_AND_WILDCARDS or unicodedata.category(character) in _UNFIT_CATEGORIES


def _is_encodable(character: str) -> bool:
    """Return whether file names can contain a character, which depends on the locale."""
    try:
        character.encode(sys.getfilesystemencoding())
    except UnicodeEncodeError:
        return False
    return True


def _trimmed(stem: str) -> str:
    """Remove trailing dots and spaces, and leading characters that would hide the file or look like an option."""
    before = None
    while stem != before:
        before = stem
        if stem.lower().endswith(SUFFIX):
            stem = stem[: -len(SUFFIX)]
        stem = stem.strip().lstrip(".-").rstrip(".")
    return stem


def _cut(stem: str) -> str:
    """Shorten the stem without splitting joined emoji or separating combining marks from base characters."""
    short = stem.encode()[:_LONGEST].decode(errors="ignore")
    end = len(short)
    if end == len(stem):
        return stem
    while end and (_belongs_to_the_character_before(stem[end]) or stem[end - 1] == JOINER):
        end -= 1
    # If nothing is left, the stem consists only of combining marks, so it can be cut anywhere.
    return stem[:end] or short


def _belongs_to_the_character_before(character: str) -> bool:
    is_mark = unicodedata.category(character).startswith("M")
    is_skin_tone = "\U0001f3fb" <= character <= "\U0001f3ff"
    return is_mark or is_skin_tone or character == JOINER
