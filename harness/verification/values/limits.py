"""The limits of all checks, each with its default and the reason for it."""

from __future__ import annotations

from typing import Any, Final, Self

from pydantic import Field

from harness.verification.values.models import ReportModel


class Limits(ReportModel):
    """The limits of all checks. Each field's description states its unit and the reason for its default.

    The defaults are limits for any recording, based on what viewers and listeners notice.
    """

    start: float = Field(
        default=0.2,
        ge=0,
        description="Maximum time before the video and the audio begin, in seconds. Players show nothing before the "
        "first frame.",
    )
    keyframe: float = Field(
        default=10.0,
        gt=0,
        description="Maximum time between keyframes, in seconds. To seek, a player must decode everything from the "
        "last keyframe before the target.",
    )
    frame_rate_percent: float = Field(
        default=1.0,
        ge=0,
        description="Maximum difference from the requested frame rate, in percent. The clocks of two machines differ "
        "by far less than 1 %, but a mixer that writes 30.3 fps instead of 30 fps exceeds the limit.",
    )
    gap_ms: float = Field(
        default=1.0,
        gt=0,
        description="Maximum deviation from even frame spacing, in ms. WebM stores times in whole "
        "milliseconds, so evenly spaced frames are 33 or 34 ms apart at 30 fps, and 66 or 67 ms at 15 fps.",
    )
    missed_percent: float = Field(
        default=5.0,
        ge=0,
        description="Maximum share of frames that the manifest counts as missed, in percent. Up to this limit, missed "
        "frames cause only a warning, because a busy machine might miss a few frames. Above the limit, missed "
        "frames are visible as stutter.",
    )
    audio_gap: float = Field(
        default=0.06,
        ge=0,
        description="Maximum gap in the audio, in seconds. The default is the length of a MediaRecorder Opus packet, "
        "60 ms.",
    )
    black: float = Field(
        default=0.25,
        ge=0,
        description="Maximum duration of black video, in seconds. A shorter black interval looks like a cut.",
    )
    silent: float = Field(
        default=0.25,
        ge=0,
        description="Maximum duration of silence, in seconds. A synthetic participant's tone never pauses, so any "
        "longer silence is a fault.",
    )
    edge: float = Field(
        default=0.5,
        ge=0,
        description="Unchecked time before and after each join, leave or mute, in seconds. Opening or closing a "
        "connection can take this long. While a connection is closing, the leaving participant's video is frozen.",
    )
    absence: float = Field(
        default=0.25,
        ge=0,
        description="Maximum time that a participant may be missing, or unexpectedly present, in seconds. The default "
        "is about the length of a spoken word, and tolerates one or two damaged frames.",
    )
    frozen: float = Field(
        default=0.3,
        ge=0,
        description="Maximum time that a participant's video may be frozen, in seconds. The W3C's WebRTC statistics "
        "count a freeze (`freezeCount`) from max(3 * mean frame interval, mean + 150 ms), which is 183 ms at 30 fps "
        "and 217 ms at 15 fps. The default tolerates one more frame at 15 fps.",
    )
    content: float = Field(
        default=0.5,
        ge=0,
        description="Maximum time that a part of a participant's video may be black or frozen, or have the wrong "
        "colors or content, in seconds. A codec can take this long to update a small moving area at a low bitrate.",
    )
    aspect_percent: float = Field(
        default=3.0,
        gt=0,
        description="Maximum deviation of the aspect ratio of a participant's video from the right one, in percent. "
        "Recorders round the sizes of small videos to even numbers of pixels, which changes the aspect ratio by up to "
        "2 %.",
    )
    shape: float = Field(
        default=0.5,
        ge=0,
        description="Maximum time that a participant's video may be mirrored, turned, too wide or too narrow, in "
        "seconds. A shorter time can be part of a transition between two layouts.",
    )
    still: float = Field(
        default=2.0,
        gt=0,
        description="Minimum time that video without markers must be still, black or partly blank to cause a warning, "
        "in seconds. Speakers move, but a shared slide can be still for minutes, so this is never a failure.",
    )
    repeated_percent: float = Field(
        default=5.0,
        ge=0,
        description="Maximum share of a participant's frames that may be repeated or skipped, in percent. A single "
        "repeated frame is too short to count as a freeze in the W3C's statistics, so no standard sets a limit for it. "
        "A mixer without a phase-locked queue repeats or skips 2 to 21 % of the frames.",
    )
    repeated_warning_percent: float = Field(
        default=3.0,
        ge=0,
        description="Share of repeated or skipped frames that causes a warning, in percent. At 30 fps, the default is "
        "about one uneven frame per second, which viewers can see in steady motion.",
    )
    repeated_frames: int = Field(
        default=10,
        ge=0,
        description="Number of repeated and skipped frames that are always tolerated. The mixer's queue needs 45 "
        "frames to adapt to a sender's frame rate. In a short file, frames repeated or skipped before then are a large "
        "share of the total.",
    )
    audio_early_ms: float = Field(
        default=90.0,
        ge=0,
        description="Maximum time by which a participant's audio may be early, in ms. Audio that is earlier than the "
        "default is not acceptable to viewers (ITU-R BT.1359-1).",
    )
    audio_early_warning_ms: float = Field(
        default=45.0,
        ge=0,
        description="How early audio must be to cause a warning, in ms. Viewers notice audio that precedes the "
        "video by more than 45 ms (ITU-R BT.1359-1).",
    )
    audio_late_ms: float = Field(
        default=185.0,
        ge=0,
        description="Maximum time by which a participant's audio may be late, in ms. Audio that is later than the "
        "default is not acceptable to viewers (ITU-R BT.1359-1).",
    )
    audio_late_warning_ms: float = Field(
        default=125.0,
        ge=0,
        description="How late audio must be to cause a warning, in ms. Viewers notice audio that lags behind the "
        "video by more than 125 ms (ITU-R BT.1359-1).",
    )
    own_av_offset_ms: float = Field(
        default=185.0,
        ge=0,
        description="Maximum A/V offset of the recording participant in either direction, in ms. The default is no "
        "stricter than the limits for early and late audio. A recorder can meet a much stricter limit, because the "
        "recording participant's media does not cross a network.",
    )
    av_offset_p95_ms: float = Field(
        default=250.0,
        ge=0,
        description="Maximum 95th percentile of a participant's A/V offset in either direction, in ms, if the offset "
        "was measured at least 20 times. WebRTC itself causes an A/V offset of 167 to 221 ms at the start of a "
        "connection. The offset decreases within the first 20 s.",
    )
    drift_ppm: float = Field(
        default=100.0,
        ge=0,
        description="Maximum drift between a participant's audio and video, in ppm. The clocks of two machines stay "
        "within 20 ppm of each other. A drift of 100 ppm is 0.36 s per hour.",
    )
    level_db: float = Field(
        default=6.0,
        gt=0,
        description="Maximum deviation of a participant's level from the level of the synthetic microphone, in dB. The "
        "synthetic microphone of a participant who is speaking is 6 dB louder, which does not count as a deviation. "
        "RFC 7874 (section 4) allows WebRTC endpoints a deviation of 6 dB from the usual level of speech. Neither Opus "
        "nor our mixer changed the level by more than 1 dB in our measurements.",
    )
    clipped_percent: float = Field(
        default=1.0,
        ge=0,
        le=100,
        description="Maximum share of samples at full scale within 0.1 s, in percent. If the bursts of many synthetic "
        "participants coincide, single samples can reach full scale, which is not audible.",
    )
    noise_dbfs: float = Field(
        default=-45.0,
        le=0,
        description="Maximum level of anything except the markers in synthetic audio, in dBFS (RMS). At 24 kbps or "
        "more, the noise that Opus adds stayed below -50 dBFS in our measurements, while speech has a level of about "
        "-22 dBFS (RFC 7874).",
    )
    noise: float = Field(
        default=0.2,
        ge=0,
        description="Maximum duration of noise in synthetic audio, in seconds. Shorter noise counts as a click and "
        "causes only a warning: on overloaded machines, lost packets caused up to 0.15 s of noise in our measurements.",
    )
    echo_db: float = Field(
        default=-30.0,
        le=0,
        description="Maximum level of an echo relative to the audio, in dB. If the delay is long, listeners object "
        "even to quieter echoes (ITU-T G.131), but the measurement detects an echo only down to about -23 dB.",
    )
    long_silence: float = Field(
        default=1.5,
        gt=0,
        description="Maximum duration of complete silence in audio without markers, in seconds. Longer silence causes "
        "only a warning. In conversations, the pauses in which nobody speaks last 0.5 s on average (ITU-T P.59), and "
        "even then, a microphone records the background noise of the room.",
    )
    channel: float = Field(
        default=0.5,
        ge=0,
        description="Maximum time that the left or right channel may be silent alone, or that the channels may cancel "
        "each other out, in seconds. Shorter differences between channels can be part of normal stereo content.",
    )
    duration: float = Field(
        default=0.2,
        ge=0,
        description="Maximum difference between durations that should match, in seconds. Durations can differ "
        "slightly, because a frame lasts up to 67 ms and an audio packet up to 60 ms.",
    )
    first_video_ms: float = Field(
        default=10_000.0,
        ge=0,
        description="Maximum time from a participant's join to the participant's first frame, in ms. Ten seconds is "
        "about the limit for keeping a user's attention during a wait (Nielsen, Usability Engineering, 1993).",
    )
    first_audio_ms: float = Field(
        default=10_000.0,
        ge=0,
        description="Maximum time from a participant's join to the participant's first audio, in ms. The reason is "
        "the same as for `first_video_ms`.",
    )
    delay_ms: float = Field(
        default=400.0,
        ge=0,
        description="Maximum median delay of a participant's video and audio, from the capture to the file, in ms. "
        "ITU-T G.114 recommends a one-way delay of at most 400 ms.",
    )
    delay_p95_ms: float = Field(
        default=1000.0,
        ge=0,
        description="Maximum 95th percentile of the delay that `delay_ms` limits, in ms, if the delay was measured at "
        "least 20 times. A wait of more than about one second interrupts a user's flow of thought (Nielsen, Usability "
        "Engineering, 1993).",
    )

    @classmethod
    def strict(cls) -> Self:
        """Return the limits that the harness's own rooms meet if their media does not leave the machine.

        These limits find regressions long before viewers would notice them.
        """
        return cls(**_STRICT)


# Measured in rooms of two and three participants, from 360p15 to 720p30, on a machine with two processors
# (docs/decisions.md, 117).
_STRICT: Final[dict[str, Any]] = {
    "repeated_percent": 0.3,
    "repeated_warning_percent": 0.3,
    "audio_early_ms": 80.0,
    "audio_late_ms": 100.0,
    "audio_late_warning_ms": 80.0,
    "own_av_offset_ms": 60.0,
    "av_offset_p95_ms": 80.0,
    "first_video_ms": 2000.0,
    "first_audio_ms": 2000.0,
    "delay_ms": 300.0,
    "delay_p95_ms": 500.0,
}
