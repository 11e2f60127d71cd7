"""Parse HLS playlists (RFC 8216): choose a variant and its audio, and list the segments of each rendition."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Final, NamedTuple

from harness.recording.files.safe_reads import read_text
from harness.verification.playlists.local_folder import LocalFolder, refusal, shortened
from harness.verification.playlists.rendition import (
    LARGEST_PLAYLIST,
    Entry,
    PlaylistContent,
    Rendition,
    check_count,
    with_others,
)
from harness.verification.sources import Piece
from harness.verification.values.findings import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FIRST_LINE: Final = "#EXTM3U"
_STREAM: Final = "#EXT-X-STREAM-INF:"
_ATTRIBUTE: Final = re.compile(r'([A-Z0-9-]+)=("[^"]*"|[^",]*)')
_VARIABLE: Final = re.compile(r"\{\$[\w-]+\}")
# Tags that change which bytes a playlist lists, and that recorders do not write.
_UNSUPPORTED: Final = {
    "#EXT-X-SKIP": "lists only the changes since an earlier version of itself",
    "#EXT-X-I-FRAMES-ONLY": "lists only keyframes",
}


class _Variant(NamedTuple):
    """A variant in a master playlist: its bandwidth in bit/s, the reference to its playlist, and its attributes."""

    bandwidth: int
    reference: str
    attributes: dict[str, str]


@dataclass
class _MediaPlaylist:
    """The content of a media playlist: its segments, and whether the list and the durations are complete."""

    path: Path
    entries: list[Entry] = field(default_factory=list)
    first_number: int = 0
    ended: bool = False
    exact: bool = False


def read_hls(path: Path) -> PlaylistContent:
    """Return the renditions of a master playlist's best variant, or the only rendition of a media playlist.

    Raises ConfigError if the playlist can't be used.
    """
    local = LocalFolder(path)
    lines = _lines(path)
    if any(line.startswith(_STREAM) for line in lines):
        return _master(path, lines, local)
    media = _media(path, lines, local)
    return PlaylistContent(path, (Rendition("", tuple(media.entries), media.exact),), tuple(_notes(media, "")))


def is_master(path: Path) -> bool:
    """Return whether an HLS playlist lists other playlists. Raises ConfigError if it can't be read."""
    return any(line.startswith(_STREAM) for line in _lines(path))


def _lines(path: Path) -> list[str]:
    text = read_text(path, "a playlist", LARGEST_PLAYLIST)
    lines = [line.strip() for line in text.split("\n")]
    if lines[0] != FIRST_LINE:
        raise refusal(path, f"is not an HLS playlist: its first line is not {FIRST_LINE}")
    if _VARIABLE.search(text):
        raise refusal(path, "uses variables (EXT-X-DEFINE), which are not supported")
    return lines


def _master(path: Path, lines: list[str], local: LocalFolder) -> PlaylistContent:
    """Return the variant with the highest bandwidth, and its default audio rendition."""
    media, variants = _listed_playlists(path, lines)
    best, reference, attributes = max(variants, key=lambda one: one[0])
    chosen = [("video", reference)]
    notes: list[Finding] = []
    if len(variants) > 1:
        text = with_others(f"Only the variant with the highest bandwidth ({best} bit/s) was examined", len(variants))
        notes.append(Finding(check="container", result="warning", message=text))
    group = [one for one in media if one.get("TYPE") == "AUDIO" and one.get("GROUP-ID") == attributes.get("AUDIO")]
    # In an audio-only playlist, the variant itself can also be the audio rendition.
    audio = [one for one in group if one.get("URI", reference) != reference]
    if audio:
        default = next((one for one in audio if one.get("DEFAULT") == "YES"), audio[0])
        chosen.append(("audio", default["URI"]))
        if len(audio) > 1:
            text = with_others("Only the default audio rendition was examined", len(audio))
            notes.append(Finding(check="container", result="unverified", message=text))
    renditions = []
    for kind, uri in chosen:
        found = local.find(uri, local.path)
        if found is None:
            raise refusal(path, f"refers to {shortened(uri)}, which does not exist")
        playlist = _media(found, _lines(found), local)
        label = kind if audio else ""
        renditions.append(Rendition(label, tuple(playlist.entries), playlist.exact))
        notes += _notes(playlist, label)
    return PlaylistContent(path, tuple(renditions), tuple(notes))


def _listed_playlists(path: Path, lines: list[str]) -> tuple[list[dict[str, str]], list[_Variant]]:
    """Return the attributes of all EXT-X-MEDIA tags, and all variants."""
    media: list[dict[str, str]] = []
    variants: list[_Variant] = []
    pending: dict[str, str] | None = None
    for line in lines:
        if line.startswith("#EXT-X-MEDIA:"):
            media.append(_attributes(line))
        elif line.startswith(_STREAM):
            pending = _attributes(line)
        elif line and not line.startswith("#") and pending is not None:
            variants.append(_Variant(_whole(pending.get("BANDWIDTH", "0"), path), line, pending))
            pending = None
    if not variants:
        raise refusal(path, "lists no playlist after its EXT-X-STREAM-INF tags")
    return media, variants


def _media(path: Path, lines: list[str], local: LocalFolder) -> _MediaPlaylist:
    """Parse a media playlist."""
    found = _MediaPlaylist(path)
    reader = _SegmentReader(path, local)
    for line in lines:
        tag, _, value = line.partition(":")
        if tag in _UNSUPPORTED:
            raise refusal(path, f"{_UNSUPPORTED[tag]}, which is not supported")
        if tag == "#EXT-X-STREAM-INF":
            raise refusal(path, "is a master playlist, although a master playlist refers to it")
        if tag == "#EXT-X-ENDLIST":
            found.ended = True
        elif tag == "#EXT-X-MEDIA-SEQUENCE":
            found.first_number = _whole(value, path)
        elif line.startswith("#"):
            reader.tag(tag, value)
        elif line:
            found.entries.append(reader.segment(line))
            check_count(len(found.entries), path)
    if not found.entries:
        raise refusal(path, "lists no segments")
    found.exact = reader.exact
    return found


class _SegmentReader:
    """Collects the tags in front of each segment."""

    def __init__(self, path: Path, local: LocalFolder) -> None:
        self._path = path
        self._local = local
        self._at = 0.0
        self._duration: float | None = None
        self._range: tuple[int, int | None] | None = None
        self._range_end: dict[str, int] = {}
        self._map: Piece | None = None
        self._new_run = self._gap = False
        self._date: float | None = None
        self.exact = False

    def tag(self, tag: str, value: str) -> None:
        """Note a tag that applies to the next segment or to all segments that follow."""
        if tag == "#EXTINF":
            self._duration = self._seconds(value.partition(",")[0])
        elif tag == "#EXT-X-BYTERANGE":
            self._range = self._byte_range(value)
        elif tag == "#EXT-X-DISCONTINUITY":
            self._new_run = True
        elif tag == "#EXT-X-GAP":
            self._gap = True
        elif tag == "#EXT-X-MAP":
            self._map = self._initialization(_attributes(value))
        elif tag == "#EXT-X-PROGRAM-DATE-TIME":
            self._date = _unix_time(value)
        elif tag == "#EXT-X-KEY" and _attributes(value).get("METHOD") != "NONE":
            raise refusal(self._path, "lists encrypted segments, which can't be read")

    def segment(self, reference: str) -> Entry:
        """Return the segment at a URI, with the tags that apply to it."""
        if self._duration is None:
            raise refusal(self._path, f"lists {shortened(reference)} without a duration (EXTINF)")
        start, length = self._range or (0, None)
        if self._range and start < 0:
            start = self._range_end.get(reference, 0)
        if length is not None:
            self._range_end[reference] = start + length
        file = None if self._gap else self._local.find(reference, self._path.parent)
        entry = Entry(
            name=shortened(reference),
            at=self._at,
            duration=self._duration,
            piece=Piece(file, start, length) if file else None,
            initialization=self._map,
            reason="is marked as missing (EXT-X-GAP)" if self._gap else "does not exist",
            new_run=self._new_run,
            date=self._date,
        )
        self._at += self._duration
        self._duration = self._range = self._date = None
        self._new_run = self._gap = False
        return entry

    def _initialization(self, attributes: dict[str, str]) -> Piece:
        uri = attributes.get("URI", "")
        file = self._local.find(uri, self._path.parent)
        if file is None:
            raise refusal(self._path, f"refers to the initialization segment {shortened(uri)}, which does not exist")
        start, length = self._byte_range(attributes["BYTERANGE"]) if "BYTERANGE" in attributes else (0, None)
        return Piece(file, max(0, start), length)

    def _byte_range(self, value: str) -> tuple[int, int | None]:
        """Return the first byte and the number of bytes; the first byte is -1 if the range follows the previous one."""
        length, _, start = value.partition("@")
        return (_whole(start, self._path) if start else -1), _whole(length, self._path)

    def _seconds(self, text: str) -> float:
        if re.fullmatch(r"\d{1,9}(\.\d{0,20})?", text.strip(), re.ASCII):
            # Up to version 2, HLS rounded all durations to whole seconds.
            self.exact |= "." in text
            return float(text)
        raise refusal(self._path, f"states the duration {shortened(text)!r} for a segment, which is not a number")


def _notes(playlist: _MediaPlaylist, label: str) -> Iterator[Finding]:
    """Yield findings about segments that the playlist does not list."""
    of = f" of the {label}" if label else ""
    if playlist.first_number > 0 and not playlist.ended:
        text = (
            f"The playlist{of} begins with segment number {playlist.first_number}, so earlier segments may exist that "
            "were not examined. Configure the recorder to list all segments."
        )
        yield Finding(check="complete", result="unverified", message=text)
    if not playlist.ended:
        text = f"The playlist{of} has no EXT-X-ENDLIST tag, so the recording may not have been finished."
        yield Finding(check="complete", result="warning", message=text)
    dates = [(one.at, one.date) for one in playlist.entries if one.date is not None]
    jumps = sum(abs((date - before) - (at - then)) > 1 for (then, before), (at, date) in pairwise(dates))
    if jumps:
        places = "place" if jumps == 1 else "places"
        text = f"The dates of the playlist's segments{of} do not match the segments' durations at {jumps} {places}."
        yield Finding(check="duration", result="warning", message=text)


def _attributes(text: str) -> dict[str, str]:
    return {name: value.strip('"') for name, value in _ATTRIBUTE.findall(text)}


def _whole(text: str, path: Path) -> int:
    if re.fullmatch(r"\d{1,18}", text.strip(), re.ASCII):
        return int(text)
    raise refusal(path, f"contains {shortened(text)!r} instead of a whole number")


def _unix_time(text: str) -> float | None:
    try:
        date = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    # A date without a time zone does not identify a moment.
    return date.timestamp() if date.tzinfo else None
