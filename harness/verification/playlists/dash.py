"""Parse DASH manifests (MPD, ISO/IEC 23009-1): choose representations, and list the segments of each of them."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from harness.recording.files.safe_reads import read_whole
from harness.verification.playlists.local_folder import LocalFolder, refusal, shortened
from harness.verification.playlists.rendition import (
    LARGEST_PLAYLIST,
    PlaylistContent,
    Rendition,
    with_others,
)
from harness.verification.playlists.segment_lists import Scope, SegmentLister
from harness.verification.playlists.xml_reader import Element, XmlError, parse_xml
from harness.verification.values.findings import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from harness.verification.playlists.rendition import Entry

_DURATION: Final = re.compile(
    r"P(?:(\d{1,6})D)?(?:T(?:(\d{1,6})H)?(?:(\d{1,9})M)?(?:(\d{1,12}(?:\.\d{1,20})?)S)?)?", re.ASCII
)
_KINDS: Final = ("video", "audio")


@dataclass(frozen=True)
class _Period:
    """A period: its element, its number, and its start and end on the manifest's clock, in seconds."""

    element: Element
    number: int
    start: float
    end: float | None


def read_dash(path: Path) -> PlaylistContent:
    """Return the best representation of the first video and of the first audio in each period.

    Raises ConfigError if the manifest can't be used.
    """
    try:
        root = parse_xml(read_whole(path, "a playlist", LARGEST_PLAYLIST))
    except XmlError as error:
        raise refusal(path, str(error)) from error
    if root.name != "MPD":
        raise refusal(path, f"is not a DASH manifest: its root element is {shortened(root.name)}")
    return _Reader(path, root).content()


class _Reader:
    """Collects the segments of the chosen representations in all periods, and findings about the other ones."""

    def __init__(self, path: Path, root: Element) -> None:
        self._path = path
        self._root = root
        self._local = LocalFolder(path)
        self._notes: list[Finding] = []

    def content(self) -> PlaylistContent:
        """Return the renditions and the findings."""
        entries: dict[str, list[Entry]] = {}
        for period in self._periods():
            self._refuse_links(period.element)
            for kind, found in self._of_period(period):
                entries.setdefault(kind, []).extend(found)
        renditions = tuple(Rendition(kind if len(entries) > 1 else "", tuple(found)) for kind, found in entries.items())
        if not any(one.entries for one in renditions):
            raise refusal(self._path, "lists no segments of video or audio")
        if self._root.get("type") == "dynamic":
            text = "The manifest describes a live stream, so the recording may not have been finished."
            self._notes.append(Finding(check="complete", result="warning", message=text))
        return PlaylistContent(self._path, renditions, tuple(dict.fromkeys(self._notes)))

    def _periods(self) -> Iterator[_Period]:
        elements = list(self._root.all("Period"))
        if not elements:
            raise refusal(self._path, "has no Period")
        total = self._seconds(self._root.get("mediaPresentationDuration"))
        at: float | None = 0.0
        for number, element in enumerate(elements):
            start = self._seconds(element.get("start"))
            at = start if start is not None else at
            if at is None:
                raise refusal(self._path, f"does not state when Period {number + 1} starts")
            duration = self._seconds(element.get("duration"))
            following = elements[number + 1].get("start") if number + 1 < len(elements) else None
            end = at + duration if duration is not None else self._seconds(following)
            if end is None and number + 1 == len(elements):
                end = total
            yield _Period(element, number, at, end)
            at = end

    def _of_period(self, period: _Period) -> Iterator[tuple[str, list[Entry]]]:
        """Yield the kind and the segments of each chosen representation."""
        sets: dict[str, list[Element]] = {kind: [] for kind in _KINDS}
        for one in period.element.all("AdaptationSet"):
            kind = _kind(one)
            if kind in sets:
                sets[kind].append(one)
            elif not kind:
                text = "An AdaptationSet that does not state its content was not examined."
                self._notes.append(Finding(check="container", result="unverified", message=text))
        for kind, found in sets.items():
            if not found:
                continue
            chosen = next((one for one in found if _is_main(one)), found[0])
            if len(found) > 1:
                text = with_others(f"Only one AdaptationSet with {kind} was examined", len(found))
                self._notes.append(Finding(check="container", result="unverified", message=text))
            representations = list(chosen.all("Representation"))
            if not representations:
                raise refusal(self._path, f"has an AdaptationSet with {kind} but without a Representation")
            best = max(representations, key=self._bandwidth)
            if len(representations) > 1:
                text = with_others(
                    f"Only the {kind} with the highest bandwidth ({self._bandwidth(best)} bit/s) was examined",
                    len(representations),
                )
                self._notes.append(Finding(check="container", result="warning", message=text))
            levels = (self._root, period.element, chosen, best)
            if any(level.first("ContentProtection") for level in levels):
                raise refusal(self._path, "lists encrypted segments, which can't be read")
            scope = Scope(levels, new_run=period.number > 0, start=period.start, end=period.end)
            yield kind, SegmentLister(self._path, self._local, scope).entries()

    def _bandwidth(self, representation: Element) -> int:
        text = representation.get("bandwidth") or "0"
        if re.fullmatch(r"\d{1,18}", text, re.ASCII):
            return int(text)
        raise refusal(self._path, f"states the bandwidth {shortened(text)!r}, which is not a whole number")

    def _seconds(self, text: str | None) -> float | None:
        """Return a duration in seconds, or None if there is none. A duration with years or months is not valid."""
        if text is None:
            return None
        if not (found := _DURATION.fullmatch(text.strip())) or not any(found.groups()):
            raise refusal(self._path, f"states the duration {shortened(text)!r}, which is not valid")
        days, hours, minutes, seconds = (float(part or 0) for part in found.groups())
        total = ((days * 24 + hours) * 60 + minutes) * 60 + seconds
        return total if math.isfinite(total) else None

    def _refuse_links(self, element: Element) -> None:
        """Refuse elements that are stored in other files (XLink)."""
        for one in (element, *element.children):
            if one.get("xlink:href"):
                raise refusal(self._path, "refers to parts of itself in other files (xlink:href), which is not allowed")


def _kind(adaptation_set: Element) -> str:
    """Return what an AdaptationSet contains, for example "video"."""
    for one in (adaptation_set, *adaptation_set.all("Representation")):
        if kind := one.get("contentType") or (one.get("mimeType") or "").partition("/")[0]:
            return kind
    return ""


def _is_main(adaptation_set: Element) -> bool:
    return any(role.get("value") == "main" for role in adaptation_set.all("Role"))
