"""Turn the paths that a user specified into the sources of one call: files, playlists, and folders with either."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from harness.errors import ConfigError
from harness.recording.files.names import manifest_of
from harness.recording.recording import check_file
from harness.verification.playlists.dash import read_dash
from harness.verification.playlists.folder import FolderContents, natural
from harness.verification.playlists.hls import read_hls
from harness.verification.sources import Source
from harness.verification.values.findings import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harness.verification.playlists.rendition import PlaylistContent

# The suffixes of playlists, and the functions that read them.
_READERS: Final = {".m3u8": read_hls, ".mpd": read_dash}
_NUMBERS: Final = re.compile(r"\d+")
# Maximum number of sources, because each of them is kept in memory until the last one has been read.
_MOST_SOURCES: Final = 200


def call_sources(paths: Sequence[Path]) -> tuple[tuple[Source, ...], tuple[tuple[Path, Finding], ...]]:
    """Return the sources of a call in the order of ``paths``, and findings about playlists with the playlists' paths.

    If the names of the paths differ only by numbers, for example call-2 and call-10, the numbers determine the order.

    Raises ConfigError if a path does not exist, contains no media, or is a playlist that can't be used.
    """
    if not paths:
        message = "No files were given; give the files, playlists or folders of one call."
        raise ConfigError(message)
    sources: list[Source] = []
    notes: list[tuple[Path, Finding]] = []
    if len({_NUMBERS.sub("#", path.name) for path in paths}) == 1:
        paths = sorted(paths, key=natural)
    names = _names(paths)
    for path, name in zip(paths, names, strict=True):
        for content in _contents(path):
            if isinstance(content, Path):
                shown = name if content == path else f"{name}/{content.name}"
                sources.append(Source(path=content, name=shown, manifest_path=manifest_of(content)))
                continue
            shown = name if content.path == path else f"{name}/{content.path.name}"
            sources += content.sources(len(sources), shown)
            notes += ((content.path, note.model_copy(update={"file": shown})) for note in content.notes)
    _check_distinct(sources)
    if len(sources) > _MOST_SOURCES:
        message = f"The files contain {len(sources)} recordings; at most {_MOST_SOURCES} can be verified as one call."
        raise ConfigError(message)
    return tuple(sources), tuple(notes)


def _contents(path: Path) -> Iterator[Path | PlaylistContent]:
    """Yield the media files and the playlists at a path."""
    # Path.is_dir raises an error if the name is too long.
    if not os.path.isdir(path):  # noqa: PTH112
        check_file(path)
        read = _READERS.get(path.suffix.lower())
        yield read(path) if read else path
        return
    folder = FolderContents(path)
    if playlist := folder.playlist():
        yield _with_unlisted(_READERS[playlist.suffix.lower()](playlist), folder)
        return
    segments, recordings = folder.segments(), folder.recordings()
    if segments is None and not recordings:
        message = f"{path} contains neither a playlist nor media files."
        raise ConfigError(message)
    if segments:
        yield segments
    yield from recordings


def _with_unlisted(content: PlaylistContent, folder: FolderContents) -> PlaylistContent:
    """Return the content of a folder's playlist, with a finding if the folder contains other recordings."""
    listed = [piece.path for source in content.sources(0, "") for piece in source.pieces]
    others = folder.unlisted(listed)
    if not others:
        return content
    number = "another recording" if len(others) == 1 else f"{len(others)} other recordings"
    text = f"The folder also contains {number} that the playlist does not list and that was not examined."
    note = Finding(check="container", result="unverified", message=text)
    return replace(content, notes=(*content.notes, note))


def _names(paths: Sequence[Path]) -> list[str]:
    """Return a name for each path: its file name, or more of its path if several files have the same name."""
    names = [path.name or str(path) for path in paths]
    if len(set(names)) == len(names):
        return names
    common = os.path.commonpath([path.parent for path in paths])
    return [os.path.relpath(path, common) for path in paths]


def _check_distinct(sources: Sequence[Source]) -> None:
    seen: set[tuple[Path, str]] = set()
    for one in sources:
        key = (one.path.resolve(), one.name if one.pieces else "")
        if key in seen:
            message = f"{one.path} was given twice; give each file of the call once."
            raise ConfigError(message)
        seen.add(key)
