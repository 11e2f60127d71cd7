"""Verify files that other recorders could have written, and compare the reports with the truth.

Run it with ``python -m tests.truth.foreign_layouts --count 1000 --seed 1``, or with ``make layouts``. The layouts are
planned at random and drawn in ``tests/support/layouts``. The exit code is 1 if a figure misses its bar.
"""

from __future__ import annotations

import argparse
import contextlib
import multiprocessing
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Final

from harness import Limits
from harness.recording.timeline import VOICES
from harness.verification.analysis import analyze
from harness.verification.markers.symbol import MODULES
from harness.verification.request import VerifyRequest
from harness.verification.values.intervals import intersection, merged, total
from tests.support.layouts.drawing import write_layout
from tests.support.layouts.plan import Appearance, Layout, plan_layout

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from harness import Report
    from harness.verification.values.models import ShownPlace

# The bars: percent of the appearances, ms of difference between the measured and the planted A/V offset, and seconds of
# video that are verified per second.
FOUND: Final = 99.5
OFFSET_MS: Final = 10.0
SPEED: Final = 5.0
# An appearance is found if its edges are off by at most this many pixels, or this share of the whole video's size, for
# at least this share of its time.
_PIXELS: Final = 4.0
_SHARE_OF_SIZE: Final = 0.03
_SHARE_OF_TIME: Final = 0.9
_STRETCH: Final = 0.02
# A change of the layout may be reported this many seconds too early or too late.
_BORDERLINE: Final = 0.1
# The height of a video, in modules of its symbol.
_HEIGHT: Final = 40
_MODULES: Final = (0.0, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0, 6.0, 1000.0)
_CORES: Final = 2


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How well one appearance was found: the share of its time, and the sizes of its modules and the file.

    ``readable`` is whether its symbol or its strip is visible, and ``small`` whether the video is lower than 15 % of
    the frame.
    """

    seed: int
    module: float
    kbps: int
    readable: bool
    small: bool
    share: float
    text: str

    @property
    def found(self) -> bool:
        """Whether the appearance was found."""
        return self.share >= _SHARE_OF_TIME


@dataclass(kw_only=True)
class Result:
    """The results for one layout."""

    outcomes: list[Outcome] = field(default_factory=list)
    invented: list[str] = field(default_factory=list)
    misplaced: list[str] = field(default_factory=list)
    offsets: list[float] = field(default_factory=list)
    wrong_offsets: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    seconds: float = 0.0
    cpu: float = 0.0


def examine(seed: int, folder: Path) -> Result:
    """Write the layout with this seed to a file in the folder, verify the file, and compare the report."""
    layout = plan_layout(seed)
    path = folder / f"{seed}{'.mp4' if layout.codec == 'libx264' else '.webm'}"
    if not path.exists():
        write_layout(path, layout)
    request = VerifyRequest(
        path=path, manifest_path=path.with_suffix(".none"), duration=None, limits=Limits(), expect=()
    )
    started = time.process_time()
    report = analyze(request, lambda _: None)
    result = Result(seconds=layout.seconds, cpu=time.process_time() - started)
    compare(layout, report, result)
    return result


def compare(layout: Layout, report: Report, result: Result) -> None:
    """Add the differences between a report and the truth to the result."""
    reports = {one.name: one for one in report.participants}
    senders = {f"marker {one.marker}": one for one in layout.senders}
    voices = {f"marker {one.marker % VOICES}" for one in layout.senders}
    for name in sorted(reports.keys() - senders.keys()):
        video = reports[name].video
        # The tone of a participant whose video is covered identifies only the marker modulo 16.
        if name not in voices or (video and video.visible):
            result.invented.append(f"seed {layout.seed}: {name}")
    for one in layout.appearances:
        own = reports.get(f"marker {one.marker}")
        result.outcomes.append(_outcome(layout, one, own.places if own else ()))
    for name, sender in senders.items():
        own = reports.get(name)
        shown = [one for one in layout.appearances if one.marker == sender.marker]
        result.misplaced += [
            f"seed {layout.seed}: {name} at {place.x},{place.y} {place.width}x{place.height} from {place.start:.2f} to "
            f"{place.end:.2f} s"
            for place in (own.places if own else ())
            if not _is_shown(place, shown)
        ]
        if own is None or not any(layout.is_readable(one) for one in shown):
            continue
        if own.av_offset_ms is None:
            result.missing.append(own.av_offset_missing or "unknown")
        else:
            difference = own.av_offset_ms.median - 1000 * sender.delay
            result.offsets.append(difference)
            if abs(difference) > OFFSET_MS:
                result.wrong_offsets.append(f"seed {layout.seed}: {name} by {difference:.1f} ms")
    result.wrong += [
        f"seed {layout.seed}: {finding.check} {finding.participant or ''}: {finding.message}"
        for finding in report.findings
        if finding.check in {"content", "frozen"} and finding.result == "failed"
    ]


def _outcome(layout: Layout, one: Appearance, places: Sequence[ShownPlace]) -> Outcome:
    at = (one.start, one.end)
    fitting = [(place.start, place.end) for place in places if _fits(one, place)]
    share = total(intersection(merged(fitting), [at])) / (one.end - one.start)
    seen = "; ".join(
        f"{place.start:.2f}-{place.end:.2f} s {place.x},{place.y} {place.width}x{place.height} "
        f"turn {place.turn}{' mirrored' * place.mirrored} stretch {place.stretch}"
        for place in places
    )
    text = (
        f"seed {layout.seed} {layout.kind} {layout.size[0]}x{layout.size[1]} {layout.codec} {layout.kbps} kbps at "
        f"{layout.frame_rate}: marker {one.marker}, modules of {one.module:.2f} px, "
        f"{one.start:.2f}-{one.end:.2f} s, {one.box} turn {one.turn}{' mirrored' * one.mirrored} "
        f"stretch {one.stretch:.3f} label {one.label!r}: {100 * share:.0f} % of its time; seen: {seen or 'nowhere'}"
    )
    return Outcome(
        seed=layout.seed,
        module=one.module,
        kbps=layout.kbps,
        readable=layout.is_readable(one),
        small=layout.is_small(one),
        share=share,
        text=text,
    )


def _is_shown(place: ShownPlace, shown: Iterable[Appearance]) -> bool:
    """Return whether a participant is shown in a reported place for most of its time."""
    fitting = merged((one.start, one.end) for one in shown if _fits(one, place))
    shared = total(intersection(fitting, [(place.start, place.end)]))
    return shared >= _SHARE_OF_TIME * (place.end - place.start) - _BORDERLINE


def _fits(one: Appearance, place: ShownPlace) -> bool:
    """Return whether a reported place is that of an appearance."""
    turned = (place.turn, place.mirrored) == (one.turn, one.mirrored)
    # A pixel more or less changes the shape of a small symbol.
    stretched = abs(place.stretch / one.stretch - 1) > _STRETCH + 0.5 / (MODULES * one.module)
    return (
        turned
        and not stretched
        and all(nearest - most <= edge <= farthest + most for edge, nearest, farthest, most in _edges(one, place))
    )


def _edges(one: Appearance, place: ShownPlace) -> Iterator[tuple[float, float, float, float]]:
    """Yield each edge of a reported place, and where it may be: from, to, and the tolerance in pixels."""
    _, _, wide, high = one.whole
    # A label can hide a part of the video, and the borders of other tiles can cover its edges.
    for box, limits, size in (
        ((place.x, place.width), ((one.box[0], one.box[2]), (one.without_label[0], one.without_label[2])), wide),
        ((place.y, place.height), ((one.box[1], one.box[3]), (one.without_label[1], one.without_label[3])), high),
    ):
        most = max(_PIXELS, _SHARE_OF_SIZE * size) + one.border
        for edge, *possible in zip(*((start, start + length) for start, length in (box, *limits)), strict=True):
            yield edge, min(possible), max(possible), most


def _percent(outcomes: Iterable[Outcome]) -> str:
    found = [one.found for one in outcomes]
    return f"{100 * sum(found) / len(found):.1f} ({len(found)})" if found else "-"


def table(results: Sequence[Result]) -> list[str]:
    """Return the share of the found appearances by size and bitrate, as lines of text.

    The size is the height of the whole video, if it is not distorted; its symbol's modules are 40 times smaller.
    """
    outcomes = [one for result in results for one in result.outcomes if one.readable]
    rates = sorted({one.kbps for one in outcomes})
    lines = ["found, in percent (number of appearances), by height of the whole video and bitrate of the file:"]
    lines.append("".join(f"{head:>14}" for head in ("height", *(f"{rate} kbps" for rate in rates), "all")))
    for low, high in pairwise(_MODULES):
        row = [one for one in outcomes if low <= one.module < high]
        first, last = round(low * _HEIGHT), round(high * _HEIGHT)
        name = f"{first} to {last} px" if high < _MODULES[-1] else f"{first} px or more"
        cells = [_percent(one for one in row if one.kbps == rate) for rate in rates]
        lines.append("".join(f"{cell:>14}" for cell in (name, *cells, _percent(row))))
    return lines


def floors(results: Sequence[Result]) -> list[str]:
    """Return, for each bitrate, the smallest height from which on the bar is met, as lines of text."""
    outcomes = [one for result in results for one in result.outcomes if one.readable]
    lines = []
    for rate in sorted({one.kbps for one in outcomes}):
        own = sorted((one for one in outcomes if one.kbps == rate), key=lambda one: one.module)
        misses = [one.module for one in own if not one.found]
        floor = next(
            (
                one.module
                for number, one in enumerate(own)
                if sum(module >= one.module for module in misses) <= (1 - FOUND / 100) * (len(own) - number)
            ),
            None,
        )
        lines.append(f"{rate} kbps: {'never' if floor is None else f'videos of {floor * _HEIGHT:.0f} px or more'}")
    return lines


def counted(results: Sequence[Result]) -> list[Outcome]:
    """Return the outcomes to which the bars apply."""
    return [one for result in results for one in result.outcomes if one.readable and not one.small]


def summary(results: Sequence[Result]) -> tuple[list[str], bool]:
    """Return each figure next to its bar, as lines of text, and whether all bars are met."""
    readable = counted(results)
    small = [one.found for result in results for one in result.outcomes if one.readable and one.small]
    hidden = sum(not one.readable for result in results for one in result.outcomes)
    offsets = [abs(offset) for result in results for offset in result.offsets]
    missing = Counter(reason for result in results for reason in result.missing)
    invented = [one for result in results for one in result.invented]
    found = 100 * sum(one.found for one in readable) / len(readable)
    close = sum(offset <= OFFSET_MS for offset in offsets)
    speed = _CORES * sum(result.seconds for result in results) / sum(result.cpu for result in results)
    figures = (
        ("appearances found", f"{found:.2f} % of {len(readable)}", f">= {FOUND} %", found >= FOUND),
        ("participants invented", f"{len(invented)}", "0", not invented),
        (
            "A/V offsets",
            f"{close} of {len(offsets)} within {OFFSET_MS:g} ms, worst {max(offsets, default=0):.1f} ms",
            "all",
            close == len(offsets) > 0,
        ),
        ("speed", f"{speed:.1f} x real time", f">= {SPEED:g} x", speed >= SPEED),
    )
    lines = [f"{name:24}{figure:44}bar {bar:10}{'ok' if met else 'MISSED'}" for name, figure, bar, met in figures]
    reasons = ", ".join(f"{count} {reason}" for reason, count in missing.items()) or "none"
    lines.append(f"{'offsets not measured':24}{reasons}")
    lines.append(f"{'misplaced':24}{sum(len(result.misplaced) for result in results)} reported places")
    lines.append(f"{'not counted':24}{hidden} appearances whose symbol and strip are both covered")
    lines.append(f"{'':24}{sum(small)} of {len(small)} found that are lower than 15 % of the frame")
    return lines, all(met for *_, met in figures)


def main() -> int:
    """Examine the layouts, print the results, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1000, help="Number of layouts.")
    parser.add_argument("--seed", type=int, default=1, help="Seed of the first layout.")
    parser.add_argument("--processes", type=int, default=_CORES, help="Number of processes.")
    parser.add_argument("--keep", type=Path, help="Keep the files in this folder, and reuse those that are in it.")
    options = parser.parse_args()
    seeds = range(options.seed, options.seed + options.count)
    with contextlib.ExitStack() as stack:
        folder = options.keep or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        folder.mkdir(parents=True, exist_ok=True)
        pool = stack.enter_context(multiprocessing.get_context("spawn").Pool(options.processes))
        work = [(seed, folder, options.keep is None) for seed in seeds]
        results = []
        for number, result in enumerate(pool.imap_unordered(_examine, work), 1):
            results.append(result)
            _say(f"missed: {one.text}" for one in result.outcomes if one.readable and not one.found)
            _say(f"invented: {text}" for text in result.invented)
            _say(f"misplaced: {text}" for text in result.misplaced)
            _say(f"wrong offset: {text}" for text in result.wrong_offsets)
            _say(f"wrong finding: {text}" for text in result.wrong)
            _say([f"{number} of {len(seeds)} layouts"] if number % 50 == 0 else [])
    lines, met = summary(results)
    _say([*table(results), "", "floor:", *floors(results), "", *lines])
    return 0 if met else 1


def _say(lines: Iterable[str]) -> None:
    for line in lines:
        sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _examine(work: tuple[int, Path, bool]) -> Result:
    seed, folder, remove = work
    result = examine(seed, folder)
    if remove:
        for path in folder.glob(f"{seed}.*"):
            path.unlink()
    return result


if __name__ == "__main__":
    sys.exit(main())
