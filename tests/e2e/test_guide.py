"""Tests for compatibility with NERTC's API: the sample in NERTC's guide, the constants, the client and the events."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from harness import Participant, RecordConfig, Room, verify

pytestmark = pytest.mark.parallel

# The sample from NERTC's guide, verbatim.
SAMPLE = """
const data = {
    recorder: 'all',
    recordConfig: {
        recordType: 'video',
        recordName: '录制文件名称',
        recordVideoQuality: NERTC.RECORD_VIDEO_QUALITY_360p,
        recordVideoFrame: NERTC.RECORD_VIDEO_FRAME_RATE_15
    }
}
//开始录制
client.startMediaRecording(data);

//停止录制
client.stopMediaRecording();

//生成录制文件
client.downloadMediaRecording();

//清除录制的音视频资源,释放内存空间
client.cleanMediaRecording();
"""


@pytest.mark.parametrize("awaited", [False, True])
def test_the_sample_from_the_guide_runs_unchanged(
    room: Room, tmp_path: Path, read_back: Callable[[Path], Any], *, awaited: bool
) -> None:
    """With or without await, the sample downloads one WebM file with the requested name."""
    alice, _ = room.join_all("alice", "bob")
    sample = SAMPLE.replace("client.", "await client.") if awaited else SAMPLE

    with alice.page.expect_download() as download:
        alice.page.evaluate(f"async () => {{ {sample} }}")

    assert "录制文件名称.webm" == download.value.suggested_filename
    download.value.save_as(tmp_path / "sample.webm")
    media = read_back(tmp_path / "sample.webm")
    assert {"vp9", "opus"} == media.codecs
    assert {(640, 360)} == media.sizes


def test_the_constants_match_the_guide(alice: Participant) -> None:
    """The value of each NERTC constant is the size or frame rate that its name contains."""
    page = alice.page

    constants = page.evaluate("({...NERTC})")

    assert 360 == constants["RECORD_VIDEO_QUALITY_360p"]
    assert 480 == constants["RECORD_VIDEO_QUALITY_480p"]
    assert 720 == constants["RECORD_VIDEO_QUALITY_720p"]
    assert 15 == constants["RECORD_VIDEO_FRAME_RATE_15"]
    assert 30 == constants["RECORD_VIDEO_FRAME_RATE_30"]


def test_a_client_made_in_the_page_joins_with_nertcs_names(room: Room) -> None:
    """join() accepts channelName, uid and token, and the joined client becomes window.client."""
    page = room.join("alice").page
    token = room._server.token(room.name, "")

    joined = page.evaluate(
        """async (token) => {
            const mine = NERTC.createClient();
            const before = client === mine;
            await mine.join({ channelName: 'room', uid: 7, token });
            const after = client === mine;
            await mine.leave();
            return { before, after, name: mine.name };
        }""",
        token,
    )

    assert {"before": False, "after": True, "name": "7"} == joined


def test_calls_are_refused_before_joining(alice: Participant) -> None:
    """Before a client joins, every recording call except clean fails with NERTC's error 10454."""
    page = alice.page

    codes = page.evaluate(
        """async () => {
            const fresh = NERTC.createClient();
            const code = (call) => call.then(() => null, (error) => error.code);
            return [
                await code(fresh.startMediaRecording({})),
                await code(fresh.stopMediaRecording()),
                await code(fresh.downloadMediaRecording()),
                await code(fresh.cleanMediaRecording()),
            ];
        }"""
    )

    assert [10454, 10454, 10454, None] == codes


def test_calls_without_await_run_in_order(alice: Participant) -> None:
    """Two recordings started without await become two files, in the order of the calls."""
    alice.page.evaluate(
        """async () => {
            const start = (recordName) => client.startMediaRecording({ recordConfig: { recordName } });
            start('one');
            client.stopMediaRecording();
            client.downloadMediaRecording();
            start('two');
            await client.downloadMediaRecording();
        }"""
    )

    names = [alice._page.downloads.next().playwright.suggested_filename for _ in range(2)]
    assert ["one.webm", "two.webm"] == names


def test_events_report_what_happens_to_a_recording(alice: Participant) -> None:
    """Participant.on() reports each event in order, with the recording's ID, and NERTC's on() works in the page."""
    received: list[tuple[str, Any]] = []

    def note(event: str, detail: dict[str, Any]) -> None:
        received.append((event, detail["id"]))

    events = ("started", "paused", "resumed", "stopped", "downloaded", "cleaned")
    for event in events:
        alice.on(f"recording-{event}", partial(note, event))
    alice.page.evaluate("client.on('@media-recording-stopped', (file) => { window.stopped = file.name; })")

    alice.start_media_recording(record_config=RecordConfig(record_name="events"))
    alice.pause_media_recording()
    alice.resume_media_recording()
    alice.stop_media_recording()
    recording = alice.download_media_recording()
    alice.clean_media_recording()

    while len(received) < len(events):
        alice.wait(0.05)
    assert [(event, recording.id) for event in events] == received
    assert "events.webm" == alice.page.evaluate("window.stopped")


def test_the_status_counts_time_and_bytes(room: Room) -> None:
    """get_media_recording returns the state, the seconds and bytes recorded, and the bytes acknowledged."""
    alice = room.join("alice")
    assert "none" == alice.get_media_recording().state
    alice.start_media_recording()
    room.wait(seconds=1)

    status = alice.get_media_recording()

    assert "recording" == status.state
    assert status.elapsed == pytest.approx(1.5, abs=1)
    assert 0 < status.bytes_acknowledged <= status.bytes
    assert status.alarm is None


def test_any_name_becomes_a_safe_file_name(alice: Participant, recordings: Path) -> None:
    """Every recording name, however unusual, becomes a safe file name of at most 255 bytes inside the folder."""
    names = ["🎬 录制文件名称 👩‍👩‍👧", "..", "<img src=x onerror=1>/a\\c:d*" + "x" * 300]
    for name in names:
        alice.start_media_recording(record_config=RecordConfig(record_name=name))

        recording = alice.download_media_recording()

        assert recordings == recording.path.parent, name
        assert len(recording.path.name.encode()) <= 255, name
        assert ".webm" == recording.path.suffix, name
        assert verify(recording).media is not None, name
