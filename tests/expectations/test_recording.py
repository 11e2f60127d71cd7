"""Tests of Chrome's MediaRecorder, and of how a page sends the recorded data."""

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

pytestmark = pytest.mark.alone
# The element ID of a Cluster, followed by the value that means "unknown size".
CLUSTER_OF_UNKNOWN_SIZE = bytes.fromhex("1f43b675 01ffffffffffffff")


@dataclass(frozen=True)
class RecordedFile:
    """A recorded file: the size in its header, the sizes and times of its frames, and the times of its key frames."""

    raw: bytes
    structure: Structure | None
    header: tuple[int, int]
    sizes: list[tuple[int, int]]
    times: list[float]
    key_times: list[float]


def read_recording(base64_text: str, folder: Path) -> RecordedFile:
    """Parse a recording from the base64 string that TestRecorder's ``text`` returns."""
    raw = base64.b64decode(base64_text)
    path = folder / "recording.webm"
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
    return RecordedFile(raw, read_structure(path), header, sizes, times, key_times)


@pytest.mark.parametrize("change", ["addTrack", "removeTrack"])
def test_fact_01_a_recorder_breaks_when_its_stream_gains_or_loses_a_track(page: Page, change: str) -> None:
    """Fact 1: addTrack and removeTrack on a recorded stream cause InvalidModificationError and stop the recorder."""
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
    """Fact 2: when a recorded track changes size, later frames have the new size, but the header has the first size."""
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

    recording = read_recording(recorded, tmp_path)
    assert (160, 120) == recording.header
    assert {(160, 120), (320, 240)} == set(recording.sizes)
    assert sorted(recording.sizes) == recording.sizes


def test_fact_03_media_recorder_timestamps_frames_on_arrival(page: Page, tmp_path: Path) -> None:
    """Fact 3: frames whose timestamps are 10 s apart are stored with their arrival times, less than a second apart."""
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

    recording = read_recording(recorded, tmp_path)
    # The tolerance allows for frames that a busy machine delivers late. According to their own timestamps, the frames
    # span 90 s.
    assert elapsed == pytest.approx(recording.times[-1] - recording.times[0], abs=5)


def test_fact_03_request_data_damages_the_header_of_a_recording_without_slices(page: Page, tmp_path: Path) -> None:
    """Fact 3: after requestData() during a recording, the file has no SeekHead, and its Duration is wrong."""
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

    recording = read_recording(recorded, tmp_path)
    assert recording.structure is not None
    assert not recording.structure.seek_head
    assert (recording.structure.duration or 0) < recording.times[-1] / 2


def test_fact_04_an_audio_destination_without_input_produces_no_data(page: Page) -> None:
    """Fact 4: a recorded audio destination produces no data if it has no input.

    A constant signal with the value 0 is sufficient as input.
    """
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


def test_fact_04_a_track_without_data_keeps_the_file_empty(page: Page) -> None:
    """Fact 4: MediaRecorder delivers no video until there is audio, and no audio until there is a video frame."""
    without_audio, without_video, both = page.evaluate(
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

    assert 0 == without_audio
    assert 0 == without_video
    assert both > 0


def test_fact_05_a_microphone_that_ends_stops_only_its_own_recorder(page: Page) -> None:
    """Fact 5: when a microphone's track ends, its recorder stops, but an audio destination's recorder continues."""
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


def test_fact_09_a_recording_with_a_timeslice_has_no_index(page: Page, tmp_path: Path) -> None:
    """Fact 9: a file recorded in slices has no Duration, SeekHead or Cues, and its clusters have an unknown size."""
    recorded = page.evaluate(
        """async () => {
            const video = new PaintedVideo();
            const recording = new TestRecorder([video.track], { mimeType: "video/webm;codecs=vp8" }).start(100);
            await video.run(() => recording.blobs.length >= 4);
            await recording.stop();
            return recording.text();
        }"""
    )

    recording = read_recording(recorded, tmp_path)
    assert Structure(container="webm", indexed=True) == recording.structure
    assert CLUSTER_OF_UNKNOWN_SIZE in recording.raw


def test_fact_09_a_recording_without_a_timeslice_has_an_index(page: Page, tmp_path: Path) -> None:
    """Fact 9: a file recorded without slices has Duration, SeekHead and Cues, and its clusters have known sizes."""
    recorded = page.evaluate(
        """async () => {
            const video = new PaintedVideo();
            const recording = new TestRecorder([video.track], { mimeType: "video/webm;codecs=vp8" }).start();
            await video.run(() => recording.events.includes("start") && video.count > 10);
            await recording.stop();
            return recording.text();
        }"""
    )

    recording = read_recording(recorded, tmp_path)
    assert recording.structure is not None
    # The file's duration may or may not include the duration of the last frame.
    assert recording.times[-1] == pytest.approx(recording.structure.duration, abs=0.1)
    assert recording.structure.seek_head
    assert recording.structure.cues
    assert CLUSTER_OF_UNKNOWN_SIZE not in recording.raw


def test_fact_09_slices_arrive_later_than_requested(page: Page) -> None:
    """Fact 9: audio slices requested every 250 ms arrive about every 300 ms, since they consist of 60 ms packets."""
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

    # Use the median of five, since a late slice makes one interval longer and the next one shorter.
    assert every > 255


def test_fact_09_key_frames_are_as_frequent_as_requested(page: Page, tmp_path: Path) -> None:
    """Fact 9: videoKeyFrameIntervalDuration limits the time between key frames, which are rare by default."""
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

    assert len(read_recording(asked, tmp_path).key_times) >= 3
    assert 1 == len(read_recording(unasked, tmp_path).key_times)


def test_fact_18_a_web_socket_sends_blobs_in_order(page: Page) -> None:
    """Fact 18: blobs arrive in the order they were sent, but their arrayBuffer() promises resolve out of order."""
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
    """Fact 33: stop() drops frames that are waiting for a busy encoder, unless the recorder is paused first."""
    recorded, quiet = page.evaluate(
        """async (pause) => {
            const video = new PaintedVideo();
            const size = { width: 2560, height: 1440 };
            const recording = new TestRecorder([video.track], { mimeType: "video/webm;codecs=vp8" }).start(50);
            let begun = 0;
            recording.recorder.addEventListener("start", () => { begun = performance.now(); });
            await video.run(() => recording.blobs.length > 2, size);
            // Wait until the encoder is idle, then write more frames at once than it can encode.
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
                // All frames are encoded when no more data arrives.
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

    encoded = sum(time > quiet for time in read_recording(recorded, tmp_path).times)
    assert (encoded > 4) == pause, f"{encoded} of 8 frames encoded"
