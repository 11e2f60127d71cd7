"""Helpers for calls in other applications: wait until all participants are in the call, and record it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from harness import RecordConfig

if TYPE_CHECKING:
    from harness import Participant, Recording, Room
    from harness.recording.config import Recorder

SMALL = RecordConfig(record_name="call")


def meet(room: Room, *participants: Participant) -> None:
    """Wait until every participant's page lists all other participants."""
    names = {participant.name for participant in participants}
    for one in participants:
        others = names - {one.name}
        room.wait_for(partial(_lists, one, others), what=f"everybody in {one.name}'s page", timeout=20)


def _lists(participant: Participant, others: set[str]) -> bool:
    """Return whether a participant's page lists exactly the given other participants."""
    return others == set(participant.others)


def record_call(room: Room, participant: Participant, seconds: float = 3.0, recorder: Recorder = "all") -> Recording:
    """Record for a while, and return the downloaded recording."""
    participant.start_media_recording(recorder=recorder, record_config=SMALL)
    room.wait(seconds=seconds)
    participant.stop_media_recording()
    return participant.download_media_recording()
