"""Recordings survive a temporary or permanent loss of the network between page and server."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from harness import RecordConfig, Room, verify
from harness.recording.manifest import Manifest
from tests.support.network.proxy import Network
from tests.support.reports import check_recording

# JavaScript that sends a message from Bob's page, and an expression that is true once Alice's page has received it.
ANNOUNCE_SCREEN = "client.room.announce({ audio: true, video: true, screen: true })"
SHARES = "[...client.room.participants.values()].some((member) => member.name === 'bob' && member.info.screen)"


def test_a_cut_connection_reconnects_and_nothing_is_lost(far_room: Room, network: Network) -> None:
    """After a network outage, delayed data and messages still arrive, and all participants stay in the room."""
    alice, bob = far_room.join_all("alice", "bob")
    stalls: list[object] = []
    alice.on("recording-stalled", stalls.append)
    alice.start_media_recording(recorder="all", record_config=RecordConfig(record_name="cut"))
    far_room.wait(seconds=0.5)
    network.cut()
    far_room.wait(seconds=1)
    bob.page.evaluate(ANNOUNCE_SCREEN)
    far_room.wait(seconds=1)
    network.mend()
    far_room.wait_for(lambda: alice.page.evaluate(SHARES), what="bob's announcement")
    far_room.wait(seconds=0.5)
    alice.stop_media_recording()

    recording = alice.download_media_recording()

    check_recording(recording)
    manifest = Manifest.read(recording.manifest)
    assert 3 < recording.duration < 7
    assert recording.recovered is None
    assert "Lost connection to the server." in manifest.alarms
    assert stalls
    assert ("leave", "bob") not in [(event.event, event.participant) for event in manifest.timeline.events]


def test_a_permanently_cut_connection_leaves_the_received_data(far_room: Room, network: Network) -> None:
    """If the connection is never restored, the received data becomes a valid file, whose manifest states the reason."""
    alice = far_room.join("alice")
    alice.start_media_recording(recorder="local", record_config=RecordConfig(record_name="away"))
    far_room.wait(seconds=1)
    elapsed = alice.get_media_recording().elapsed
    network.cut()
    alice.page.close()

    alice.close()

    (recording,) = alice.recordings
    assert recording.recovered is not None
    assert recording.duration == pytest.approx(elapsed, abs=0.7)
    check_recording(recording)


def _namespaces_work() -> bool:
    unshare = shutil.which("unshare")
    return unshare is not None and subprocess.run([unshare, "--net", "true"], check=False).returncode == 0


def test_a_recording_survives_a_network_that_is_down_for_a_while(tmp_path: Path) -> None:
    """After an outage in which packets are lost, all media and both WebSockets continue to work."""
    if not _namespaces_work():
        pytest.skip("Creating a network namespace requires Linux, unshare and root.")
    program = ["unshare", "--net", sys.executable, "-m", "tests.support.network.namespace", str(tmp_path)]

    ended = subprocess.run(program, capture_output=True, text=True, check=False, timeout=120)

    assert ended.returncode == 0, ended.stderr
    recording = json.loads(ended.stdout)
    report = verify(recording["path"])
    manifest = Manifest.read(Path(recording["manifest"]))
    assert recording["recovered"] is None
    assert 6 < recording["duration"] < 11
    # Alice's media come from the recording page itself, so only Bob's are affected by the network.
    assert [] == [one for one in report.failures if one.participant == "alice"], report.failures
    assert manifest.alarms
    bob = report.participant("bob")
    assert bob.video is not None
    assert bob.present[-1][1] > recording["duration"] - 0.5
    assert all(end < recording["duration"] - 0.5 for _, end in bob.video.frozen)
    assert ("leave", "bob") not in [(event.event, event.participant) for event in manifest.timeline.events]
