"""List the segments of a DASH representation: SegmentTemplate, SegmentTimeline, SegmentList or a single file."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from harness.verification.playlists.local_folder import refusal, shortened
from harness.verification.playlists.rendition import MOST_SEGMENTS, Entry, check_count
from harness.verification.sources import Piece

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.verification.playlists.local_folder import LocalFolder
    from harness.verification.playlists.xml_reader import Element

_IDENTIFIER: Final = re.compile(r"\$(?:(RepresentationID|Number|Time|Bandwidth)(?:%0(\d{1,2})d)?)?\$")
_NUMBER_ONLY: Final = re.compile(r"\$Number(?:%0\d{1,2}d)?\$")
_RANGE: Final = re.compile(r"(\d{1,18})-(\d{1,18})", re.ASCII)
# A last segment that is shorter than this many seconds may not exist, because durations are rounded.
_SHORTEST: Final = 0.1


@dataclass(frozen=True)
class Scope:
    """The elements that describe a representation, from the MPD down, and the start and end of its period in seconds.

    ``new_run`` is true if the first segment begins a new run of segments, because the period is not the first one.
    """

    levels: tuple[Element, ...]
    new_run: bool
    start: float
    end: float | None


class SegmentLister:
    """Lists the segments of one representation."""

    def __init__(self, path: Path, local: LocalFolder, scope: Scope) -> None:
        self._path = path
        self._local = local
        self._scope = scope
        self._folder = path.parent
        self._file: str | None = None
        for level in scope.levels:
            if base := level.first("BaseURL"):
                self._use_base(base.text.strip())
        self._kind, self._values, self._nearest = self._description()
        self._scale = self._whole("timescale", 1)
        if self._scale < 1:
            raise refusal(path, f"states the timescale {self._scale}, which is not valid")
        self._origin = self._whole("presentationTimeOffset", 0) / self._scale

    def entries(self) -> list[Entry]:
        """Return all segments in the order of their times."""
        times = list(self._timeline() if self._child("SegmentTimeline") else ())
        if self._kind == "SegmentTemplate":
            found = self._from_template(times)
        elif self._kind == "SegmentList":
            found = self._from_list(times)
        else:
            return [self._single_file()]
        initialization = self._initialization()
        end = math.inf if self._scope.end is None else self._scope.end
        return [
            Entry(
                name=shortened(name),
                at=at,
                # The last segment may be shorter than the others.
                duration=max(0.0, min(duration, end - at)),
                piece=piece,
                initialization=initialization,
                new_run=number == 0 and self._scope.new_run,
                origin=self._origin,
            )
            for number, (name, at, duration, piece) in enumerate(found)
        ]

    def _use_base(self, base: str) -> None:
        """Follow a BaseURL: a folder, or the file that contains the whole representation."""
        if base in {"", ".", "./"}:
            return
        relative = self._local.relative(base)
        if base.endswith("/"):
            self._folder /= relative
        else:
            self._file = relative.name
            self._folder /= relative.parent

    def _description(self) -> tuple[str, dict[str, str], list[Element]]:
        """Return the kind of the description, its attributes (inner levels replace outer ones), and its elements."""
        for kind in ("SegmentTemplate", "SegmentList", "SegmentBase"):
            elements = [one for level in self._scope.levels if (one := level.first(kind))]
            if elements:
                values = {key: value for one in elements for key, value in one.attributes.items()}
                return kind, values, elements[::-1]
        return "", {}, []

    def _child(self, name: str) -> Element | None:
        return next((child for one in self._nearest if (child := one.first(name))), None)

    def _timeline(self) -> Iterator[tuple[float, float, int]]:
        """Yield the time on the manifest's clock, the duration (both in seconds) and the media time of each segment."""
        timeline = self._child("SegmentTimeline")
        steps = list(timeline.all("S")) if timeline else []
        media_time = count = 0
        for index, step in enumerate(steps):
            start = self._number(step, "t", media_time)
            duration = self._number(step, "d", 0)
            repeat = self._number(step, "r", 0)
            if duration <= 0:
                raise refusal(self._path, "has a SegmentTimeline with a segment that has no duration")
            if repeat < 0:
                following = steps[index + 1].get("t") if index + 1 < len(steps) else None
                repeat = self._repeats(start, duration, following)
            count += repeat + 1
            check_count(count, self._path)
            for number in range(repeat + 1):
                media_time = start + number * duration
                yield self._at(media_time / self._scale), duration / self._scale, media_time
            media_time += duration

    def _repeats(self, start: int, duration: int, following: str | None) -> int:
        """Return how often a segment is repeated until the next one, or until the end of the period."""
        if following is not None:
            end = float(self._parsed(following, "t"))
        elif self._scope.end is not None:
            end = (self._scope.end - self._scope.start + self._origin) * self._scale
        else:
            raise refusal(self._path, "has a SegmentTimeline that repeats a segment until an unknown time")
        return max(0, min(math.ceil((end - start) / duration - 1e-6), MOST_SEGMENTS + 1) - 1)

    def _from_template(self, times: list[tuple[float, float, int]]) -> Iterator[tuple[str, float, float, Piece | None]]:
        template = self._values.get("media")
        if template is None:
            raise refusal(self._path, "has a SegmentTemplate without the attribute media")
        first = self._whole("startNumber", 1)
        if times:
            for number, (at, duration, media_time) in enumerate(times, first):
                yield self._file_segment(self._filled(template, number, media_time), at, duration)
            return
        duration = self._whole("duration", 0) / self._scale
        if duration <= 0:
            raise refusal(self._path, "has a SegmentTemplate with neither a SegmentTimeline nor a duration")
        for number in range(first, first + self._segment_count(template, first, duration)):
            # Without a SegmentTimeline, $Time$ is the time that the duration implies.
            offset = (number - first) * duration
            name = self._filled(template, number, round(offset * self._scale))
            yield self._file_segment(name, self._scope.start + offset, duration)

    def _segment_count(self, template: str, first: int, duration: float) -> int:
        if self._scope.end is not None:
            length = self._scope.end - self._scope.start
            count = min(math.ceil((length - _SHORTEST) / duration), MOST_SEGMENTS + 1) if length > 0 else 0
        elif _NUMBER_ONLY.search(template):
            # A live stream does not state when it ends, so its last segment is the last file that exists.
            count = max((number - first + 1 for number in self._existing(template)), default=0)
        else:
            raise refusal(self._path, "does not state how many segments exist")
        check_count(count, self._path)
        return max(1, count)

    def _existing(self, template: str) -> Iterator[int]:
        """Yield the numbers of all files whose names match the template."""
        before, number, after = template.partition(next(iter(_NUMBER_ONLY.findall(template))))
        before, after = (self._filled(part, 0, 0) for part in (before, after))
        folder = self._folder / self._local.relative(f"{before}{number}{after}").parent
        pattern = re.compile(re.escape(Path(f"{before}#").name[:-1]) + r"(\d{1,18})" + re.escape(after), re.ASCII)
        if folder.resolve().is_relative_to(self._local.path) and folder.is_dir():
            yield from (int(found[1]) for one in folder.iterdir() if (found := pattern.fullmatch(one.name)))

    def _from_list(self, times: list[tuple[float, float, int]]) -> Iterator[tuple[str, float, float, Piece | None]]:
        urls = [one for level in self._nearest[:1] for one in level.all("SegmentURL")]
        check_count(len(urls), self._path)
        duration = self._whole("duration", 0) / self._scale
        if not times and duration <= 0:
            raise refusal(self._path, "has a SegmentList without durations")
        if times and len(times) != len(urls):
            raise refusal(self._path, f"has a SegmentList with {len(urls)} files but {len(times)} times")
        for number, url in enumerate(urls):
            at, length = times[number][:2] if times else (self._scope.start + number * duration, duration)
            name = url.get("media") or self._file
            if name is None:
                raise refusal(self._path, "has a SegmentList with a segment that names no file")
            yield self._file_segment(name, at, length, url.get("mediaRange"))

    def _single_file(self) -> Entry:
        if self._file is None:
            raise refusal(self._path, "has a Representation that names no segments")
        end = self._scope.end if self._scope.end is not None else self._scope.start
        name, at, duration, piece = self._file_segment(self._file, self._scope.start, end - self._scope.start)
        return Entry(
            name=shortened(name),
            at=at,
            duration=duration,
            piece=piece,
            initialization=None,
            new_run=self._scope.new_run,
            origin=self._origin,
        )

    def _initialization(self) -> Piece | None:
        """Return the initialization segment, or None if there is none. Raises ConfigError if it does not exist."""
        element = self._child("Initialization")
        template = self._values.get("initialization")
        if element is not None:
            name, span = element.get("sourceURL") or self._file, element.get("range")
        elif template is not None:
            name, span = self._filled(template, 0, 0), None
        else:
            return None
        if name is None:
            raise refusal(self._path, "has an initialization segment that names no file")
        piece = self._file_segment(name, 0.0, 0.0, span)[3]
        if piece is None:
            raise refusal(self._path, f"refers to the initialization segment {shortened(name)}, which does not exist")
        return piece

    def _file_segment(
        self, name: str, at: float, duration: float, span: str | None = None
    ) -> tuple[str, float, float, Piece | None]:
        """Return a segment's name, time and duration, and the piece of its file, or None if the file does not exist."""
        file = self._local.find(name, self._folder)
        if file is None:
            return name, at, duration, None
        if span is None:
            return name, at, duration, Piece(file)
        if not (found := _RANGE.fullmatch(span.strip())) or int(found[2]) < int(found[1]):
            raise refusal(self._path, f"contains the byte range {shortened(span)!r}, which is not valid")
        return name, at, duration, Piece(file, int(found[1]), int(found[2]) - int(found[1]) + 1)

    def _filled(self, template: str, number: int, media_time: int) -> str:
        """Return a file name: the template with its identifiers replaced."""
        representation = self._scope.levels[-1]
        values = {
            "RepresentationID": representation.get("id") or "",
            "Bandwidth": representation.get("bandwidth") or "",
            "Number": str(number),
            "Time": str(media_time),
        }

        def replaced(found: re.Match[str]) -> str:
            return values[found[1]].zfill(int(found[2] or 0)) if found[1] else "$"

        name = _IDENTIFIER.sub(replaced, template)
        if "$SubNumber" in template:
            raise refusal(self._path, "uses $SubNumber$, which is not supported")
        return name

    def _at(self, media_seconds: float) -> float:
        return self._scope.start + media_seconds - self._origin

    def _whole(self, name: str, default: int) -> int:
        return self._parsed(self._values[name], name) if name in self._values else default

    def _number(self, element: Element, name: str, default: int) -> int:
        text = element.get(name)
        return default if text is None else self._parsed(text, name)

    def _parsed(self, text: str, name: str) -> int:
        if re.fullmatch(r"-?\d{1,18}", text.strip(), re.ASCII):
            return int(text)
        raise refusal(self._path, f"states {shortened(text)!r} as {name}, which is not a whole number")
