"""A room over Janus: participants who come, leave, mute and fail are recorded and verified as in a mesh."""

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
# How large pictures of the others come, by who they are.
HEIGHTS = """async () => Object.fromEntries(
  (await client.room.statistics()).map(({ participant, report }) => [
    participant,
    report.find(({ type, kind }) => type === 'inbound-rtp' && kind === 'video')?.frameHeight,
  ]),
)"""


def finish_and_verify(participant: Participant) -> Report:
    """Stop, download, and return a report without failures."""
    participant.stop_media_recording()
    return check_recording(participant.download_media_recording())


def test_a_participant_who_comes_mutes_and_leaves_does_so_in_the_recording(open_rooms: Callable[[], Room]) -> None:
    """Everybody sends once; the one who records receives them all by one connection."""
    room = open_rooms()
    alice, bob = room.join_all("alice", "bob")
    alice.start_media_recording(record_config=SMALL)
    room.wait(seconds=1.5)
    bob.mute()
    muted = alice.elapsed
    room.wait(seconds=1.5)
    bob.unmute()
    carol = room.join("carol")
    came = alice.elapsed
    room.wait(seconds=2)
    carol.leave()
    left = alice.elapsed
    room.wait(seconds=1)
    dave = room.join("dave")
    again = alice.elapsed
    room.wait(seconds=1.5)

    report = finish_and_verify(alice)

    bob_was, carol_was = report.participant("bob"), report.participant("carol")
    assert bob_was.is_audible(0.3, muted - 0.3)
    assert not bob_was.is_audible(muted + 0.5, muted + 1.3)
    assert carol_was.is_audible(came + 0.3, left - 0.3)
    assert carol_was.present[-1][1] == pytest.approx(left, abs=0.7)
    # In the place of carol, as far as Janus is concerned.
    assert report.participant(dave.name).is_audible(again + 0.3, again + 1.2)


def test_a_local_recording_by_janus_contains_no_other_participant(open_rooms: Callable[[], Room]) -> None:
    """Also where everything passes by a server."""
    room = open_rooms()
    alice, _ = room.join_all("alice", "bob")
    alice.start_media_recording(recorder="local", record_config=SMALL)
    room.wait(seconds=2)

    report = finish_and_verify(alice)

    assert report.participant("alice").is_audible(0.5, 1.5)
    assert report.participant("bob").present == ()


@pytest.mark.thorough
def test_a_restart_of_janus_costs_only_a_gap(open_rooms: Callable[[], Room], janus: Janus) -> None:
    """All pages connect again; the recording goes on and shows when each participant was cut off."""
    room = open_rooms()
    alice, bob = room.join_all("alice", "bob")
    alice.start_media_recording(record_config=SMALL)
    room.wait(seconds=1.5)
    janus.kill()
    room.wait(seconds=1)
    janus.start()
    back = alice.elapsed
    room.wait(seconds=4)
    alice.stop_media_recording()
    recording = alice.download_media_recording()

    report = verify(recording)

    assert recording.duration > 6
    bob_was = report.participant(bob.name)
    assert bob_was.is_audible(0.3, 1.2)
    assert bob_was.is_audible(back + 2.5, back + 3.5)
    told = [event.on for event in Manifest.read(recording.manifest).timeline.events if event.event == "network"]
    assert told[:2] == [False, True]


@pytest.mark.thorough
def test_participants_of_two_servers_meet_in_one_janus(open_rooms: Callable[[], Room]) -> None:
    """They share nothing else; numbers and names are made unlike across both."""
    here, there = open_rooms(), open_rooms()
    (alice,) = here.join_all("alice", subscriber="alice")
    bob, other_alice = there.join_all("bob", "alice")
    here.wait_for(lambda: set(alice.others) == {"bob", "alice 2"}, what="the people of the other server")
    alice.start_media_recording(record_config=SMALL)
    here.wait(seconds=2)
    bob.mute()
    muted = alice.elapsed
    here.wait(seconds=1.5)
    other_alice.leave()
    here.wait_for(lambda: alice.others == ["bob"], what="the other alice to be gone")
    left = alice.elapsed
    here.wait(seconds=1)

    report = finish_and_verify(alice)

    assert {one.name for one in report.participants} == {"alice", "alice 2", "bob"}
    assert report.participant("bob").is_audible(0.3, muted - 0.3)
    assert not report.participant("bob").is_audible(muted + 0.5, muted + 1.3)
    assert report.participant("alice 2").present[-1][1] == pytest.approx(left, abs=0.7)


@pytest.mark.thorough
def test_twelve_participants_are_recorded_over_one_connection(open_rooms: Callable[[], Room]) -> None:
    """As many as a mesh on one machine is too dear for."""
    room = open_rooms()
    names = [f"p{number}" for number in range(12)]
    people = room.join_all(*names, timeout=60)
    people[0].start_media_recording(record_config=SMALL)
    room.wait(seconds=3)

    report = finish_and_verify(people[0])

    assert {one.name for one in report.participants} == set(names)
    assert all(report.participant(name).is_audible(1, 2.5) for name in names)


@pytest.mark.thorough
def test_video_is_received_in_the_subscribed_size(open_rooms: Callable[[], Room]) -> None:
    """One sender, two sizes (simulcast): small for a subscriber of a tile, large for one of the whole video."""
    room = open_rooms()
    _, bob, carol = room.join_all("alice", "bob", "carol")
    bob.page.evaluate("client.watch({ '*': { width: 1280, height: 720, frameRate: 30 } })")
    carol.page.evaluate("client.watch({ '*': { width: 320, height: 180, frameRate: 15 } })")

    def receives(who: Participant, height: int) -> bool:
        return bool(height == who.page.evaluate(HEIGHTS).get("alice"))

    for who, height in ((bob, 720), (carol, 180)):
        room.wait_for(
            partial(receives, who, height),
            what=f"alice's picture, {height} high, at {who.name}'s",
        )


def test_a_room_over_janus_is_recorded_from_the_command_line(
    janus: Janus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The secret is nowhere on the command line."""
    monkeypatch.setenv("HARNESS_SFU_SECRET", janus.secret)

    ran = run_harness(
        *("record", "alice", "bob", "--sfu", f"janus={janus.url}", "--seconds", "2", "--json"), folder=tmp_path
    )

    assert ran.returncode in {0, 1}, ran.stderr
    (report,) = json.loads(ran.stdout)["reports"]
    assert [one["name"] for one in report["participants"]] == ["alice", "bob"]
    assert "WebRTC media is now available" in janus.log
    assert janus.secret not in ran.stdout + ran.stderr


@pytest.mark.parametrize("wrong", ["signed by another", "too old"])
def test_an_invalid_janus_token_is_reported(
    janus: Janus, new_context: Callable[..., BrowserContext], tmp_path: Path, wrong: str
) -> None:
    """With what would help, and nobody stays behind in the room."""
    sfu = (
        Sfu(janus.url, "not Janus's own")
        if wrong == "signed by another"
        else Sfu(janus.url, janus.secret, valid_for=-5)
    )
    with (
        RoomServer(recordings=tmp_path, versions=versions(), options=ServeOptions(routes=Routes(sfu=sfu))) as server,
        Room(server=server, new_context=new_context, recordings=tmp_path) as room,
    ):
        with pytest.raises(ConfigError, match=r"rejected the token .*HARNESS_SFU_SECRET"):
            room.join("alice")

        room.wait_for(lambda: not server._web_app.signaling.rooms, what="nobody in the room")


def test_a_janus_that_does_not_answer_is_reported(
    janus: Janus, new_context: Callable[..., BrowserContext], tmp_path: Path
) -> None:
    """At once, with its address."""
    janus.kill()
    routes = Routes(sfu=Sfu(janus.url, janus.secret))
    with (
        RoomServer(recordings=tmp_path, versions=versions(), options=ServeOptions(routes=routes)) as server,
        Room(server=server, new_context=new_context, recordings=tmp_path) as room,
        pytest.raises(ConfigError, match=f"Could not connect to Janus at {janus.url}"),
    ):
        room.join("alice")
