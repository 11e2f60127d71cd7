"""When a sender or a page stalls during a recording, an alarm is raised within two seconds and the file stays valid."""

import signal

import pytest

from harness import RecordConfig, Room, verify
from harness.recording.manifest import Manifest
from tests.support.goals import Goals
from tests.support.processes import chrome_processes

pytestmark = pytest.mark.alone

# The page that stalls, the code that stalls it, the alarm's text, and whether the recording page can report the alarm.
STALLS = [
    ("bob", "client.media.fit = () => {}; client.media.close()", "is arriving from bob.", True),
    (
        "alice",
        "{ const end = performance.now() + 2600; while (performance.now() < end); }",
        "The page has stopped sending data.",
        # The page can't report the alarm, because it is still blocked when the alarm is raised.
        False,
    ),
]


@pytest.mark.parametrize(
    ("name", "stall", "alarm", "is_reported"), STALLS, ids=["frozen sender", "blocked main thread"]
)
def test_a_stall_raises_an_alarm(
    room: Room, goals: Goals, name: str, stall: str, alarm: str, *, is_reported: bool
) -> None:
    """The manifest contains an alarm within two seconds of the stall, and the recording can be stopped as usual."""
    participants = {one.name: one for one in room.join_all("alice", "bob")}
    alice = participants["alice"]
    alice.start_media_recording(recorder="all", record_config=RecordConfig(record_name="stall"))
    room.wait(seconds=0.7)
    before = alice.get_media_recording().elapsed
    participants[name].page.evaluate(f"() => {{ {stall} }}")
    if is_reported:
        room.wait_for(lambda: alarm in (alice.get_media_recording().alarm or ""), what="the alarm")
    alice.stop_media_recording()

    recording = alice.download_media_recording()

    events = Manifest.read(recording.manifest).timeline.events
    alarms = [event for event in events if event.event == "alarm" and alarm in (event.message or "")]
    assert alarms, events
    # The tolerance of 0.2 s covers the delay of the evaluate call, and the delay between the recorder's start and the
    # file's time zero.
    after = alarms[0].at - before
    goals.measured(f"time to the alarm: {alarm}", bar="within 2 s", figure=f"after {after:.1f} s", met=after <= 2.2)
    assert verify(recording).media is not None


def test_a_suspended_audio_context_is_resumed(room: Room) -> None:
    """The recorder resumes a suspended AudioContext, and the recorded audio continues."""
    alice = room.join("alice")
    alice.page.evaluate(
        """() => {
            const Real = window.AudioContext;
            window.contexts = [];
            window.AudioContext = class extends Real {
                constructor(...options) { super(...options); window.contexts.push(this); }
            };
        }"""
    )
    alice.start_media_recording(recorder="local", record_config=RecordConfig(record_name="resumed"))
    room.wait(seconds=0.5)
    alice.page.evaluate("() => Promise.all(window.contexts.map((context) => context.suspend()))")
    room.wait(seconds=2)
    alice.stop_media_recording()

    recording = alice.download_media_recording()

    audio = verify(recording).participant("alice").audio
    assert audio is not None
    assert audio.audible[-1][1] > recording.duration - 0.6


@pytest.mark.starves
def test_frames_that_a_machine_did_not_paint_are_told_apart_from_lost_ones(room: Room) -> None:
    """A sender's process stops three times for a fifth of a second, and the report states why frames are missing.

    Each stop lasts three frames. The first two of them are more than a frame late; the third can be less than that.
    """
    alice = room.join("alice")
    others = chrome_processes("--type=renderer")
    room.join("bob")
    renderers = chrome_processes("--type=renderer", besides=others)
    alice.start_media_recording(recorder="all", record_config=RecordConfig(record_name="unpainted"))
    for _ in range(3):
        room.wait(seconds=1)
        for renderer in renderers:
            renderer.send_signal(signal.SIGSTOP)
        room.wait(seconds=0.2)
        for renderer in renderers:
            renderer.send_signal(signal.SIGCONT)
    room.wait(seconds=2)
    alice.stop_media_recording()

    report = verify(alice.download_media_recording())

    video = report.participant("bob").video
    assert video is not None
    assert round(video.late_percent * video.frames / 100) >= 3 * 2
    assert video.repeated_percent > 0 or video.frozen
    (finding,) = [one for one in report.findings if (one.check, one.participant) == ("repeated", "bob")]
    assert "were painted too late or not at all, because bob's machine was too busy." in finding.message
