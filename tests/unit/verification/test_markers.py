"""Markers in video and audio can still be read after mixing and encoding."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from harness.recording.timeline import Timeline
from harness.verification.markers.audio_markers import AudioAnalysis, AudioMarkerDetector
from harness.verification.markers.marker_reader import MarkerReader
from harness.verification.markers.places import Place, all_grid_places, fit_into_tile, grid_places
from harness.verification.markers.strip import (
    BRIGHT,
    COUNTER_PERIOD,
    DARK,
    Marker,
    StripSampler,
    decode_strips,
    encode_strip,
)
from harness.verification.markers.tracks import MarkerTrack
from harness.verification.probe.probe import probe
from harness.verification.probe.tracks import AudioBlock, Frame
from tests.support.media.audio import mix_audio
from tests.support.media.recording_file import timeline_of, write_media
from tests.support.media.scene import PlannedParticipant, Scene, grid_tiles, participants

pytestmark = pytest.mark.parallel


def read_markers(path: Path, timeline: Timeline | None = None) -> dict[int, MarkerTrack]:
    """Read the markers in a file's video, and return a track for each marker."""
    reader = MarkerReader(timeline or Timeline(), None)
    probe(path, video_sinks=[reader])
    return reader.finish()


def analyze_audio(scene: Scene) -> AudioAnalysis:
    """Analyze the audio of a synthetic scene in blocks of 20 ms, without encoding the audio first."""
    detector = AudioMarkerDetector()
    samples = mix_audio(scene)[: round(scene.seconds * 48_000)]
    for start in range(0, samples.size, 960):
        detector.on_audio(AudioBlock(start / 48_000, samples[start : start + 960]))
    return detector.finish()


def test_strip_has_the_layout_that_the_page_draws() -> None:
    """A marker's strip encodes its number, counter, capture time and CRC, each with the most significant bit first."""
    bits = "".join(str(int(bit)) for bit in encode_strip(Marker(0x31, 0x0C8CC, 0x343536)))

    # reference_crc computes the CRC with a different algorithm than the code under test.
    assert bits[:48] == f"{0x31:08b}{0x0C8CC:018b}{0x343536:022b}"
    assert bits[48:] == f"{reference_crc(int(bits[:48], 2).to_bytes(6)) ^ 0x5A5A:016b}"


def reference_crc(data: bytes) -> int:
    """Compute CRC-16/CCITT-FALSE by long division, bit by bit."""
    message = int.from_bytes(data) ^ 0xFFFF << (8 * len(data) - 16)
    for bit in range(8 * len(data) - 1, -1, -1):
        if message >> (bit + 16) & 1 or message << 16 >> (bit + 16) & 1:
            break
    remainder = message << 16
    for bit in range(8 * len(data) + 15, 15, -1):
        if remainder >> bit & 1:
            remainder ^= 0x11021 << (bit - 16)
    return remainder


def test_crc_matches_the_published_check_value() -> None:
    """The CRC-16/CCITT-FALSE of "123456789" is 0x29B1, which is the published check value."""
    assert reference_crc(b"123456789") == 0x29B1


def test_any_marker_is_read_back() -> None:
    """Markers with random values for each field, from the field's whole range, are read back correctly."""
    random = np.random.default_rng(1)
    markers = [
        Marker(
            number=int(random.integers(1 << 8)),
            counter=int(random.integers(COUNTER_PERIOD)),
            capture_ms=int(random.integers(1 << 22)),
            full=bool(number % 2),
        )
        for number in range(200)
    ]
    cells = np.where([encode_strip(marker) for marker in markers], BRIGHT, DARK).astype(float)

    assert markers == decode_strips(cells)


def test_strip_with_a_single_wrong_cell_is_refused() -> None:
    """If any single cell of a strip is flipped, the CRC check fails.

    A strip without contrast is not read as a marker.
    """
    bits = np.array([encode_strip(Marker(7, 12345, 67890))] * 64) ^ np.eye(64, dtype=bool)

    assert [None] * 64 == decode_strips(np.where(bits, BRIGHT, DARK).astype(float))
    assert [None] == decode_strips(np.full((1, 64), 128.0))


def test_plain_wall_contains_no_strip() -> None:
    """No marker is found anywhere in a uniform gray frame."""
    wall = np.full((180, 320), 128, np.uint8)
    places = all_grid_places(320, 180)

    assert [None] * len(places) == StripSampler(places, wall).read(wall)


def test_video_fits_into_any_tile() -> None:
    """A participant's video is centered in its tile, and its width and height are even."""
    assert fit_into_tile(0, 0, 320, 180) == Place(0, 0, 320, 180)
    assert fit_into_tile(320, 0, 320, 240) == Place(320, 30, 320, 180)
    assert fit_into_tile(0, 0, 640, 180) == Place(160, 0, 320, 180)


@pytest.mark.parametrize("size", [(640, 360), (640, 480), (1280, 720)])
@pytest.mark.parametrize("number", [1, 2, 3, 5, 16])
def test_grid_matches_the_mixer(number: int, size: tuple[int, int]) -> None:
    """For each frame size and number of participants, the search for markers covers all of the mixer's tiles."""
    assert [fit_into_tile(*tile) for tile in grid_tiles(number, *size)] == grid_places(number, *size)
    assert set(grid_places(number, *size)) <= set(all_grid_places(*size))


@pytest.mark.parametrize(("codec", "bitrate"), [("libvpx", 2_500_000), ("libvpx", 500_000), ("libvpx-vp9", 500_000)])
def test_sixteen_participants_at_360p_are_all_read_after_encoding(tmp_path: Path, codec: str, bitrate: int) -> None:
    """Every strip in every frame is read without a manifest, even if a cell is only five by five pixels."""
    planned = participants(*(f"p{number}" for number in range(16)))
    scene = Scene(
        participants=planned,
        width=640,
        height=360,
        frame_rate=15,
        seconds=2.0,
        codec=codec,
        bitrate=bitrate,
        audio=False,
    )
    write_media(tmp_path / "standup.webm", scene)

    tracks = read_markers(tmp_path / "standup.webm")

    assert {one.marker: 30 for one in planned} == {marker: found.times.size for marker, found in tracks.items()}
    for one in planned:
        assert one.marker is not None
        assert (one.counter + 2 * np.arange(30)).tolist() == tracks[one.marker].counters.tolist()


def test_tile_outside_any_grid_is_read_by_the_layout(tmp_path: Path) -> None:
    """A marker is in its own tile only if the timeline assigns this tile to the marker's participant."""
    scene = Scene(participants=participants("alice", "bob"), width=640, height=480, seconds=1.0, audio=False)
    write_media(tmp_path / "standup.webm", scene)
    swapped = timeline_of(replace(scene, participants=scene.participants[::-1]))

    in_place = read_markers(tmp_path / "standup.webm", timeline_of(scene))
    misplaced = read_markers(tmp_path / "standup.webm", swapped)

    assert [True, True] == [bool(in_place[marker].in_own_tile.all()) for marker in (1, 2)]
    assert [False, False] == [bool(misplaced[marker].in_own_tile.any()) for marker in (1, 2)]


@pytest.mark.parametrize(
    "strips_read",
    [
        pytest.param([(0.0, 100, 100), (0.5, 9000, 9000), (1.0, 77, 77), (5.0, 250, 250)], id="none confirms another"),
        pytest.param([(at / 30, 4711, 815) for at in range(3)], id="the same wrong one three times"),
        pytest.param([(0.0, 100, 900), (0.1, 103, 700_000), (0.2, 106, 3)], id="capture times that do not fit"),
    ],
)
def test_strips_read_by_chance_are_ignored(strips_read: list[tuple[float, int, int]]) -> None:
    """Some random patterns in an hour of video pass the CRC check, but they are not reported as participants."""
    luma = np.full((180, 320), 128, np.uint8)
    reader = MarkerReader(Timeline(), None)
    for at, counter, capture in strips_read:
        bits = encode_strip(Marker(9, counter, capture)).reshape(2, 32)
        luma[:20] = np.where(bits, BRIGHT, DARK)[np.arange(20) // 10][:, np.arange(320) // 10]
        reader.on_frame(Frame(at, luma, 320, 180))

    assert reader.finish() == {}


def test_counters_continue_through_their_wrap_around(tmp_path: Path) -> None:
    """A marker's counter starts over after 2.4 hours.

    In the track that is read from a file, the marker's counter keeps increasing.
    """
    someone = PlannedParticipant(name="alice", marker=1, counter=COUNTER_PERIOD - 10)
    write_media(tmp_path / "standup.webm", Scene(participants=(someone,), seconds=1.0, audio=False))

    tracks = read_markers(tmp_path / "standup.webm")

    assert [1] * 29 == np.diff(tracks[1].counters).tolist()


def test_bursts_are_timed_to_a_millisecond_while_all_are_audible() -> None:
    """Bursts are timed to within 1 ms, even if 16 markers are audible and eight of their bursts coincide."""
    planned = tuple(
        PlannedParticipant(name=f"p{number}", marker=number, counter=15 * (number % 2)) for number in range(16)
    )

    analysis = analyze_audio(Scene(participants=planned, seconds=4.0))

    for one in planned:
        assert one.marker is not None
        first = 0.5 if one.marker % 2 else 0.0
        # A burst at the first sample of a file is not expected, because it can't be distinguished from a cut in the
        # audio.
        expected = [first + second for second in range(4) if first + second > 0]
        assert expected == pytest.approx(analysis.bursts[one.marker].times.tolist(), abs=0.001)


def test_bursts_are_timed_by_packets_and_not_by_counting_samples() -> None:
    """If an audio track's timestamps have a gap, the times of all bursts after the gap include the gap's length."""
    scene = Scene(participants=(PlannedParticipant(name="alice", marker=4, counter=15),), seconds=4.0)
    samples = mix_audio(scene)
    detector = AudioMarkerDetector()
    for start in range(0, 4 * 48_000, 960):
        detector.on_audio(AudioBlock(start / 48_000 + (0.2 if start >= 96_000 else 0.0), samples[start : start + 960]))

    found = detector.finish().bursts[4].times

    assert [0.5, 1.5, 2.7, 3.7] == pytest.approx(found.tolist(), abs=0.001)


def test_tone_is_distinguished_from_its_neighbors() -> None:
    """Of two tones that are only 50 Hz apart, each is detected only while it is playing."""
    planned = (
        PlannedParticipant(name="a", marker=5, muted=((1.0, 2.0),)),
        PlannedParticipant(name="b", marker=6, muted=((2.0, 3.0),)),
    )

    analysis = analyze_audio(Scene(participants=planned, seconds=4.0))

    middles = analysis.steps.mean(axis=1)
    for voice, silent in ((5, (1.0, 2.0)), (6, (2.0, 3.0))):
        # The tolerance is half an analysis window (40 ms) plus half a step (25 ms), because both can extend beyond the
        # point at which a tone starts or stops.
        off = (middles > silent[0] + 0.065) & (middles < silent[1] - 0.065)
        on = (middles < silent[0] - 0.065) | (middles > silent[1] + 0.065)
        assert not analysis.tones[off, voice].any()
        assert analysis.tones[on, voice] == pytest.approx(0.04, rel=0.1)
    assert not np.delete(analysis.tones, (5, 6), axis=1).any()


def test_splice_in_the_audio_is_not_an_absence() -> None:
    """If a jitter buffer drops ten milliseconds of audio, the tone's phase jumps, but the tone counts as continuous."""
    scene = Scene(participants=(PlannedParticipant(name="alice", marker=1),), seconds=3.0)
    samples = np.delete(mix_audio(scene), np.arange(48_000, 48_000 + 480 + 68))
    detector = AudioMarkerDetector()
    detector.on_audio(AudioBlock(0.0, samples[: 2 * 48_000]))

    lost = detector.finish().tones[:, 1] < 0.02

    assert np.count_nonzero(lost) <= 2


def test_noise_and_music_contain_no_burst() -> None:
    """No burst is detected in white noise or in a sustained chord."""
    random = np.random.default_rng(2)
    at = np.arange(3 * 48_000) / 48_000
    chord = sum((0.1 * np.sin(2 * np.pi * pitch * at) for pitch in (262, 330, 392, 1350, 1650)), np.zeros(at.size))
    detector = AudioMarkerDetector()
    detector.on_audio(AudioBlock(0.0, (0.1 * random.standard_normal(at.size)).astype(np.float32)))
    detector.on_audio(AudioBlock(3.0, chord.astype(np.float32)))

    assert [0] * 16 == [found.times.size for found in detector.finish().bursts]
