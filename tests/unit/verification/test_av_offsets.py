"""A/V offsets of several seconds are measured without ambiguity, and never guessed."""

import numpy as np
import pytest
from numpy.typing import NDArray

from harness.verification.markers.audio_markers import AudioAnalysis
from harness.verification.markers.audio_signals import CHIRP_LEVEL, SPACINGS, chirp
from harness.verification.markers.content import ContentTrack
from harness.verification.markers.strip import COUNTER_PERIOD
from harness.verification.markers.tracks import MarkerTrack
from harness.verification.measures.av_sync import measure_av_sync
from tests.support.media.audio import SAMPLE_RATE, mix_audio
from tests.support.media.opus import after_opus, analysis_of, plain_blocks
from tests.support.media.scene import PlannedParticipant, Scene

pytestmark = pytest.mark.parallel


def track_of(one: PlannedParticipant, seconds: float) -> MarkerTrack:
    """Return the marker track of a participant whose video is visible at 30 fps without any fault."""
    frames = np.arange(round(seconds * 30))
    return MarkerTrack(
        marker=one.marker or 0,
        times=frames / 30,
        counters=(one.counter + frames).astype(np.int32),
        captures_ms=np.round(frames * 1000 / 30).astype(np.int32),
        in_own_tile=np.ones(frames.size, bool),
        numbers=frames.astype(np.uint32),
        content=ContentTrack(times=np.zeros(0), faults=np.zeros(0, np.uint8), colors_known=0),
    )


def speech(seconds: float, seed: int) -> NDArray[np.float64]:
    """Return speech-like audio: noise, and syllables of harmonics in formants, whose pitch glides up or down."""
    random = np.random.default_rng(seed)
    audio = 0.003 * random.standard_normal(round(seconds * SAMPLE_RATE))
    start = 0
    while start < audio.size - SAMPLE_RATE // 2:
        length = int(random.uniform(0.06, 0.35) * SAMPLE_RATE)
        at = np.arange(length) / SAMPLE_RATE
        pitch = random.uniform(90, 400) * (1 + random.uniform(-1.5, 1.5) * at)
        phase = 2 * np.pi * np.cumsum(pitch) / SAMPLE_RATE
        formants = random.uniform((300, 800, 2000, 3000), (800, 2200, 3000, 6000))
        voiced = sum(
            np.exp(-((np.abs(number * pitch.mean() - formants).min() / 200) ** 2)) * np.sin(number * phase)
            for number in range(1, 40)
        )
        audio[start : start + length] += 0.1 * np.hanning(length) * voiced
        start += length + int(random.exponential(0.08) * SAMPLE_RATE)
    return audio


def complete(analysis: AudioAnalysis) -> int:
    """Return the number of bursts of all voices of which both chirps were found."""
    return sum(int(np.isfinite(bursts.spacings).sum()) for bursts in analysis.bursts)


@pytest.mark.parametrize("seed", range(12))
def test_any_offset_up_to_four_seconds_is_accurate_to_ten_milliseconds(seed: int) -> None:
    """One to six participants with random offsets and counters are encoded at 24 to 64 kbps."""
    random = np.random.default_rng(seed)
    markers = random.choice(16, size=1 + seed % 6, replace=False)
    planned = tuple(
        PlannedParticipant(
            name=f"p{marker}",
            marker=int(marker),
            counter=int(random.integers(COUNTER_PERIOD)),
            audio_delay=float(random.uniform(-4, 4)),
        )
        for marker in markers
    )
    audio = mix_audio(Scene(participants=planned, seconds=8.0))[: 8 * SAMPLE_RATE]

    analysis = analysis_of(after_opus(audio, int(random.choice([24_000, 32_000, 48_000, 64_000]))))

    for one in planned:
        sync = measure_av_sync(track_of(one, 8.0), analysis, ())
        assert sync.missing is None
        assert sync.offsets[:, 1] == pytest.approx(one.audio_delay, abs=0.01)


@pytest.mark.parametrize("delay", [-7.5, -4.0, -1.0, 0.6, 1.0, 2.0, 4.0, 7.5])
def test_offset_of_whole_seconds_is_not_zero(delay: float) -> None:
    """An offset of a whole second, or of more than half a second, is not mistaken for a smaller offset."""
    one = PlannedParticipant(name="alice", marker=3, counter=1234, audio_delay=delay)
    analysis = analysis_of(plain_blocks(mix_audio(Scene(participants=(one,), seconds=5.0))))

    assert measure_av_sync(track_of(one, 5.0), analysis, ()).offsets[:, 1] == pytest.approx(delay, abs=0.002)


@pytest.mark.parametrize("counter", range(0, 30, 5))
def test_two_seconds_are_enough(counter: int) -> None:
    """A recording of two seconds contains at least one complete burst, which identifies its second."""
    one = PlannedParticipant(name="alice", marker=7, counter=counter, audio_delay=0.05)
    audio = mix_audio(Scene(participants=(one,), seconds=2.0))[: 2 * SAMPLE_RATE]

    sync = measure_av_sync(track_of(one, 2.0), analysis_of(after_opus(audio, 32_000)), ())

    assert sync.offsets[:, 1] == pytest.approx(0.05, abs=0.01)
    assert sync.offsets.size


def test_offset_that_changes_by_a_second_is_followed() -> None:
    """If a second of audio is inserted, all bursts after the insertion are a second late."""
    one = PlannedParticipant(name="alice", marker=7, counter=15)
    audio = mix_audio(Scene(participants=(one,), seconds=12.0))
    late: NDArray[np.float32] = np.concatenate(
        (audio[: 6 * SAMPLE_RATE], np.zeros(SAMPLE_RATE), audio[6 * SAMPLE_RATE :])
    )

    offsets = measure_av_sync(track_of(one, 12.0), analysis_of(plain_blocks(late)), ()).offsets

    early, after = offsets[offsets[:, 0] < 6, 1], offsets[offsets[:, 0] > 7, 1]
    assert early == pytest.approx(0, abs=0.002)
    assert after == pytest.approx(1, abs=0.002)


def test_bursts_without_a_second_chirp_are_ambiguous() -> None:
    """If no burst's second can be read, the offset is unknown, even if the bursts are exactly a second apart."""
    one = PlannedParticipant(name="alice", marker=2)
    audio = np.zeros(6 * SAMPLE_RATE)
    samples = CHIRP_LEVEL * chirp(2).real
    for second in range(1, 6):
        audio[second * SAMPLE_RATE : second * SAMPLE_RATE + samples.size] += samples

    analysis = analysis_of(plain_blocks(audio))

    sync = measure_av_sync(track_of(one, 6.0), analysis, ())
    assert analysis.bursts[2].times.size == 5
    assert "ambiguous" == sync.missing
    assert not sync.offsets.size


def shifted(audio: NDArray[np.float32], *, at: float, seconds: float) -> NDArray[np.float32]:
    """Return audio in which a jitter buffer inserted (or removed, if negative) some seconds at a time."""
    place = round(at * SAMPLE_RATE)
    inserted = np.zeros(max(0, round(seconds * SAMPLE_RATE)), np.float32)
    return np.concatenate((audio[:place], inserted, audio[place + max(0, round(-seconds * SAMPLE_RATE)) :]))


def test_burst_that_contradicts_its_neighbors_is_ignored() -> None:
    """If audio was inserted between a burst's chirps, it shows a wrong second, but the others correct it."""
    one = PlannedParticipant(name="alice", marker=2, counter=15)
    audio = mix_audio(Scene(participants=(one,), seconds=8.0))
    # The burst at 3.5 s encodes second 4; its falling chirp starts at 3.82 s. Afterwards, the buffer removes what it
    # inserted.
    delayed = shifted(audio, at=3.7, seconds=SPACINGS[2] - SPACINGS[0])
    restored = shifted(delayed, at=4.1, seconds=SPACINGS[0] - SPACINGS[2])

    offsets = measure_av_sync(track_of(one, 8.0), analysis_of(plain_blocks(restored)), ()).offsets

    assert offsets[:, 1] == pytest.approx(0, abs=0.002)


@pytest.mark.parametrize("inserted", [-0.018, -0.012, 0.012, 0.018])
def test_only_burst_is_identified_although_the_jitter_buffer_changed_it(inserted: float) -> None:
    """A jitter buffer inserts or removes up to about 18 ms when a participant's audio starts, and a mute may follow."""
    one = PlannedParticipant(name="alice", marker=2, counter=15)
    audio = mix_audio(Scene(participants=(one,), seconds=1.4))
    # The burst at 0.5 s encodes second 1; its falling chirp starts at 0.7 s.
    changed = shifted(audio, at=0.64, seconds=inserted)

    offsets = measure_av_sync(track_of(one, 1.4), analysis_of(plain_blocks(changed)), ()).offsets

    assert offsets[0] == pytest.approx((0.5, 0), abs=0.002)


def test_only_burst_does_not_prove_an_offset_of_a_second() -> None:
    """The jitter buffer may have changed one burst, so an offset of a whole second needs at least two bursts."""
    one = PlannedParticipant(name="alice", marker=2, counter=15)
    audio = mix_audio(Scene(participants=(one,), seconds=1.4))
    # After this insertion, the burst encodes the next second.
    changed = shifted(audio, at=0.64, seconds=SPACINGS[1] - SPACINGS[0])

    assert "ambiguous" == measure_av_sync(track_of(one, 1.4), analysis_of(plain_blocks(changed)), ()).missing


@pytest.mark.parametrize("missing", ["audio", "video"])
def test_reason_is_stated_if_there_is_nothing_to_compare(missing: str) -> None:
    """Without audio, or if the participant is not visible, the offset is unknown for that reason."""
    one = PlannedParticipant(name="alice", marker=2)
    audio = analysis_of(plain_blocks(np.zeros(SAMPLE_RATE)))

    sync = measure_av_sync(
        None if missing == "video" else track_of(one, 1.0), None if missing == "audio" else audio, ()
    )

    assert {"audio": "no audio", "video": "not visible"}[missing] == sync.missing


def test_noise_never_shows_a_second() -> None:
    """In 100 s of white noise, no complete burst is found."""
    noise = 0.1 * np.random.default_rng(3).standard_normal(100 * SAMPLE_RATE)

    assert 0 == complete(analysis_of(plain_blocks(noise)))


def test_speech_never_shows_a_second() -> None:
    """In 100 s of speech-like audio with gliding pitches, no complete burst is found."""
    assert 0 == complete(analysis_of(plain_blocks(speech(100, seed=4))))
