"""Setting the machine's clock changes neither a recording in progress nor recordings that start afterwards.

These tests set the clock of the whole machine, so they run only if HARNESS_SET_CLOCK is 1, and only as root.
"""

from __future__ import annotations

import contextlib
import os
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from harness import RecordConfig
from harness.recording.manifest import Manifest
from tests.support.reports import check_recording

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness import Room
    from tests.support.goals import Goals

pytestmark = [
    pytest.mark.alone,
    pytest.mark.skipif(
        os.environ.get("HARNESS_SET_CLOCK") != "1",
        reason="Setting the machine's clock is allowed only with HARNESS_SET_CLOCK=1.",
    ),
]
HOUR = 3600.0


@contextlib.contextmanager
def clock_set_by(seconds: float) -> Iterator[None]:
    """Set the machine's clock forward, or back if ``seconds`` is negative; the right time is restored afterwards."""
    right, steady = time.time(), time.monotonic()
    try:
        time.clock_settime(time.CLOCK_REALTIME, right + seconds)
    except PermissionError:
        pytest.skip("Setting the machine's clock needs root, and the capability CAP_SYS_TIME.")
    try:
        yield
    finally:
        # The monotonic clock shows how much time has passed.
        time.clock_settime(time.CLOCK_REALTIME, right + time.monotonic() - steady)


@pytest.mark.parametrize("seconds", [-HOUR, HOUR], ids=["back", "forward"])
def test_recording_survives_a_change_of_the_clock(room: Room, seconds: float, goals: Goals) -> None:
    """Durations, A/V offsets and the order of events are right, for old and new participants and for a new recording.

    The page of a participant who joins after the change, and the workers of each new recording, have clocks that begin
    with the new time.
    """
    name = f"set-by-{seconds:g}"
    config = RecordConfig(record_name=name)
    alice, _ = room.join_all("alice", "bob", subscriber="alice")
    alice.page.evaluate("console.log('before')")
    alice.start_media_recording(record_config=config)
    began = time.monotonic()
    room.wait(seconds=2)
    with clock_set_by(seconds):
        changed_at = time.monotonic() - began
        alice.page.evaluate("console.log('after')")
        room.wait(seconds=1)
        room.join("carol")
        joined_at = time.monotonic() - began
        room.wait(seconds=3)
        alice.stop_media_recording()
        stopped_at = time.monotonic() - began
        first = alice.download_media_recording()
        alice.start_media_recording(record_config=config)
        second_wall = datetime.now(tz=UTC)
        room.wait(seconds=3)
        alice.stop_media_recording()
        second = alice.download_media_recording()

    offsets = []
    for recording in (first, second):
        bob = check_recording(recording).participant("bob")
        assert bob.av_offset_ms is not None
        offsets.append(bob.av_offset_ms.median)
    figures = ", ".join(
        f"{recording.duration:.2f} s with {offset:+.0f} ms"
        for recording, offset in zip((first, second), offsets, strict=True)
    )
    bar = f"{stopped_at:.2f} s and 3 s (+-0.5 s), at most +-200 ms"
    goals.measured(f"A/V offsets with the clock set by {seconds:+g} s", bar=bar, figure=figures, met=True)
    assert max(map(abs, offsets)) < 200
    assert stopped_at == pytest.approx(first.duration, abs=0.5)
    assert second.duration == pytest.approx(3, abs=0.5)
    assert (f"{name}.webm", f"{name}-2.webm") == (first.path.name, second.path.name)
    timeline = Manifest.read(first.manifest).timeline
    (carol,) = [event.at for event in timeline.events if event.event == "join" and event.participant == "carol"]
    assert changed_at < carol < joined_at + 0.5
    assert [event.at for event in timeline.events] == sorted(event.at for event in timeline.events)
    later = Manifest.read(second.manifest).timeline
    assert {"alice", "bob", "carol"} == {member.name for member in later.members}
    assert all(event.at < 0.5 for event in later.events if event.event == "join")
    assert abs((datetime.fromisoformat(second.started_at) - second_wall).total_seconds()) < 2
    times = {line.text: line.monotonic for line in alice.console if line.text in {"before", "after"}}
    assert times["before"] < times["after"]
