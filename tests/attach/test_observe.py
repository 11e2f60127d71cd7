"""Synthetic participants are observed in a call that another program records, and the recording is compared with it."""

from __future__ import annotations

import base64
import json
import os
import signal
from typing import TYPE_CHECKING, Final

import pytest

from harness import InvalidStateError, PageError, Participant, verify
from harness.recording.manifest import ObservationManifest
from tests.support.application_calls import meet
from tests.support.program import run_harness, running_harness
from tests.support.reports import LENIENT_LIMITS, audible_share

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from harness import Report, Room
    from tests.support.servers.application_site import Site

    Enter = Callable[..., Participant]

# Another recorder, in the application's own page: draws our own video and the other participant's video next to each
# other on a canvas, mixes the audio, and records both.
_START: Final = """async (everybody) => {
  const own = await navigator.mediaDevices.getUserMedia({ audio: true, video: { width: 640, height: 360 } });
  const theirs = document.querySelector('video[id^=of-]').srcObject;
  const streams = everybody ? [own, theirs] : [own];
  const videos = await Promise.all(streams.map(async (stream) => {
    const video = document.createElement('video');
    Object.assign(video, { srcObject: stream, muted: true });
    await video.play();
    return video;
  }));
  const canvas = Object.assign(document.createElement('canvas'), { width: 640, height: 360 });
  const context = canvas.getContext('2d');
  const draw = () => videos.forEach((video, index) =>
    everybody ? context.drawImage(video, 320 * index, 90, 320, 180) : context.drawImage(video, 0, 0, 640, 360));
  const timer = setInterval(draw, 33);
  const audio = new AudioContext();
  const mixed = audio.createMediaStreamDestination();
  for (const stream of streams) audio.createMediaStreamSource(stream).connect(mixed);
  const tracks = [...canvas.captureStream(30).getTracks(), ...mixed.stream.getTracks()];
  const recorder = new MediaRecorder(new MediaStream(tracks), { mimeType: 'video/webm;codecs=vp8,opus' });
  const parts = [];
  recorder.ondataavailable = ({ data }) => parts.push(data);
  recorder.start(200);
  window.finishRecording = async () => {
    const stopped = new Promise((resolve) => (recorder.onstop = resolve));
    recorder.stop();
    await stopped;
    clearInterval(timer);
    const bytes = new Uint8Array(await new Blob(parts).arrayBuffer());
    return btoa(bytes.reduce((text, byte) => text + String.fromCharCode(byte), ''));
  };
}"""


class PageRecorder:
    """A recorder in an application's page, which knows nothing about the harness."""

    def __init__(self, participant: Participant, *, everybody: bool = True) -> None:
        self._page = participant.page
        self._page.evaluate(_START, everybody)

    def finish(self, path: Path) -> Path:
        """Stop recording, and write the file."""
        path.write_bytes(base64.b64decode(self._page.evaluate("() => window.finishRecording()")))
        return path


def messages(report: Report, check: str, result: str) -> list[str]:
    """Return the messages of a check's findings with a result."""
    return [one.message for one in report.findings if (one.check, one.result) == (check, result)]


@pytest.fixture
def call(room: Room, enter: Enter, site: Site) -> tuple[Participant, Participant]:
    """Return alice and bob, who are in a call."""
    alice, bob = (enter(f"{site.url}/simple-peer.html", name) for name in ("alice", "bob"))
    meet(room, alice, bob)
    return alice, bob


def test_recording_of_another_recorder_is_compared_with_the_observation(
    room: Room, call: tuple[Participant, Participant], tmp_path: Path
) -> None:
    """The recorder starts after the observation and stops before it. Bob mutes himself in between."""
    alice, bob = call
    with room.observe("observed") as observation:
        room.wait(seconds=1.5)
        recorder = PageRecorder(alice)
        room.wait(seconds=2.5)
        bob.page.get_by_role("button", name="Mute").click()
        room.wait(seconds=2.5)
        file = recorder.finish(tmp_path / "theirs.webm")
        room.wait(seconds=1)

    report = verify(file, manifest=observation.manifest, expected=["alice", "bob"], limits=LENIENT_LIMITS)

    assert [] == messages(report, "presence", "failed"), report
    assert [] == messages(report, "presence", "unverified"), report
    assert [] == messages(report, "unexpected", "failed"), report
    (covered,) = messages(report, "alignment", "passed")
    start, end = (float(covered.split()[index]) for index in (3, 5))
    assert 1.2 < start < 3.5
    assert 4.0 < end - start < 8.0
    assert audible_share(report.participant("bob"), 0.5, 2.0) > 0.6
    assert audible_share(report.participant("bob"), end - start - 1.0, end - start) < 0.1
    assert [] == list(observation.manifest.parent.glob("observed*.webm"))


def test_participant_who_is_missing_in_the_file_is_found(
    room: Room, call: tuple[Participant, Participant], tmp_path: Path
) -> None:
    """The other recorder has recorded only alice."""
    alice, _ = call
    with room.observe() as observation:
        recorder = PageRecorder(alice, everybody=False)
        room.wait(seconds=4)
        file = recorder.finish(tmp_path / "theirs.webm")

    report = verify(file, manifest=observation.manifest, limits=LENIENT_LIMITS)

    failed = [one.participant for one in report.failures if one.check == "presence"]
    assert ["bob", "bob"] == failed, report
    assert "alice" in [one.participant for one in report.findings if (one.check, one.result) == ("presence", "passed")]


def test_manifest_contains_joins_mutes_and_leaves(
    room: Room, call: tuple[Participant, Participant], enter: Enter, site: Site
) -> None:
    """Carol joins late, bob mutes himself, and then hangs up."""
    _, bob = call
    observation = room.observe("scripted")
    room.wait(seconds=0.5)
    carol = enter(f"{site.url}/simple-peer.html", "carol")
    meet(room, *call, carol)
    bob.page.get_by_role("button", name="Mute").click()
    room.wait(seconds=0.5)
    bob.page.get_by_role("button", name="Hang up").click()
    room.wait_for(lambda: call[0].others == ["carol"], what="bob's leave")
    manifest = ObservationManifest.read(observation.stop())

    timeline, seconds = manifest.timeline, manifest.observation.duration
    assert ("scripted.manifest.json", "alice") == (observation.manifest.name, manifest.observation.participant)
    assert {"alice", "bob", "carol"} == {one.name for one in timeline.members}
    assert 3 == len({one.marker for one in timeline.members} - {None})
    assert [(0.0, seconds)] == [(round(start, 1), end) for start, end in timeline.present("alice", seconds)]
    ((_, left),) = timeline.present("bob", seconds)
    ((joined, _),) = timeline.present("carol", seconds)
    ((_, muted),) = timeline.audible("bob", seconds)
    assert 0.5 < joined < muted < left < seconds
    # The page stops its tracks when bob hangs up, a moment before the others notice that he has left.
    assert muted < timeline.visible("bob", seconds)[-1][1] <= left
    assert {"alice", "bob", "carol"} == {one.participant for one in manifest.observation.marker_clocks}
    assert () == manifest.alarms


def test_crash_of_the_observing_page_keeps_what_was_observed(room: Room, call: tuple[Participant, Participant]) -> None:
    """The manifest ends with the crash, and the error contains its path."""
    alice, _ = call
    observation = room.observe("crashed")
    room.wait(seconds=2.5)
    alice.crash()

    with pytest.raises(PageError, match=r"^alice's page crashed, so the call was observed for only .*crashed.manifest"):
        observation.stop()

    manifest = ObservationManifest.read(observation.manifest)
    assert 1.0 < manifest.observation.duration < 4.0
    assert ["alice", "bob"] == [one.name for one in manifest.timeline.members]
    assert 1 == len(manifest.alarms)


def test_reload_of_the_observing_page_ends_the_observation(room: Room, call: tuple[Participant, Participant]) -> None:
    """The new document knows nothing about the observation."""
    alice, _ = call
    observation = room.observe("call")
    room.wait(seconds=1.5)
    alice.page.reload()

    with pytest.raises(PageError, match=r"^alice's page loaded another document, so the call was observed for only"):
        observation.stop()

    assert 0.5 < ObservationManifest.read(observation.manifest).observation.duration < 3.0


def test_room_stops_an_observation_when_it_closes(room: Room, call: tuple[Participant, Participant]) -> None:
    """Nothing is lost if the test forgets to stop the observation. Its name is already in use."""
    del call
    first = room.observe("closed")
    with pytest.raises(InvalidStateError, match="already observing"):
        room.observe("closed")
    first.stop()
    second = room.observe("closed")

    room.close()

    assert ["closed-2.manifest.json", "closed.manifest.json"] == sorted(
        observation.manifest.name for observation in (first, second)
    )


def test_page_outside_a_call_is_not_observed(room: Room, enter: Enter, site: Site) -> None:
    """There is nothing to observe yet, so no manifest is written."""
    with pytest.raises(InvalidStateError, match="Nobody is in the room"):
        room.observe()
    enter(f"{site.url}/empty.html", "alice")

    with pytest.raises(InvalidStateError, match="This page is not in a call"):
        room.observe()


def test_own_room_is_observed(room: Room) -> None:
    """A room of the harness can be recorded by another program as well, for example by its SFU."""
    alice, bob = room.join_all("alice", "bob")
    with room.observe("own") as observation:
        room.wait(seconds=0.5)
        bob.mute()
        room.wait(seconds=0.5)
        bob.leave()
        room.wait(seconds=0.5)

    manifest = ObservationManifest.read(observation.manifest)
    timeline, seconds = manifest.timeline, manifest.observation.duration
    assert alice.name == manifest.observation.participant
    assert ["alice", "bob"] == [one.name for one in timeline.members]
    ((start, left),) = timeline.present("bob", seconds)
    ((_, muted),) = timeline.audible("bob", seconds)
    assert (0.0, True) == (round(start, 1), 0.4 < muted < left < seconds)
    assert {"alice", "bob"} >= {one.participant for one in manifest.observation.marker_clocks} >= {"alice"}


def test_observe_command_writes_only_the_manifest(site: Site, tmp_path: Path) -> None:
    """The participants join as for ``harness record``, and the output contains the path of the manifest."""
    ran = run_harness(
        *("observe", "alice", "bob", "--url", f"{site.url}/simple-peer.html?room=shell"),
        *("--seconds", "2", "--name", "theirs", "--json"),
        folder=tmp_path,
    )

    assert 0 == ran.returncode, ran.stderr
    answer = json.loads(ran.stdout)
    path = tmp_path / "recordings" / "theirs.manifest.json"
    manifest = ObservationManifest.read(path)
    assert (True, str(path)) == (answer["ok"], answer["manifest"])
    assert ["alice", "bob"] == [one["name"] for one in answer["participants"]]
    assert 1.9 < manifest.observation.duration == answer["duration"] < 6
    assert [path] == [one for one in (tmp_path / "recordings").rglob("*") if one.is_file()]
    assert "Observing the call of alice, bob for 2 s." in ran.stderr


def test_interrupted_observe_command_still_writes_the_manifest(site: Site, tmp_path: Path) -> None:
    """Ctrl-C ends the observation early, and the command says what to do next."""
    command = ("observe", "alice", "bob", "--url", f"{site.url}/simple-peer.html?room=shell", "--seconds", "60")
    with running_harness(*command, "--name", "theirs", folder=tmp_path) as program:
        assert program.stderr is not None
        assert any("Observing the call of" in line for line in program.stderr)
        os.killpg(program.pid, signal.SIGINT)
        output, errors = program.communicate(timeout=60)

    path = tmp_path / "recordings" / "theirs.manifest.json"
    assert (130, f"{path}\n") == (program.returncode, output), errors
    assert f"To verify a recording of the call, run: harness verify FILE --manifest {path}" in errors
    assert ObservationManifest.read(path).observation.duration < 30
