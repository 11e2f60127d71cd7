"""The public API as a type checker sees it; never run, only checked."""

from pathlib import Path

from playwright.sync_api import Page

from harness import (
    Expectation,
    Limits,
    NertcApp,
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


def record_somebody() -> Recording:
    """Use every part of the API with the types that it promises."""
    with open_room(recordings="recordings", name="standup", executable=None, headed=False, port=0) as room:
        alice: Participant = room.join("alice", media="synthetic", subscribe=True)
        people: list[Participant] = room.join_all("bob", "carol")
        config = RecordConfig(record_name="standup", record_video_quality="720p", record_video_frame=30)
        alice.start_media_recording(recorder="all", record_config=config)
        room.wait(seconds=5)
        room.wait_for(lambda: len(people) == 2, timeout=3, what="two people")
        alice.stop_media_recording()
        recording = alice.download_media_recording()
        alice.clean_media_recording()
        alice.leave()
        kept: list[Recording] = [*alice.recordings, *room.recordings]
        title: str = alice.page.title()
        del kept, title
    return recording


def verify_recording(recording: Recording | Path | str) -> Report:
    """Read the report."""
    report = verify(recording, duration=5.0, limits=Limits(), expect=[Expectation(participant="bob", start=1, end=3)])
    report.raise_for_failures()
    ok: bool = report.ok
    bob = report.participant("bob")
    present: bool = bob.is_audible(1, 3) and bob.is_visible(1, 3)
    del ok, present
    return report


def rescued(error: RecordingError) -> Recording | None:
    """Find what was saved of a recording that broke."""
    return error.recording


def empty(room: Room) -> int:
    """Count the participants."""
    return len(room.participants)


def elsewhere(room: Room, page: Page) -> Path:
    """Record somebody else's application, and let NERTC's own recorder do it."""
    alice: Participant = room.attach(page, "alice", media="synthetic")
    bob: Participant = room.enter("bob", media="own", ignore_https_errors=True)
    others: list[str] = alice.others
    with attach(page, "alice", recordings="recordings") as recorder:
        recorder.start_media_recording(recorder="local")
    app = NertcApp(page, client="window.rtc.client", recordings="recordings")
    app.join(channelName="room", uid=1)
    app.start_media_recording(recorder="all", record_config=RecordConfig(record_name="theirs"))
    app.stop_media_recording()
    path: Path = app.download_media_recording()
    app.clean_media_recording()
    del bob, others
    return path
