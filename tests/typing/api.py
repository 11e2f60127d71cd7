"""Examples of the public API that mypy checks; this file is never run."""

from pathlib import Path

from playwright.sync_api import Page

from harness import (
    Expectation,
    Limits,
    NertcApp,
    Observation,
    Participant,
    RecordConfig,
    Recording,
    Report,
    Room,
    attach,
    open_room,
    verify,
)
from harness.errors import RecordingError


def record_call() -> Recording:
    """Record a call in a room."""
    with open_room(recordings="recordings", name="standup", executable=None, headed=False, port=0) as room:
        alice: Participant = room.join("alice", media="synthetic", subscribe=True)
        others: list[Participant] = room.join_all("bob", "carol")
        config = RecordConfig(record_name="standup", record_video_quality="720p", record_video_frame=30)
        alice.start_media_recording(recorder="all", record_config=config)
        room.wait(seconds=5)
        room.wait_for(lambda: len(others) == 2, timeout=3, what="two other participants")
        alice.stop_media_recording()
        recording = alice.download_media_recording()
        alice.clean_media_recording()
        alice.leave()
        recordings: list[Recording] = [*alice.recordings, *room.recordings]
        title: str = alice.page.title()
        del recordings, title
    return recording


def verify_recording(recording: Recording | Path | str) -> Report:
    """Verify a recording and use its report."""
    report = verify(recording, duration=5.0, limits=Limits(), expect=[Expectation(participant="bob", start=1, end=3)])
    report.raise_for_failures()
    ok: bool = report.ok
    bob = report.participant("bob")
    perceptible: bool = bob.is_audible(1, 3) and bob.is_visible(1, 3)
    del ok, perceptible
    return report


def rescued(error: RecordingError) -> Recording | None:
    """Return the part of a failed recording that was saved."""
    return error.recording


def participant_count(room: Room) -> int:
    """Return the number of participants in a room."""
    return len(room.participants)


def record_other_application(room: Room, page: Page) -> Path:
    """Record a call in another application, first with our recorder, then with NERTC's."""
    alice: Participant = room.attach(page, "alice", media="synthetic")
    bob: Participant = room.enter("bob", media="own", ignore_https_errors=True)
    others: list[str] = alice.others
    with attach(page, "alice", recordings="recordings") as recorder:
        recorder.start_media_recording(recorder="local")
    app = NertcApp(page, client="window.rtc.client", recordings="recordings")
    app.join(channelName="room", uid=1)
    app.start_media_recording(recorder="all", record_config=RecordConfig(record_name="standup"))
    app.stop_media_recording()
    path: Path = app.download_media_recording()
    app.clean_media_recording()
    del bob, others
    return path


def observe_other_recorder(room: Room, file: Path) -> Report:
    """Observe a call that another program records, and compare its file with the observation."""
    with room.observe("call") as observation:
        room.wait(seconds=5)
    observations: list[Observation] = room.observations
    manifest: Path = observation.manifest
    stopped: bool = observation.finished and not observation.running and observation.stop() == manifest
    del observations, stopped
    return verify(file, manifest=manifest, expected=["alice"])
