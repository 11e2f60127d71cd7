"""Facts about MediaRecorder, and about getting its bytes out of the page."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING

import av
import pytest

from harness.verification.probe.container import Structure, read_structure

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Page

# A Cluster's identifier, and the size that stands for an unknown one.
CLUSTER_OF_UNKNOWN_SIZE = bytes.fromhex("1f43b675 01ffffffffffffff")


@dataclass(frozen=True)
class Film:
    """What a recorded file holds: the size in its header, its frames' sizes and times in seconds, its key frames."""

    raw: bytes
    structure: Structure | None
    header: tuple[int, int]
    sizes: list[tuple[int, int]]
    times: list[float]
    key_times: list[float]


def developed(base64_text: str, folder: Path) -> Film:
    """Read what a TestRecorder's ``text`` returned."""
    raw = base64.b64decode(base64_text)
    path = folder / "film.webm"
    path.write_bytes(raw)
    sizes, times, key_times = [], [], []
    with av.open(path) as media:
        stream = media.streams.video[0]
        header = (stream.width, stream.height)
        for packet in media.demux(stream):
            if packet.pts is None or packet.time_base is None:
                continue
            times.append(float(packet.pts * packet.time_base))
            if packet.is_keyframe:
                key_times.append(times[-1])
            sizes += [(frame.width, frame.height) for frame in packet.decode() if isinstance(frame, av.VideoFrame)]
    return Film(raw, read_structure(path), header, sizes, times, key_times)


@pytest.mark.parametrize("change", ["addTrack", "removeTrack"])
def test_fact_01_a_recorder_breaks_when_its_stream_gains_or_loses_a_track(page: Page, change: str) -> None:
    """Fact 1: addTrack or removeTrack on the recorded stream is an InvalidModificationError, then it stops."""
    events = page.evaluate(
        """async (change) => {
            const video = new PaintedVideo();
            const recording = new TestRecorder([video.track]).start();
            await video.run(() => recording.events.includes("start"));
            recording.stream[change](change === "addTrack" ? audioTrackOf(new AudioContext()) : video.track);
            await video.run(() => recording.events.includes("stop"));
            return recording.events;
        }""",
        change,
    )

    assert ["start", "InvalidModificationError", "stop"] == events


def test_fact_02_a_track_that_changes_size_changes_it_inside_the_file(page: Page, tmp_path: Path) -> None:
    """Fact 2: recorded directly, a track's new size is in the frames from then on; the header keeps the first."""
    recorded = page.evaluate(
        """async () => {
            const video = new PaintedVideo();
            const recording = new TestRecorder([video.track], { mimeType: "video/webm;codecs=vp8" }).start(100);
            await video.run(() => recording.blobs.length >= 2);
            const small = recording.blobs.length;
            await video.run(() => recording.blobs.length >= small + 3, { width: 320, height: 240 });
            await recording.stop();
            return recording.text();
        }"""
    )

    film = developed(recorded, tmp_path)
    assert (160, 120) == film.header
    assert {(160, 120), (320, 240)} == set(film.sizes)
    assert sorted(film.sizes) == film.sizes


def test_fact_03_media_recorder_stamps_frames_on_arrival(page: Page, tmp_path: Path) -> None:
    """Fact 3: frames whose timestamps are 10 s apart, written within a second, last a second in the file."""
    recorded, elapsed = page.evaluate(
        """async () => {
            const video = new PaintedVideo();
            const recording = new TestRecorder([video.track], { mimeType: "video/webm;codecs=vp8" }).start();
            const began = performance.now();
            for (let number = 0; number < 10; number += 1) {
                video.write({ timestamp: number * 10_000_000 });
                await new Promise((resolve) => setTimeout(resolve, 33));
            }
            const elapsed = (performance.now() - began) / 1000;
            await recording.stop();
            return [await recording.text(), elapsed];
        }"""
    )

    film = developed(recorded, tmp_path)
    # A busy machine delivers late, but no frame comes before it is written; the timestamps say 90 s.
    assert elapsed == pytest.approx(film.times[-1] - film.times[0], abs=5)


def test_fact_03_request_data_spoils_the_header_of_a_recording_without_slices(page: Page, tmp_path: Path) -> None:
    """Fact 3: after requestData() in mid-recording the file has no SeekHead, and its Duration is wrong."""
    recorded = page.evaluate(
        """async () => {
            const video = new PaintedVideo();
            const recording = new TestRecorder([video.track], { mimeType: "video/webm;codecs=vp8" }).start();
            await video.run(() => recording.events.includes("start"));
            recording.recorder.requestData();
            await video.run(() => recording.blobs.length > 0);
            const frames = video.count;
            await video.run(() => video.count > frames + 5);
            await recording.stop();
            return recording.text();
        }"""
    )

    film = developed(recorded, tmp_path)
    assert film.structure is not None
    assert not film.structure.seek_head
    assert (film.structure.duration or 0) < film.times[-1] / 2


def test_fact_04_an_audio_destination_without_input_yields_no_bytes(page: Page) -> None:
    """Fact 4: its recorder never starts; one that records a constant of 0 meanwhile yields slice after slice."""
    before, starved, fed = page.evaluate(
        """async () => {
            const context = new AudioContext();
            const starved = new TestRecorder([audioTrackOf(context)]).start(100);
            const source = new ConstantSourceNode(context, { offset: 0 });
            const fed = new TestRecorder([audioTrackOf(context, source)]).start(100);
            await until(() => fed.blobs.length >= 4);
            const before = [...starved.events];
            await Promise.all([starved.stop(), fed.stop()]);
            return [before, starved.bytes, fed.bytes];
        }"""
    )

    assert [] == before
    assert 0 == starved
    assert fed > 0


def test_fact_04_one_track_that_starves_keeps_the_file_empty(page: Page) -> None:
    """Fact 4: video with starved audio, or audio with video that has no first frame, is held back completely."""
    no_sound, no_picture, both = page.evaluate(
        """async () => {
            const context = new AudioContext();
            const [video, blank] = [new PaintedVideo(), new PaintedVideo()];
            const audio = audioTrackOf(context, new ConstantSourceNode(context, { offset: 0 }));
            const noAudio = new TestRecorder([video.track, audioTrackOf(context)]).start(100);
            const noVideo = new TestRecorder([blank.track, audio]).start(100);
            const both = new TestRecorder([video.track, audio]).start(100);
            await video.run(() => both.blobs.length >= 4);
            return [noAudio.bytes, noVideo.bytes, both.bytes];
        }"""
    )

    assert 0 == no_sound
    assert 0 == no_picture
    assert both > 0


def test_fact_05_a_microphone_that_ends_stops_only_its_own_recorder(page: Page) -> None:
    """Fact 5: recorded directly, its end is the recording's; through an audio destination the recording goes on."""
    direct, mixed = page.evaluate(
        """async () => {
            const context = new AudioContext();
            const microphone = audioTrackOf(context, new OscillatorNode(context));
            const source = new MediaStreamAudioSourceNode(context, { mediaStream: new MediaStream([microphone]) });
            const direct = new TestRecorder([microphone]).start(100);
            const mixed = new TestRecorder([audioTrackOf(context, source)]).start(100);
            await until(() => direct.bytes > 0 && mixed.bytes > 0);
            microphone.stop();
            await until(() => direct.events.includes("stop"));
            const slices = mixed.blobs.length;
            await until(() => mixed.blobs.length >= slices + 3);
            return [direct.recorder.state, mixed.recorder.state];
        }"""
    )

    assert "inactive" == direct
    assert "recording" == mixed


def test_fact_09_a_timeslice_writes_no_index(page: Page, tmp_path: Path) -> None:
    """Fact 9: in slices there is no Duration, no SeekHead and no Cues, and clusters have an unknown size."""
    recorded = page.evaluate(
        """async () => {
            const video = new PaintedVideo();
            const recording = new TestRecorder([video.track], { mimeType: "video/webm;codecs=vp8" }).start(100);
            await video.run(() => recording.blobs.length >= 4);
            await recording.stop();
            return recording.text();
        }"""
    )

    film = developed(recorded, tmp_path)
    assert Structure(doc_type="webm", duration=None, cues=False, seek_head=False, complete=True) == film.structure
    assert CLUSTER_OF_UNKNOWN_SIZE in film.raw


def test_fact_09_without_a_timeslice_the_index_is_there(page: Page, tmp_path: Path) -> None:
    """Fact 9: in one piece there are Duration, SeekHead and Cues, and every cluster has its size."""
    recorded = page.evaluate(
        """async () => {
            const video = new PaintedVideo();
            const recording = new TestRecorder([video.track], { mimeType: "video/webm;codecs=vp8" }).start();
            await video.run(() => recording.events.includes("start") && video.count > 10);
            await recording.stop();
            return recording.text();
        }"""
    )

    film = developed(recorded, tmp_path)
    assert film.structure is not None
    # The last frame lasts for as long as a frame does, or for nothing.
    assert film.times[-1] == pytest.approx(film.structure.duration, abs=0.1)
    assert film.structure.seek_head
    assert film.structure.cues
    assert CLUSTER_OF_UNKNOWN_SIZE not in film.raw


def test_fact_09_slices_come_later_than_requested(page: Page) -> None:
    """Fact 9: with audio, slices of 250 ms come about every 300 ms, in whole packets of 60 ms."""
    every = page.evaluate(
        """async () => {
            const context = new AudioContext();
            const times = [];
            const recording = new TestRecorder([audioTrackOf(context, new OscillatorNode(context))]);
            recording.recorder.addEventListener("dataavailable", () => times.push(performance.now()));
            recording.start(250);
            await until(() => times.length === 6);
            const intervals = times.slice(1).map((time, index) => time - times[index]);
            return intervals.sort((a, b) => a - b)[2];
        }"""
    )

    # The median of five: one slice that the page hears late makes one interval long and the next one short.
    assert every > 255


def test_fact_09_key_frames_come_as_often_as_requested(page: Page, tmp_path: Path) -> None:
    """Fact 9: videoKeyFrameIntervalDuration sets the longest time between two; without it they are rare."""
    asked, unasked = page.evaluate(
        """async () => {
            const video = new PaintedVideo();
            const options = { mimeType: "video/webm;codecs=vp8" };
            const often = { ...options, videoKeyFrameIntervalDuration: 300 };
            const asked = new TestRecorder([video.track], often).start(100);
            const unasked = new TestRecorder([video.track], options).start(100);
            await video.run(() => asked.blobs.length >= 10 && unasked.blobs.length >= 10);
            await Promise.all([asked.stop(), unasked.stop()]);
            return Promise.all([asked.text(), unasked.text()]);
        }"""
    )

    assert len(developed(asked, tmp_path).key_times) >= 3
    assert 1 == len(developed(unasked, tmp_path).key_times)


def test_fact_18_a_web_socket_sends_blobs_in_order(page: Page) -> None:
    """Fact 18: a large blob that is sent first arrives first; its arrayBuffer() comes after a small one's."""
    arrived, read = page.evaluate(
        """async () => {
            const blobs = Array.from({ length: 20 }, (_, number) => {
                const bytes = new Uint8Array(number % 2 === 0 ? 2_000_000 : 20);
                bytes[0] = number;
                return new Blob([bytes]);
            });
            const socket = new WebSocket(new URL("/socket", location.href.replace("http", "ws")));
            await new Promise((resolve) => socket.addEventListener("open", resolve));
            const arrived = [];
            socket.addEventListener("message", ({ data }) => arrived.push(Number(data)));
            for (const blob of blobs) socket.send(blob);
            await until(() => arrived.length === blobs.length);
            const read = [];
            await Promise.all(blobs.map((blob, number) => blob.arrayBuffer().then(() => read.push(number))));
            return [arrived, read];
        }"""
    )

    assert list(range(20)) == arrived
    assert list(range(20)) != read


@pytest.mark.parametrize("pause", [False, True], ids=["stopped at once", "paused before"])
def test_fact_33_a_stop_drops_frames_that_wait_for_the_encoder(page: Page, tmp_path: Path, *, pause: bool) -> None:
    """Fact 33: frames that a busy encoder has not come to are lost at stop(); in a pause before it they are encoded."""
    recorded, quiet = page.evaluate(
        """async (pause) => {
            const video = new PaintedVideo();
            const size = { width: 2560, height: 1440 };
            const recording = new TestRecorder([video.track], { mimeType: "video/webm;codecs=vp8" }).start(50);
            let begun = 0;
            recording.recorder.addEventListener("start", () => { begun = performance.now(); });
            await video.run(() => recording.blobs.length > 2, size);
            // Nothing waits any more: then more comes at once than anybody encodes.
            await new Promise((resolve) => setTimeout(resolve, 1500));
            const quiet = (performance.now() - begun) / 1000 - 0.7;
            const writing = [];
            for (let frame = 0; frame < 8; frame += 1) writing.push(video.write(size));
            await Promise.all(writing);
            await new Promise((resolve) => setTimeout(resolve, 5));
            if (pause) {
                recording.recorder.pause();
                const arrived = recording.bytes;
                await until(() => recording.bytes > arrived);
                // All are encoded when nothing comes any more.
                for (let before = 0; before < recording.bytes; ) {
                    before = recording.bytes;
                    await new Promise((resolve) => setTimeout(resolve, 700));
                }
            }
            await recording.stop();
            return [await recording.text(), quiet];
        }""",
        pause,
    )

    encoded = sum(time > quiet for time in developed(recorded, tmp_path).times)
    assert (encoded > 4) == pause, f"{encoded} of 8 frames encoded"
