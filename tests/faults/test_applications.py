"""Faults in another application's page have the same effects as faults in our own page."""

import signal

import pytest

from harness import Participant, RecordConfig, Room, verify
from harness.recording.manifest import Manifest
from tests.faults.test_services import SERVICES, silent_stalls
from tests.support.goals import Goals
from tests.support.network.proxy import Network
from tests.support.processes import chrome_processes
from tests.support.reports import check_recording
from tests.support.servers.application_site import Site

pytestmark = pytest.mark.thorough


def enter(room: Room, site: Site, name: str) -> Participant:
    """Join the application's call as a participant."""
    participant = room.enter(name, ignore_https_errors=True)
    participant.page.goto(f"{site.url}/simple-peer.html?room={id(room)}")
    return participant


def alarm_of(participant: Participant, words: str) -> float:
    """Stop and download the recording; return the time, in seconds, of the alarm that contains the given words."""
    participant.stop_media_recording()
    recording = participant.download_media_recording()
    events = Manifest.read(recording.manifest).timeline.events
    (alarm, *_) = [event for event in events if event.event == "alarm" and words in (event.message or "")]
    return alarm.at


def test_a_cut_connection_reconnects_and_nothing_is_lost(far_room: Room, network: Network, site: Site) -> None:
    """Once the server can be reached again, the page sends the delayed chunks in order."""
    alice, bob = (enter(far_room, site, name) for name in ("alice", "bob"))
    far_room.wait_for(lambda: alice.others == ["bob"], what="bob")
    alice.start_media_recording(record_config=RecordConfig(record_name="cut"))
    far_room.wait(seconds=1)
    network.cut()
    far_room.wait(seconds=2)
    network.mend()
    far_room.wait(seconds=2)
    alice.stop_media_recording()

    recording = alice.download_media_recording()

    check_recording(recording)
    assert 4.5 < recording.duration < 8
    assert recording.recovered is None
    assert "Lost connection to the server." in Manifest.read(recording.manifest).alarms
    assert bob.alive


def test_a_sender_that_freezes_raises_an_alarm(room: Room, site: Site, goals: Goals) -> None:
    """An alarm is raised when the sender's process is stopped, although its page and connections still exist."""
    alice = enter(room, site, "alice")
    others = chrome_processes("--type=renderer")
    enter(room, site, "bob")
    room.wait_for(lambda: alice.others == ["bob"], what="bob")
    # Chrome starts a spare renderer in addition to Bob's.
    renderers = chrome_processes("--type=renderer", besides=others)
    alice.start_media_recording(record_config=RecordConfig(record_name="frozen"))
    room.wait(seconds=1)
    before = alice.get_media_recording().elapsed
    for renderer in renderers:
        renderer.send_signal(signal.SIGSTOP)
    try:
        alice.wait(2.5)
        after = alarm_of(alice, "is arriving from bob.") - before
    finally:
        for renderer in renderers:
            renderer.send_signal(signal.SIGCONT)

    goals.measured(
        "alarm after an application's sender freezes", bar="within 2 s", figure=f"after {after:.1f} s", met=after <= 2.2
    )


def test_a_blocked_page_raises_an_alarm(room: Room, site: Site, goals: Goals) -> None:
    """An alarm is raised when the application's code blocks the page's main thread."""
    alice = enter(room, site, "alice")
    enter(room, site, "bob")
    room.wait_for(lambda: alice.others == ["bob"], what="bob")
    alice.start_media_recording(record_config=RecordConfig(record_name="blocked"))
    room.wait(seconds=1)
    before = alice.get_media_recording().elapsed
    alice.page.evaluate("() => { const end = performance.now() + 2600; while (performance.now() < end); }")
    room.wait(seconds=0.2)

    after = alarm_of(alice, "The page has stopped sending data.") - before

    goals.measured(
        "alarm after an application blocks its page", bar="within 2 s", figure=f"after {after:.1f} s", met=after <= 2.2
    )


def test_stall_after_a_killed_audio_service_raises_an_alarm(room: Room, site: Site) -> None:
    """The recording continues when a participant is no longer audible, and an alarm names the participant."""
    others = chrome_processes(SERVICES["audio"])
    alice = enter(room, site, "alice")
    enter(room, site, "bob")
    room.wait_for(lambda: alice.others == ["bob"], what="bob")
    alice.start_media_recording(record_config=RecordConfig(record_name="killed"))
    room.wait(seconds=1)
    for process in chrome_processes(SERVICES["audio"], besides=others) or chrome_processes(SERVICES["audio"]):
        process.kill()
    room.wait(seconds=3)
    recording = alice.download_media_recording()

    assert recording.duration > 3.5
    assert [] == silent_stalls(verify(recording), recording)
