"""Rooms over Janus are recorded and verified like mesh rooms when participants join, leave, mute or crash."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING

import pytest

from harness import ConfigError, RecordConfig, Room, Routes, verify
from harness.launch import versions
from harness.recording.manifest import Manifest
from harness.server.room_server import RoomServer
from harness.server.rooms.routes import Sfu
from harness.server.serve_options import ServeOptions
from tests.support.program import run_harness
from tests.support.reports import check_recording

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from playwright.sync_api import BrowserContext

    from harness import Participant, Report
    from tests.support.servers.janus import Janus

SMALL = RecordConfig(record_name="call")
# JavaScript that returns the height of each other participant's received video, keyed by participant.
RECEIVED_HEIGHTS = """async () => Object.fromEntries(
  (await client.room.statistics()).map(({ participant, report }) => [
    participant,
    report.find(({ type, kind }) => type === 'inbound-rtp' && kind === 'video')?.frameHeight,
  ]),
)"""


def finish_and_verify(participant: Participant) -> Report:
    """Stop and download the recording, and check that its report contains no failures."""
    participant.stop_media_recording()
    return check_recording(participant.download_media_recording())


def test_recording_shows_when_participants_join_mute_and_leave(open_rooms: Callable[[], Room]) -> None:
    """Each participant sends every track once, and the recording participant receives all tracks on one connection."""
    room = open_rooms()
    alice, bob = room.join_all("alice", "bob")
    alice.start_media_recording(record_config=SMALL)
    room.wait(seconds=1.5)
    bob.mute()
    muted = alice.elapsed
    room.wait(seconds=1.5)
    bob.unmute()
    carol = room.join("carol")
    carol_joined = alice.elapsed
    room.wait(seconds=2)
    carol.leave()
    carol_left = alice.elapsed
    room.wait(seconds=1)
    dave = room.join("dave")
    dave_joined = alice.elapsed
    room.wait(seconds=1.5)

    report = finish_and_verify(alice)

    bob_report, carol_report = report.participant("bob"), report.participant("carol")
    assert bob_report.is_audible(0.3, muted - 0.3)
    assert not bob_report.is_audible(muted + 0.5, muted + 1.3)
    assert carol_report.is_audible(carol_joined + 0.3, carol_left - 0.3)
    assert carol_report.present[-1][1] == pytest.approx(carol_left, abs=0.7)
    # Janus reuses Carol's transceivers for Dave.
    assert report.participant(dave.name).is_audible(dave_joined + 0.3, dave_joined + 1.2)


def test_local_recording_over_janus_contains_no_other_participant(open_rooms: Callable[[], Room]) -> None:
    """The local recorder records only its own participant, even though all media pass through an SFU."""
    room = open_rooms()
    alice, _ = room.join_all("alice", "bob")
    alice.start_media_recording(recorder="local", record_config=SMALL)
    room.wait(seconds=2)

    report = finish_and_verify(alice)

    assert report.participant("alice").is_audible(0.5, 1.5)
    assert report.participant("bob").present == ()


@pytest.mark.thorough
def test_restart_of_janus_causes_only_a_gap(open_rooms: Callable[[], Room], janus: Janus) -> None:
    """If Janus restarts, all pages reconnect.

    The recording continues when Janus restarts, and the recording's timeline shows the interruption.
    """
    room = open_rooms()
    alice, bob = room.join_all("alice", "bob")
    alice.start_media_recording(record_config=SMALL)
    room.wait(seconds=1.5)
    janus.kill()
    room.wait(seconds=1)
    janus.start()
    restarted = alice.elapsed
    room.wait(seconds=4)
    alice.stop_media_recording()
    recording = alice.download_media_recording()

    report = verify(recording)

    assert recording.duration > 6
    bob_report = report.participant(bob.name)
    assert bob_report.is_audible(0.3, 1.2)
    assert bob_report.is_audible(restarted + 2.5, restarted + 3.5)
    network = [event.on for event in Manifest.read(recording.manifest).timeline.events if event.event == "network"]
    assert network[:2] == [False, True]


@pytest.mark.thorough
def test_participants_of_two_servers_meet_in_one_janus(open_rooms: Callable[[], Room]) -> None:
    """If two servers share one Janus, marker numbers and names are unique across both servers."""
    first, second = open_rooms(), open_rooms()
    (alice,) = first.join_all("alice", subscriber="alice")
    bob, other_alice = second.join_all("bob", "alice")
    first.wait_for(lambda: set(alice.others) == {"bob", "alice 2"}, what="the participants of the second server")
    alice.start_media_recording(record_config=SMALL)
    first.wait(seconds=2)
    bob.mute()
    muted = alice.elapsed
    first.wait(seconds=1.5)
    other_alice.leave()
    first.wait_for(lambda: alice.others == ["bob"], what="the other alice to leave")
    left = alice.elapsed
    first.wait(seconds=1)

    report = finish_and_verify(alice)

    assert {one.name for one in report.participants} == {"alice", "alice 2", "bob"}
    assert report.participant("bob").is_audible(0.3, muted - 0.3)
    assert not report.participant("bob").is_audible(muted + 0.5, muted + 1.3)
    assert report.participant("alice 2").present[-1][1] == pytest.approx(left, abs=0.7)


@pytest.mark.thorough
def test_twelve_participants_are_recorded_over_one_connection(open_rooms: Callable[[], Room]) -> None:
    """Twelve participants would overload one machine in a mesh, but not in a room over Janus."""
    room = open_rooms()
    names = [f"p{number}" for number in range(12)]
    participants = room.join_all(*names, timeout=60)
    participants[0].start_media_recording(record_config=SMALL)
    room.wait(seconds=3)

    report = finish_and_verify(participants[0])

    assert {one.name for one in report.participants} == set(names)
    assert all(report.participant(name).is_audible(1, 2.5) for name in names)


@pytest.mark.thorough
def test_video_is_received_in_the_subscribed_size(open_rooms: Callable[[], Room]) -> None:
    """With simulcast, a subscriber who requests a small size receives a smaller video than one who requests 720p."""
    room = open_rooms()
    _, bob, carol = room.join_all("alice", "bob", "carol")
    bob.page.evaluate("client.watch({ '*': { width: 1280, height: 720, frameRate: 30 } })")
    carol.page.evaluate("client.watch({ '*': { width: 320, height: 180, frameRate: 15 } })")

    def receives(subscriber: Participant, height: int) -> bool:
        return bool(height == subscriber.page.evaluate(RECEIVED_HEIGHTS).get("alice"))

    for subscriber, height in ((bob, 720), (carol, 180)):
        room.wait_for(
            partial(receives, subscriber, height),
            what=f"{subscriber.name} to receive alice's video with a height of {height} pixels",
        )


def test_room_over_janus_is_recorded_from_the_command_line(
    janus: Janus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``harness record`` reads Janus's secret from the environment and never prints it."""
    monkeypatch.setenv("HARNESS_SFU_SECRET", janus.secret)

    ran = run_harness(
        *("record", "alice", "bob", "--sfu", f"janus={janus.url}", "--seconds", "2", "--json"), folder=tmp_path
    )

    assert ran.returncode in {0, 1}, ran.stderr
    (report,) = json.loads(ran.stdout)["reports"]
    assert [one["name"] for one in report["participants"]] == ["alice", "bob"]
    assert "WebRTC media is now available" in janus.log
    assert janus.secret not in ran.stdout + ran.stderr


@pytest.mark.parametrize("fault", ["wrong secret", "expired"])
def test_invalid_janus_token_is_reported(
    janus: Janus, new_context: Callable[..., BrowserContext], tmp_path: Path, fault: str
) -> None:
    """If the Janus token is invalid, the error contains the remedy, and the room stays empty."""
    sfu = (
        Sfu(janus.url, "not the secret of Janus")
        if fault == "wrong secret"
        else Sfu(janus.url, janus.secret, valid_for=-5)
    )
    with (
        RoomServer(recordings=tmp_path, versions=versions(), options=ServeOptions(routes=Routes(sfu=sfu))) as server,
        Room(server=server, new_context=new_context, recordings=tmp_path) as room,
    ):
        with pytest.raises(ConfigError, match=r"rejected the token .*HARNESS_SFU_SECRET"):
            room.join("alice")

        room.wait_for(lambda: not server._web_app.signaling.rooms, what="the room to be empty")


def test_janus_that_does_not_answer_is_reported(
    janus: Janus, new_context: Callable[..., BrowserContext], tmp_path: Path
) -> None:
    """If Janus does not answer, the error contains its address."""
    janus.kill()
    routes = Routes(sfu=Sfu(janus.url, janus.secret))
    with (
        RoomServer(recordings=tmp_path, versions=versions(), options=ServeOptions(routes=routes)) as server,
        Room(server=server, new_context=new_context, recordings=tmp_path) as room,
        pytest.raises(ConfigError, match=f"Could not connect to Janus at {janus.url}"),
    ):
        room.join("alice")
