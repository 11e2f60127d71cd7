"""The markers in video and audio: written, mixed, coded, and read back."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from harness.recording.timeline import Timeline
from harness.verification.markers.audio_markers import AudioAnalysis, AudioMarkerDetector
from harness.verification.markers.marker_reader import MarkerReader, MarkerTrack
from harness.verification.markers.places import Place, all_grid_places, fit_into_tile, grid_places
from harness.verification.markers.strip import BRIGHT, DARK, Marker, StripSampler, decode_strips, encode_strip
from harness.verification.probe.probe import probe
from harness.verification.probe.tracks import AudioBlock, Frame
from tests.support.media.audio import mix_audio
from tests.support.media.recording_file import timeline_of, write_media
from tests.support.media.scene import PlannedParticipant, Scene, grid_tiles, participants

pytestmark = pytest.mark.parallel


def watch(path: Path, timeline: Timeline | None = None) -> dict[int, MarkerTrack]:
    """Return the marker tracks of a file."""
    strips = MarkerReader(timeline or Timeline(), None)
    probe(path, video_sinks=[strips])
    return strips.finish()


def listen(take: Scene) -> AudioAnalysis:
    """Return the analysis of a scene's audio without a codec, in packets of 20 ms."""
    ear = AudioMarkerDetector()
    samples = mix_audio(take)[: round(take.seconds * 48_000)]
    for start in range(0, samples.size, 960):
        ear.on_audio(AudioBlock(start / 48_000, samples[start : start + 960]))
    return ear.finish()


def test_strip_has_the_layout_that_the_page_draws() -> None:
    """Number, counter, capture time and CRC, most significant bit first."""
    bits = "".join(str(int(bit)) for bit in encode_strip(Marker(0x31, 0x0C8CC, 0x343536)))

    # "12" and the bits of two odd fields; the checksum was computed with another program.
    assert bits[:48] == f"{0x31:08b}{0x0C8CC:018b}{0x343536:022b}"
    assert bits[48:] == f"{reference_crc(int(bits[:48], 2).to_bytes(6)):016b}"


def reference_crc(data: bytes) -> int:
    """Return CRC-16/CCITT-FALSE by long division, bit by bit."""
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
    """CRC-16/CCITT-FALSE of "123456789" is 0x29B1."""
    assert reference_crc(b"123456789") == 0x29B1


def test_any_marker_is_read_back() -> None:
    """Each value of a marker is read back, for values of all sizes."""
    random = np.random.default_rng(1)
    marks = [Marker(*(int(random.integers(1 << bits)) for bits in (8, 18, 22))) for _ in range(200)]
    cells = np.where([encode_strip(mark) for mark in marks], BRIGHT, DARK).astype(float)

    assert marks == decode_strips(cells)


def test_strip_with_a_single_wrong_cell_is_refused() -> None:
    """The CRC refuses every strip with one flipped cell, and a plain wall."""
    bits = np.array([encode_strip(Marker(7, 12345, 67890))] * 64) ^ np.eye(64, dtype=bool)

    assert [None] * 64 == decode_strips(np.where(bits, BRIGHT, DARK).astype(float))
    assert [None] == decode_strips(np.full((1, 64), 128.0))


def test_plain_wall_contains_no_strip() -> None:
    """At none of the places."""
    wall = np.full((180, 320), 128, np.uint8)
    places = all_grid_places(320, 180)

    assert [None] * len(places) == StripSampler(places, wall).read(wall)


def test_video_fits_into_any_tile() -> None:
    """It is contained, centred, and even."""
    assert fit_into_tile(0, 0, 320, 180) == Place(0, 0, 320, 180)
    assert fit_into_tile(320, 0, 320, 240) == Place(320, 30, 320, 180)
    assert fit_into_tile(0, 0, 640, 180) == Place(160, 0, 320, 180)


@pytest.mark.parametrize("size", [(640, 360), (640, 480), (1280, 720)])
@pytest.mark.parametrize("people", [1, 2, 3, 5, 16])
def test_grid_is_the_mixers(people: int, size: tuple[int, int]) -> None:
    """The places are those of the mixer's tiles, for every size and number."""
    assert [fit_into_tile(*tile) for tile in grid_tiles(people, *size)] == grid_places(people, *size)
    assert set(grid_places(people, *size)) <= set(all_grid_places(*size))


@pytest.mark.parametrize(("codec", "bitrate"), [("libvpx", 2_500_000), ("libvpx", 500_000), ("libvpx-vp9", 400_000)])
def test_sixteen_participants_at_360p_are_all_read_after_encoding(tmp_path: Path, codec: str, bitrate: int) -> None:
    """Cells of five by five pixels survive: every strip of every frame is read, without a manifest."""
    people = participants(*(f"p{number}" for number in range(16)))
    take = Scene(
        participants=people,
        width=640,
        height=360,
        frame_rate=15,
        seconds=2.0,
        codec=codec,
        bitrate=bitrate,
        audio=False,
    )
    write_media(tmp_path / "take.webm", take)

    seen = watch(tmp_path / "take.webm")

    assert {one.marker: 30 for one in people} == {marker: found.times.size for marker, found in seen.items()}
    for one in people:
        assert one.marker is not None
        assert (one.counter + 2 * np.arange(30)).tolist() == seen[one.marker].counters.tolist()


def test_tile_outside_any_grid_is_read_by_the_layout(tmp_path: Path) -> None:
    """A marker in its participant's tile of the timeline is in its own tile; another participant's is not."""
    take = Scene(participants=participants("alice", "bob"), width=640, height=480, seconds=1.0, audio=False)
    write_media(tmp_path / "take.webm", take)
    swapped = timeline_of(replace(take, participants=take.participants[::-1]))

    at_home = watch(tmp_path / "take.webm", timeline_of(take))
    astray = watch(tmp_path / "take.webm", swapped)

    assert [True, True] == [bool(at_home[marker].in_own_tile.all()) for marker in (1, 2)]
    assert [False, False] == [bool(astray[marker].in_own_tile.any()) for marker in (1, 2)]


@pytest.mark.parametrize(
    "strips_read",
    [
        pytest.param([(0.0, 100, 100), (0.5, 9000, 9000), (1.0, 77, 77), (5.0, 250, 250)], id="none confirms another"),
        pytest.param([(at / 30, 4711, 815) for at in range(3)], id="the same wrong one three times"),
        pytest.param([(0.0, 100, 900), (0.1, 103, 700_000), (0.2, 106, 3)], id="capture times that do not fit"),
    ],
)
def test_strips_read_by_chance_are_ignored(strips_read: list[tuple[float, int, int]]) -> None:
    """In an hour of frames some random strip passes its CRC; it is not a participant."""
    picture = np.full((180, 320), 128, np.uint8)
    strips = MarkerReader(Timeline(), None)
    for at, counter, capture in strips_read:
        bits = encode_strip(Marker(9, counter, capture)).reshape(2, 32)
        picture[:20] = np.where(bits, BRIGHT, DARK)[np.arange(20) // 10][:, np.arange(320) // 10]
        strips.on_frame(Frame(at, picture, 320, 180))

    assert strips.finish() == {}


def test_counters_continue_through_their_wrap_around(tmp_path: Path) -> None:
    """After 2^18 counts (2.4 hours) the counter of the track keeps rising."""
    someone = PlannedParticipant(name="alice", marker=1, counter=(1 << 18) - 10)
    write_media(tmp_path / "take.webm", Scene(participants=(someone,), seconds=1.0, audio=False))

    seen = watch(tmp_path / "take.webm")

    assert [1] * 29 == np.diff(seen[1].counters).tolist()


def test_bursts_are_timed_to_a_millisecond_while_all_are_audible() -> None:
    """Sixteen voices, half of them with bursts at the same time, are each found once per second."""
    people = tuple(
        PlannedParticipant(name=f"p{number}", marker=number, counter=15 * (number % 2)) for number in range(16)
    )

    hearing = listen(Scene(participants=people, seconds=4.0))

    for one in people:
        assert one.marker is not None
        first = 0.5 if one.marker % 2 else 0.0
        # The very first sample of a file is no peak that can be told from a cut.
        expected = [first + second for second in range(4) if first + second > 0]
        assert expected == pytest.approx(hearing.bursts[one.marker].tolist(), abs=0.001)


def test_bursts_are_timed_by_packets_and_not_by_counting_samples() -> None:
    """A gap in the timestamps moves all later bursts."""
    take = Scene(participants=(PlannedParticipant(name="alice", marker=4, counter=15),), seconds=4.0)
    samples = mix_audio(take)
    ear = AudioMarkerDetector()
    for start in range(0, 4 * 48_000, 960):
        ear.on_audio(AudioBlock(start / 48_000 + (0.2 if start >= 96_000 else 0.0), samples[start : start + 960]))

    found = ear.finish().bursts[4]

    assert [0.5, 1.5, 2.7, 3.7] == pytest.approx(found.tolist(), abs=0.001)


def test_tone_is_distinguished_from_its_neighbours() -> None:
    """Of two voices 50 Hz apart each is audible exactly while it is played."""
    people = (
        PlannedParticipant(name="a", marker=5, muted=((1.0, 2.0),)),
        PlannedParticipant(name="b", marker=6, muted=((2.0, 3.0),)),
    )

    hearing = listen(Scene(participants=people, seconds=4.0))

    middles = hearing.steps.mean(axis=1)
    for voice, silent in ((5, (1.0, 2.0)), (6, (2.0, 3.0))):
        # Windows of 80 ms: half of one, and half a step, reach over the edge.
        off = (middles > silent[0] + 0.065) & (middles < silent[1] - 0.065)
        on = (middles < silent[0] - 0.065) | (middles > silent[1] + 0.065)
        assert not hearing.tones[off, voice].any()
        assert hearing.tones[on, voice] == pytest.approx(0.04, rel=0.1)
    assert not np.delete(hearing.tones, (5, 6), axis=1).any()


def test_splice_in_the_audio_is_not_an_absence() -> None:
    """If a jitter buffer drops ten milliseconds, the tone's phase jumps and the tone continues."""
    take = Scene(participants=(PlannedParticipant(name="alice", marker=1),), seconds=3.0)
    samples = np.delete(mix_audio(take), np.arange(48_000, 48_000 + 480 + 68))
    ear = AudioMarkerDetector()
    ear.on_audio(AudioBlock(0.0, samples[: 2 * 48_000]))

    lost = ear.finish().tones[:, 1] < 0.02

    assert np.count_nonzero(lost) <= 2


def test_noise_and_music_contain_no_burst() -> None:
    """Neither noise nor a held chord contains bursts."""
    random = np.random.default_rng(2)
    at = np.arange(3 * 48_000) / 48_000
    chord = sum((0.1 * np.sin(2 * np.pi * pitch * at) for pitch in (262, 330, 392, 1350, 1650)), np.zeros(at.size))
    ear = AudioMarkerDetector()
    ear.on_audio(AudioBlock(0.0, (0.1 * random.standard_normal(at.size)).astype(np.float32)))
    ear.on_audio(AudioBlock(3.0, chord.astype(np.float32)))

    assert [0] * 16 == [found.size for found in ear.finish().bursts]
