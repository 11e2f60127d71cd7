"""Something stalls while a recording runs: an alarm comes within two seconds, and the file stays valid."""

import pytest

from harness import RecordConfig, Room, verify
from harness.recording.manifest import Manifest
from tests.support.goals import Goals

# What happens to the page that is named, what the alarm says, and whether the page that records can tell it.
STALLS = [
    ("bob", "client.media.fit = () => {}; client.media.close()", "comes from bob.", True),
    (
        "alice",
        "{ const end = performance.now() + 2600; while (performance.now() < end); }",
        "The page has stopped sending data.",
        # The call lasts longer than the alarm may take.
        False,
    ),
]


@pytest.mark.parametrize(("who", "stall", "alarm", "told"), STALLS, ids=["frozen sender", "blocked main thread"])
def test_a_stall_raises_an_alarm(room: Room, goals: Goals, who: str, stall: str, alarm: str, *, told: bool) -> None:
    """The alarm is in the manifest within two seconds of the stall, and the recording can be stopped as ever."""
    people = {one.name: one for one in room.join_all("alice", "bob")}
    alice = people["alice"]
    alice.start_media_recording(recorder="all", record_config=RecordConfig(record_name="stall"))
    room.wait(seconds=0.7)
    before = alice.get_media_recording().elapsed
    people[who].page.evaluate(f"() => {{ {stall} }}")
    if told:
        room.wait_for(lambda: alarm in (alice.get_media_recording().alarm or ""), what="the alarm")
    alice.stop_media_recording()

    recording = alice.download_media_recording()

    events = Manifest.read(recording.manifest).timeline.events
    alarms = [event for event in events if event.event == "alarm" and alarm in (event.message or "")]
    assert alarms, events
    # The call before the stall, and the file's zero after the recorder's start, take some frames.
    after = alarms[0].at - before
    goals.measured(f"alarm: {alarm}", bar="within 2 s", figure=f"after {after:.1f} s", met=after <= 2.2)
    assert verify(recording).media is not None


def test_a_suspended_audio_context_is_resumed(room: Room) -> None:
    """An AudioContext that was suspended resumes by itself, and the audio goes on."""
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
    alice.start_media_recording(recorder="local", record_config=RecordConfig(record_name="woken"))
    room.wait(seconds=0.5)
    alice.page.evaluate("() => Promise.all(window.contexts.map((context) => context.suspend()))")
    room.wait(seconds=2)
    alice.stop_media_recording()

    recording = alice.download_media_recording()

    audio = verify(recording).participant("alice").audio
    assert audio is not None
    assert audio.audible[-1][1] > recording.duration - 0.6
