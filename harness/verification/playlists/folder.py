"""Find the playlist or the media in a folder; without a playlist, numbered segments are combined by their names."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from harness.errors import ConfigError
from harness.recording.files.safe_reads import read_whole
from harness.verification.playlists.hls import is_master
from harness.verification.playlists.rendition import (
    LARGEST_PLAYLIST,
    Entry,
    PlaylistContent,
    Rendition,
    check_count,
)
from harness.verification.sources import Piece
from harness.verification.values.findings import Finding

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

_PLAYLISTS: Final = frozenset({".m3u8", ".mpd"})
_SEGMENTS: Final = frozenset({".m4s", ".ts", ".mp4", ".webm", ".m4v", ".m4a", ".cmfv", ".cmfa"})
MEDIA: Final = frozenset(
    {".webm", ".mkv", ".mka", ".mp4", ".m4v", ".m4a", ".mov", ".ts", ".mts", ".ogg", ".opus", ".oga", ".ogv", ".wav"}
    | {".flac", ".mp3", ".aac", ".avi", ".flv", ".ivf", ".aiff", ".aif"}
)
_NUMBER: Final = re.compile(r"(\d+)(?!.*\d)")
_WORDS: Final = re.compile(r"[a-z]+\d*|\d+")
_GENERIC: Final = frozenset({"init", "header", "chunk", "seg", "segment", "media"})
_HEAD: Final = 16
_EBML: Final = b"\x1a\x45\xdf\xa3"
_CLUSTER: Final = b"\x1f\x43\xb6\x75"
# The first byte of every packet of a transport stream.
_TRANSPORT_STREAM: Final = b"\x47"
_MOST_FILES: Final = 200_000
# Maximum number of files or segments that a message names.
_NAMED: Final = 5


class FolderContents:
    """The playlists, segments and recordings in a folder. Symbolic links and hidden files are ignored."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files = _files(folder)

    def playlist(self) -> Path | None:
        """Return the folder's playlist, or None if it has none. Of several HLS playlists, the master is chosen.

        Raises ConfigError if it is unclear which of several playlists to use.
        """
        found = [path for path in self._files if path.suffix.lower() in _PLAYLISTS]
        hls = [path for path in found if path.suffix.lower() == ".m3u8"]
        if len(found) > 1 and len(hls) == len(found):
            masters = [path for path in hls if is_master(path)]
            found = masters if len(masters) == 1 else found
        if len(found) > 1:
            names = ", ".join(path.name for path in found[:_NAMED])
            message = f"{self._folder} contains several playlists ({names}); give one of them instead of the folder."
            raise ConfigError(message)
        return found[0] if found else None

    def recordings(self) -> list[Path]:
        """Return the files that contain whole recordings, in the natural order of their names."""
        segments = {one for _, files in self._groups for one in files} | set(self._initializations)
        return [path for path in self._files if path.suffix.lower() in MEDIA and path not in segments]

    def unlisted(self, listed: Iterable[Path]) -> list[Path]:
        """Return the recordings that are neither ``listed`` nor mentioned in any of the folder's playlists."""
        known = set(listed)
        others = [path for path in self.recordings() if path.resolve() not in known]
        if not others:
            return []
        playlists = [path for path in self._files if path.suffix.lower() in _PLAYLISTS]
        texts = [read_whole(path, "a playlist", LARGEST_PLAYLIST) for path in playlists]
        return [path for path in others if not any(os.fsencode(path.name) in text for text in texts)]

    def segments(self) -> PlaylistContent | None:
        """Return the numbered segments as if a playlist listed them, or None if there are none.

        The durations of the segments are unknown. Raises ConfigError if it is unclear which initialization segment
        belongs to which segments.
        """
        notes: list[Finding] = []
        renditions = []
        for label, files in self._groups:
            check_count(len(files), self._folder)
            shown = label if len(self._groups) > 1 else ""
            renditions.append(Rendition(shown, tuple(_entries(files, self._initialization(label, files[0])))))
            if missing := _missing_numbers(files):
                text = f"The segments with these numbers do not exist: {missing}."
                notes.append(Finding(check="gap", result="failed", message=text))
        if not renditions:
            return None
        text = (
            "There is no playlist, so the segments were combined by their names, and segments at the end may be "
            "missing. Give the playlist."
        )
        notes.append(Finding(check="complete", result="unverified", message=text))
        return PlaylistContent(self._folder, tuple(renditions), tuple(notes))

    @cached_property
    def _groups(self) -> list[tuple[str, list[Path]]]:
        """The common part of the names, and the files, of each group of segments."""
        groups: defaultdict[tuple[str, str], list[Path]] = defaultdict(list)
        for path in self._files:
            if path.suffix.lower() in _SEGMENTS and (number := _NUMBER.search(path.stem)) and _is_segment(path):
                groups[path.stem[: number.start()].rstrip("-_. "), path.suffix].append(path)
        return [(label, files) for (label, _), files in groups.items()]

    @cached_property
    def _initializations(self) -> list[Path]:
        return [path for path in self._files if path.suffix.lower() in _SEGMENTS and _is_initialization(path)]

    def _initialization(self, label: str, segment: Path) -> Path | None:
        """Return the initialization segment of a group of segments, or None if the segments need none."""
        if _head(segment)[:1] == _TRANSPORT_STREAM:
            return None
        if len(self._initializations) == 1 and len(self._groups) == 1:
            return self._initializations[0]
        words = _words(label)
        matching = [one for one in self._initializations if _words(one.stem) == words]
        if len(matching) != 1:
            message = (
                f"{self._folder} contains segments ({segment.name}), but it is unclear which initialization segment "
                "belongs to them. Give the playlist."
            )
            raise ConfigError(message)
        return matching[0]


def is_folder_of_a_call(path: Path) -> bool:
    """Return whether a path is a folder with a playlist or media files."""
    # Path.is_dir raises an error if the name is too long.
    if not os.path.isdir(path):  # noqa: PTH112
        return False
    try:
        return any(one.suffix.lower() in _PLAYLISTS | _SEGMENTS | MEDIA for one in path.iterdir())
    except OSError:
        return False


def _files(folder: Path) -> list[Path]:
    """Return a folder's regular files in the natural order of their names."""
    found = []
    for path in _content(folder):
        if not path.is_symlink() and path.is_file() and not path.name.startswith("."):
            found.append(path)
        if len(found) > _MOST_FILES:
            message = f"{folder} contains more than {_MOST_FILES} files; give the files or the playlist of one call."
            raise ConfigError(message)
    return sorted(found, key=natural)


def _content(folder: Path) -> Iterator[Path]:
    try:
        yield from folder.iterdir()
    except OSError as error:
        message = f"{folder} can't be read: {error.strerror}."
        raise ConfigError(message) from error


def _entries(files: Sequence[Path], initialization: Path | None) -> Iterator[Entry]:
    first = Piece(initialization) if initialization else None
    for path in files:
        yield Entry(name=path.name, at=0.0, duration=0.0, piece=Piece(path), initialization=first)


def natural(path: Path) -> list[tuple[int, int, str]]:
    """Return a sort key that sorts the numbers in names by their value: call-2 comes before call-10."""
    parts = re.split(r"(\d+)", path.name)
    return [(1, int(part[:300]), part) if part.isdecimal() else (0, 0, part) for part in parts]


def _words(name: str) -> set[str]:
    return set(_WORDS.findall(name.lower())) - _GENERIC


def _missing_numbers(files: Sequence[Path]) -> str:
    """Return the numbers that are missing, or an empty string if none is missing or if the names contain times."""
    numbers = [int(found[1]) for path in files if (found := _NUMBER.search(path.stem))]
    steps = [after - before for before, after in pairwise(numbers)]
    if sum(step == 1 for step in steps) * 2 < len(steps):
        return ""
    missing = [
        f"{before + 1}" if after - before == 2 else f"{before + 1} to {after - 1}"  # noqa: PLR2004
        for before, after in pairwise(numbers)
        if after - before > 1
    ]
    more = f" and {len(missing) - _NAMED} more" if len(missing) > _NAMED else ""
    return ", ".join(missing[:_NAMED]) + more


def _is_segment(path: Path) -> bool:
    """Return whether a file continues a recording: it begins with media, not with the header of a file."""
    head = _head(path)
    return (
        head[4:8] in {b"styp", b"moof", b"sidx", b"prft", b"emsg"}
        or head[:4] == _CLUSTER
        or head[:1] == _TRANSPORT_STREAM
    )


def _is_initialization(path: Path) -> bool:
    """Return whether a file has the header of a recording but no media."""
    head = _head(path)
    if head[:4] == _EBML:
        return "init" in path.stem.lower()
    if head[4:8] != b"ftyp":
        return False
    kinds = _box_kinds(path)
    return b"moov" in kinds and not kinds & {b"moof", b"mdat"}


def _box_kinds(path: Path) -> set[bytes]:
    kinds: set[bytes] = set()
    with path.open("rb") as file:
        at = 0
        for _ in range(_HEAD):
            file.seek(at)
            header = file.read(8)
            if len(header) < 8:  # noqa: PLR2004 (the size of a box's header)
                break
            kinds.add(header[4:])
            length = int.from_bytes(header[:4])
            if length < 8:  # noqa: PLR2004 (the box extends to the end of the file, or its size has 64 bits)
                break
            at += length
    return kinds


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_HEAD)
