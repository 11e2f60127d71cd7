"""Faults in the quality of the audio are found, with their times, in otherwise clean recordings."""

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from harness.recording.manifest import Manifest
from harness.recording.recording import Recording, sha256_of
from harness.verification import Report, verify
from harness.verification.markers.bursts import Chirp, _without_echoes
from harness.verification.values.findings import Finding
from tests.support.media.audio import SAMPLE_RATE, mix_audio
from tests.support.media.recording_file import timeline_of, write_recording
from tests.support.media.scene import PlannedParticipant, Scene, participants, with_participant
from tests.support.media.streams import add_audio_stream

pytestmark = [pytest.mark.parallel, pytest.mark.usefixtures("in_process")]

SECONDS = 6.0
SCENE = Scene(participants=participants("alice", "bob"), seconds=SECONDS, video=False)
ALICE, BOB = (replace(SCENE, participants=(one,)) for one in SCENE.participants)
AT = np.arange(round(SECONDS * SAMPLE_RATE)) / SAMPLE_RATE
MIDDLE = (AT > 2) & (AT < 4)

Audio = NDArray[np.floating]


def mixed(scene: Scene) -> Audio:
    """Return the audio of a scene."""
    return mix_audio(scene)[: AT.size].astype(np.float64)


def write(path: Path, audio: Audio, *, manifest: bool = True, scene: Scene = SCENE) -> Path | Recording:
    """Write audio, with one row per channel, to an Opus file, and return its recording or path."""
    rows = np.atleast_2d(audio).astype(np.float32)
    recording = write_recording(path, scene)
    with av.open(str(path), "w", format="webm") as media:
        layout = "mono" if len(rows) == 1 else "stereo"
        stream = add_audio_stream(media, "libopus", SAMPLE_RATE, layout=layout)
        stream.bit_rate = 64_000 * len(rows)
        for start in range(0, rows.shape[1], 960):
            piece = np.ascontiguousarray(rows[:, start : start + 960].T.reshape(1, -1))
            frame = av.AudioFrame.from_ndarray(piece, format="flt", layout=layout)
            frame.sample_rate, frame.pts, frame.time_base = SAMPLE_RATE, start, Fraction(1, SAMPLE_RATE)
            media.mux(stream.encode(frame))
        media.mux(stream.encode(None))
    if not manifest:
        recording.manifest.unlink()
        return path
    written = recording.model_copy(update={"sha256": sha256_of(path), "size": path.stat().st_size})
    document = Manifest.read(recording.manifest)
    recording.manifest.unlink()
    document.model_copy(update={"recording": written, "timeline": timeline_of(scene)}).write(recording.manifest)
    return written


def found(report: Report) -> set[tuple[str, str | None]]:
    """Return the checks and participants of all findings that have not passed."""
    return {(one.check, one.participant) for one in report.findings if one.result != "passed"}


def of(report: Report, check: str) -> list[Finding]:
    """Return the findings of one check that have not passed."""
    return [one for one in report.findings if one.check == check and one.result != "passed"]


def echoed(scene: Scene, delay: float, gain: float) -> Audio:
    """Return a scene's audio with an echo."""
    audio = mixed(scene)
    shift = round(delay * SAMPLE_RATE)
    return audio + gain * np.concatenate((np.zeros(shift), audio[:-shift]))


def test_clean_audio_has_no_finding(tmp_path: Path) -> None:
    """In clean audio, each participant's level and similarity are as generated, and no check fails or warns."""
    report = verify(write(tmp_path / "clean.webm", mixed(SCENE)))

    assert set() == found(report)
    for one in report.participants:
        assert one.audio is not None
        assert one.audio.level_db == pytest.approx(0, abs=0.5)
        assert one.audio.level_dbfs == pytest.approx(-28, abs=0.5)
        assert one.audio.similarity is not None
        assert one.audio.similarity > 0.95
        assert one.audio.echo is None


@pytest.mark.parametrize("gain", [0.05, 0.1, 0.25, 0.4, 5.0])
def test_wrong_level_of_one_participant_is_found(tmp_path: Path, gain: float) -> None:
    """If a participant is 8 to 26 dB quieter than the others, or 14 dB louder, only this participant's level fails."""
    report = verify(write(tmp_path / "level.webm", mixed(ALICE) + gain * mixed(BOB)))

    assert {("level", "bob")} == found(report)
    (finding,) = of(report, "level")
    assert finding.at == pytest.approx((0, SECONDS), abs=0.1)
    assert float(str(finding.got).split()[0]) == pytest.approx(20 * np.log10(gain), abs=1)


def test_level_that_is_wrong_for_a_while_is_found_there(tmp_path: Path) -> None:
    """A participant who is 20 dB quieter for two seconds is still audible, and the finding states the two seconds."""
    gain = np.where(MIDDLE, 0.1, 1.0)

    report = verify(write(tmp_path / "level.webm", mixed(ALICE) + gain * mixed(BOB)))

    assert {("level", "bob")} == found(report)
    assert of(report, "level")[0].at == pytest.approx((2, 4), abs=0.15)


def test_speaking_participant_has_no_wrong_level(tmp_path: Path) -> None:
    """A synthetic participant who speaks is twice as loud."""
    gain = np.where(MIDDLE, 2.0, 1.0)

    assert set() == found(verify(write(tmp_path / "speaking.webm", mixed(ALICE) + gain * mixed(BOB))))


@pytest.mark.parametrize("gain", [10.0, 30.0])
def test_clipping_is_found_where_it_is(tmp_path: Path, gain: float) -> None:
    """If audio is amplified and clipped for two seconds, the check finds these two seconds."""
    audio = np.clip(mixed(SCENE) * np.where(MIDDLE, gain, 1.0), -1, 1)

    report = verify(write(tmp_path / "clipped.webm", audio))

    clipped = [one.at for one in of(report, "clipping") if one.at]
    assert clipped
    assert all(start > 1.8 and end < 4.2 for start, end in clipped)
    assert "clipping" in {one.check for one in report.failures}


def test_clipping_in_real_audio_is_a_warning(tmp_path: Path) -> None:
    """In audio without markers, clipping is a warning with its time."""
    tone = 0.3 * np.sin(2 * np.pi * 441 * AT) * (1 + 0.5 * np.sin(2 * np.pi * 3 * AT))
    audio = np.clip(tone * np.where(MIDDLE, 10, 1), -1, 1)

    report = verify(write(tmp_path / "clipped.webm", audio, manifest=False))

    assert not report.failures
    (finding,) = of(report, "clipping")
    assert finding.at == pytest.approx((2, 4), abs=0.15)


def _with_noise(audio: Audio) -> Audio:
    return audio + np.where(MIDDLE, 0.03 * np.random.default_rng(1).standard_normal(AT.size), 0)


def _with_distortion(audio: Audio) -> Audio:
    return np.where(MIDDLE, 0.5 * np.clip(audio * 10, -0.1, 0.1), audio)


def _with_another_tone(audio: Audio) -> Audio:
    return audio + np.where(MIDDLE, 0.05 * np.sin(2 * np.pi * 2222 * AT), 0)


@pytest.mark.parametrize("change", [_with_noise, _with_distortion, _with_another_tone])
def test_noise_is_found_where_it_is(tmp_path: Path, change: Callable[[Audio], Audio]) -> None:
    """Noise, distortion and another tone between the markers make the check fail in the two seconds with them."""
    report = verify(write(tmp_path / "noise.webm", change(mixed(SCENE))))

    assert "noise" in {one.check for one in report.failures}
    assert all(one.at and one.at[0] > 1.8 and one.at[1] < 4.2 for one in of(report, "noise"))


@pytest.mark.parametrize(("switched_at", "results"), [(2.0, {"failed", "warning"}), (4.0, {"warning"})])
def test_noise_is_only_a_warning_while_a_microphone_is_switched(
    tmp_path: Path, switched_at: float, results: set[str]
) -> None:
    """Switching a microphone can cut a burst in two, and a part of a burst sounds like noise."""
    scene = with_participant(ALICE, "alice", muted=((switched_at - 0.1, switched_at),))
    noise = np.random.default_rng(1).normal(0, 0.1, AT.size) * ((AT > 4.0) & (AT < 4.6))

    report = verify(write(tmp_path / "switched.webm", mixed(scene) + noise, scene=scene))

    assert results == {one.result for one in of(report, "noise")}


def test_clicks_are_a_warning(tmp_path: Path) -> None:
    """Single clicks are counted."""
    audio = mixed(ALICE)
    for second in (1.2, 2.2, 3.2):
        audio[round(second * SAMPLE_RATE) : round((second + 0.002) * SAMPLE_RATE)] += 0.5

    report = verify(write(tmp_path / "clicks.webm", audio, scene=ALICE))

    assert {("noise", None)} == found(report)
    assert not report.failures
    assert of(report, "noise")[0].message.startswith("The audio contains 3 clicks")


def test_chirp_that_is_found_in_two_blocks_is_counted_once() -> None:
    """If a microphone is muted during a chirp, its two parts look like one echo, but a single echo proves nothing."""
    parts = [Chirp(1.047, 0.09, 0.8), Chirp(1.137, 0.09, 0.8)]
    again = Chirp(1.137 + 1e-6, 0.09, 0.8)

    chirps, echoes = _without_echoes([*parts, again], apart=0.5)

    assert (1, 1) == (len(chirps), len(echoes))


@pytest.mark.parametrize(("delay", "gain"), [(0.11, 0.5), (0.25, 0.3), (0.37, 0.2)])
def test_echo_is_measured(tmp_path: Path, delay: float, gain: float) -> None:
    """An echo of one participant is found with its delay and level."""
    report = verify(write(tmp_path / "echo.webm", mixed(ALICE) + echoed(BOB, delay, gain)))

    assert ("noise", "bob") in found(report)
    alice, bob = (report.participant(name).audio for name in ("alice", "bob"))
    assert alice is not None
    assert bob is not None
    echo = bob.echo
    assert echo is not None
    assert echo.delay_ms == pytest.approx(delay * 1000, abs=5)
    assert echo.level_db == pytest.approx(20 * np.log10(gain), abs=2)
    assert alice.echo is None


def test_silent_channel_is_a_warning(tmp_path: Path) -> None:
    """If one channel is silent while the other is not, the channel and the time are reported."""
    audio = mixed(SCENE)

    report = verify(write(tmp_path / "half.webm", np.stack((audio, np.where(MIDDLE, 0, audio)))))

    (finding,) = of(report, "channels")
    assert finding.message.startswith("The right channel is silent")
    assert finding.at == pytest.approx((2, 4), abs=0.15)


def test_silent_surround_channels_are_normal(tmp_path: Path) -> None:
    """In surround audio, only the left and the right channel must not be silent alone."""
    audio = mixed(SCENE)
    path = tmp_path / "surround.wav"
    channels = np.zeros((6, audio.size), np.float32)
    channels[:2] = audio
    with av.open(path, "w") as media:
        stream = media.add_stream("pcm_f32le", rate=SAMPLE_RATE, layout="5.1")
        frame = av.AudioFrame.from_ndarray(channels.T.reshape(1, -1), format="flt", layout="5.1")
        frame.sample_rate = SAMPLE_RATE
        media.mux([*stream.encode(frame), *stream.encode(None)])

    report = verify(path)

    assert ["passed"] == [finding.result for finding in report.findings if finding.check == "channels"]


def test_opposite_channels_are_a_warning(tmp_path: Path) -> None:
    """Channels that cancel each other out when mixed are reported, with the time at which this happens."""
    audio = mixed(SCENE)

    report = verify(write(tmp_path / "opposite.webm", np.stack((audio, np.where(MIDDLE, -audio, audio)))))

    finding = of(report, "channels")[0]
    assert "opposite phase" in finding.message
    assert finding.at == pytest.approx((2, 4), abs=0.15)


def test_long_silence_in_real_audio_is_a_warning(tmp_path: Path) -> None:
    """In audio without markers, the longest silence is reported; short pauses are not."""
    music = 0.2 * np.sin(2 * np.pi * 441 * AT) * np.where(MIDDLE | ((AT > 5) & (AT < 5.4)), 0, 1)

    report = verify(write(tmp_path / "silent.webm", music, manifest=False))

    (finding,) = of(report, "silent")
    assert finding.at == pytest.approx((2, 4), abs=0.15)
    assert not report.failures


def test_participants_with_the_same_audio_marker_are_not_examined(tmp_path: Path) -> None:
    """Two participants whose markers are equal modulo 16 have the same tone, so each check of their audio says so."""
    scene = Scene(
        participants=(
            PlannedParticipant(name="alice", marker=1),
            PlannedParticipant(name="bob", marker=17),
            PlannedParticipant(name="carol", marker=2),
        )
    )

    report = verify(write_recording(tmp_path / "shared.webm", scene))

    checks = ("presence", "av-offset", "level")
    assert {(check, name) for check in checks for name in ("alice", "bob")} == found(report)
    assert ["shared tone", "shared tone", None] == [one.av_offset_missing for one in report.participants]
    alice = next(line for line in str(report).splitlines() if line.strip().startswith("alice"))
    assert "?" in alice.split()
