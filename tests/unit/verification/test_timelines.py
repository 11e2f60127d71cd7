"""The clocks of files are compared by capture times, start times and bursts, and doubtful positions are named."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, Final

import numpy as np
import pytest

from harness.verification.assembly.alignment import ROOM, UTC, Placement, Start, Unit, align
from harness.verification.assembly.clocks import CAPTURE_PERIOD, CaptureClock
from harness.verification.assembly.shifting import joined_tracks
from harness.verification.markers.content import NO_CONTENT
from harness.verification.markers.strip import CAPTURE_BITS, COUNTER_PERIOD
from harness.verification.markers.tracks import MarkerTrack
from harness.verification.measures.observations import Observations

pytestmark = pytest.mark.parallel

NOBODY: Final = CaptureClock([])


def track(
    marker: int, captured: float, seconds: float, *, counted: float | None = None, at: float = 0.0
) -> MarkerTrack:
    """Return a track at 30 fps that begins at ``at``, with the capture time and the counter of its first frame in s."""
    frames = np.arange(round(30 * seconds))
    captures = (np.round(1000 * (captured + frames / 30)) % (1 << CAPTURE_BITS)).astype(np.int64)
    counters = (round(30 * (captured if counted is None else counted)) + frames) % COUNTER_PERIOD
    return MarkerTrack(
        marker=marker,
        times=at + frames / 30,
        counters=np.unwrap(counters, period=COUNTER_PERIOD).astype(np.int32),
        captures_ms=np.unwrap(captures, period=1 << CAPTURE_BITS).astype(np.int32),
        in_own_tile=np.ones(frames.size, bool),
        numbers=frames.astype(np.uint32),
        content=NO_CONTENT,
    )


def unit(name: str, seconds: float, *tracks: MarkerTrack, **changes: Any) -> Unit:
    """Return a unit of one file with these tracks."""
    values: dict[str, Any] = {
        "name": name,
        "start": 0.0,
        "end": seconds,
        "kinds": frozenset({"video", "audio"}),
        "captures": CaptureClock((one, 0.0) for one in tracks),
        "markers": frozenset(one.marker for one in tracks),
        "voices": frozenset(),
        "audio_zeros": {},
        "video_zeros": {},
    }
    return Unit(**values | changes)


def places(*units: Unit) -> list[tuple[float, str]]:
    """Return the position of each unit, rounded to tenths of a second, and how it was determined."""
    return [(round(one.at, 1), one.by) for one in align(units)]


def test_capture_times_that_start_again_at_zero_are_unwrapped() -> None:
    """A file that begins after the capture times have started again at 0 follows the file before it."""
    before = unit("a", 10, track(1, CAPTURE_PERIOD - 5, 10))
    after = unit("b", 10, track(1, CAPTURE_PERIOD + 8, 10))

    assert [(0.0, "markers"), (13.0, "markers")] == places(before, after)


@pytest.mark.parametrize("later", [100.0, 4000.0, 5000.0, 20_000.0, 80_000.0])
def test_counters_decide_between_possible_positions(later: float) -> None:
    """Capture times repeat every 70 minutes, but together with the counters a day is unambiguous."""
    assert [(0.0, "markers"), (later, "markers")] == places(
        unit("a", 10, track(1, 7, 10)), unit("b", 10, track(1, 7 + later, 10))
    )


def test_start_times_decide_if_no_participant_is_in_both_files() -> None:
    """The start times in the files decide between possible positions, even if they are accurate only to a second."""
    hour = 2 * CAPTURE_PERIOD + 3.25
    first = unit("a", 10, track(1, 7, 10), starts=(Start(UTC, 1_000_000.0, precise=False),))
    second = unit("b", 10, track(2, 7 + hour, 10), starts=(Start(UTC, 1_000_000.0 + round(hour), precise=False),))

    assert (round(hour, 1), "markers") == places(first, second)[1]


def test_reloaded_page_has_a_new_counter() -> None:
    """If a participant's page was reloaded, the capture times alone determine the position."""
    assert [(0.0, "markers"), (12.0, "markers")] == places(
        unit("a", 10, track(1, 7, 10)), unit("b", 10, track(1, 19, 10, counted=2.0))
    )


def test_recording_that_was_paused_ends_when_its_last_frames_were_captured() -> None:
    """A pause of 20 s was cut out of the first file, and the second file follows the first one without a gap."""
    before, after = track(1, 7, 5), track(1, 7 + 25, 5, at=5)
    joined = unit("a", 10, captures=CaptureClock([(_joined(before, after), 0.0)]), markers=frozenset({1}))

    assert [(0.0, "markers"), (10.0, "markers")] == places(joined, unit("b", 10, track(1, 7 + 30, 10)))


def test_pause_shortens_the_time_between_two_start_times() -> None:
    """Start times are real times, so a pause that was cut out of the first file does not count."""
    starts = [(Start(f"{ROOM}standup", at, precise=True),) for at in (100.0, 130.0)]
    before = unit("a", 10, track(1, 7, 5), starts=starts[0], pauses=((5.0, 20.0),))
    after = unit("b", 10, track(1, 37, 10), starts=starts[1])

    assert [(0.0, "markers"), (10.0, "start time")] == places(before, after)


def test_start_time_in_a_manifest_that_contradicts_the_markers_is_doubtful() -> None:
    """A manifest of another recording does not pass unnoticed."""
    starts = [(Start(f"{ROOM}standup", at, precise=True),) for at in (100.0, 150.0)]

    placed = align(
        [
            unit("a", 10, track(1, 7, 10), starts=starts[0]),
            unit("b", 10, track(1, 17, 10), starts=starts[1]),
        ]
    )

    assert "may belong to another recording" in (placed[1].doubt or "")


def test_participants_whose_clocks_disagree_make_the_position_doubtful() -> None:
    """If two participants' capture times state different positions, the file is named as doubtful."""
    placed = align(
        [
            unit("a", 10, track(1, 7, 10), track(2, 7, 10)),
            unit("b", 10, track(1, 17, 10), track(2, 20, 10, counted=17)),
        ]
    )

    assert None is placed[0].doubt
    assert "disagree by 3.0 s" in (placed[1].doubt or "")


def audio(name: str, seconds: float, zero: float, **changes: Any) -> Unit:
    """Return a unit with audio of voice 1, whose counter was 0 at a time in the file."""
    kinds, voices = frozenset({"audio"}), frozenset({1})
    return unit(name, seconds, kinds=kinds, voices=voices, audio_zeros={1: zero % 16}, **changes)


def video(name: str, seconds: float, captured: float) -> Unit:
    """Return a unit with video of marker 1, whose counter is its capture time."""
    return unit(name, seconds, track(1, captured, seconds), kinds=frozenset({"video"}), video_zeros={1: -captured})


def test_audio_covers_the_same_time_as_the_video() -> None:
    """The bursts state the position modulo 16 s, and the durations of the files decide."""
    placed = align([video("v", 60, 7), audio("a", 58.5, -7 - 1.5)])

    assert ("bursts", None) == (placed[1].by, placed[1].doubt)
    assert 1.5 == pytest.approx(placed[1].at, abs=0.05)


def test_short_audio_fits_at_several_times_and_is_doubtful() -> None:
    """Audio of 20 s can be at several positions in a video of a minute, so its position is doubtful."""
    placed = align([video("v", 60, 7), audio("a", 20, -7 - 1.5)])

    assert "several times fit equally well" in (placed[1].doubt or "")


def test_start_time_in_whole_seconds_decides_between_several_times() -> None:
    """A start time that is accurate to a second identifies the right multiple of 16 s."""
    first = video("v", 60, 7)
    first = Unit(**vars(first) | {"starts": (Start(UTC, 500.0, precise=False),)})
    second = audio("a", 20, -7 - 17.5, starts=(Start(UTC, 518.0, precise=False),))

    placed = align([first, second])

    assert None is placed[1].doubt
    assert 17.5 == pytest.approx(placed[1].at, abs=0.05)


def test_second_audio_file_follows_the_first_one_at_a_doubtful_time() -> None:
    """Without video, two audio files of a participant follow each other, but any multiple of 16 s may be missing."""
    placed = align([audio("a", 30, 0), audio("b", 30, -33)])

    assert 33.0 == pytest.approx(placed[1].at, abs=0.05)
    assert "more time may have passed" in (placed[1].doubt or "")


def test_runs_of_a_playlist_follow_each_other_by_its_clock() -> None:
    """Without markers, the playlist states when each run begins."""
    placed = align([unit("a", 10, playlist=(0, 0.0)), unit("b", 10, playlist=(0, 12.0))])

    assert [Placement(at=0.0, by="playlist"), Placement(at=12.0, by="playlist")] == placed


def test_file_without_any_clock_is_shown_after_the_one_before_it() -> None:
    """Nothing states when the second file was recorded, so its position is doubtful."""
    placed = align([unit("a", 10, track(1, 7, 10)), unit("b", 5)])

    assert (10.0, "order") == (placed[1].at, placed[1].by)
    assert "directly after a" in (placed[1].doubt or "")


def test_timeline_begins_with_the_earliest_file() -> None:
    """The earliest media of the call is at the time 0, in whatever order the files were given."""
    assert [(3.0, "markers"), (0.0, "markers")] == places(
        unit("b", 10, track(1, 10, 10)), unit("a", 10, track(1, 7, 10))
    )


def test_every_value_of_a_track_is_joined() -> None:
    """A new field of MarkerTrack or Observations needs code that joins it, because its times must be moved as well."""
    joined = joined_tracks([(0.0, track(1, 7, 2)), (1.5, track(1, 8.5, 2))])

    assert [0.0, 1.5 + 59 / 30] == pytest.approx([joined.times[0], joined.times[-1]])
    assert (np.diff(joined.times) > 0).all()
    assert (np.diff(joined.captures_ms) > 0).all()
    arrays = {"times", "counters", "captures_ms", "in_own_tile", "numbers"}
    assert {"marker", *arrays, "content", "places"} == names(MarkerTrack)
    assert {
        "marker_tracks",
        "audio",
        "rate",
        "duration",
        "zero_ms",
        "pauses",
        "by_marker",
        "by_voice",
        "one_clock",
        # Places are not joined, because the frames of different files have nothing to do with each other.
        "longest_frame",
        "rotation",
        "pixel_aspect",
        "sizes",
    } == (names(Observations))


def names(values: type[MarkerTrack | Observations]) -> set[str]:
    """Return the names of a class's fields."""
    return {one.name for one in fields(values)}


def _joined(before: MarkerTrack, after: MarkerTrack) -> MarkerTrack:
    arrays: dict[str, Any] = {
        name: np.concatenate([getattr(before, name), getattr(after, name)])
        for name in ("times", "counters", "captures_ms", "in_own_tile", "numbers")
    }
    return MarkerTrack(marker=before.marker, content=NO_CONTENT, **arrays)
