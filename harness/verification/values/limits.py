"""The limits of all checks, each with its default and the reason for it."""

from __future__ import annotations

from pydantic import Field

from harness.verification.values.models import ReportModel


class Limits(ReportModel):
    """The limits of all checks. A field's description gives its unit and the reason for its default."""

    start: float = Field(
        default=0.2,
        ge=0,
        description="Maximum time until the first frame and the first audio, in seconds. Players show nothing until "
        "then.",
    )
    keyframe: float = Field(
        default=10.0,
        gt=0,
        description="Maximum time between keyframes, in seconds. A seek decodes from the keyframe before its target.",
    )
    frame_rate_percent: float = Field(
        default=1.0,
        ge=0,
        description="Maximum difference from the requested frame rate, in percent. Clocks differ by far less. A mixer "
        "that writes 30.3 fps instead of 30 fails.",
    )
    gap_ms: float = Field(
        default=1.0,
        gt=0,
        description="Maximum distance of a frame from the grid of the frame rate, in ms. WebM stores whole "
        "milliseconds: frames on the grid are 33 or 34 ms apart at 30 fps, and 66 or 67 ms at 15 fps.",
    )
    missed_percent: float = Field(
        default=5.0,
        ge=0,
        description="Maximum share of frames that the manifest counts as missed, in percent. Up to this limit, "
        "missed frames are only a warning, because a busy machine may miss a few. More are visible as stutter.",
    )
    audio_gap: float = Field(
        default=0.06,
        ge=0,
        description="Maximum gap in the audio, in seconds. One lost Opus packet of MediaRecorder is 60 ms.",
    )
    black: float = Field(
        default=0.25,
        ge=0,
        description="Maximum time of black video, in seconds. A shorter black interval looks like a cut.",
    )
    silent: float = Field(
        default=0.25,
        ge=0,
        description="Maximum time of silence, in seconds. The synthetic tone never stops, so silence is not a pause.",
    )
    edge: float = Field(
        default=0.5,
        ge=0,
        description="Time around a join, leave or mute that is not examined, in seconds. Connections take this long to "
        "start and end, and the video of a leaving participant is frozen meanwhile.",
    )
    absence: float = Field(
        default=0.25,
        ge=0,
        description="Maximum time that a participant may be missing, or present unexpectedly, in seconds. A spoken "
        "word takes about this long. One or two damaged frames pass.",
    )
    frozen: float = Field(
        default=0.3,
        ge=0,
        description="Maximum time that a participant's video may be frozen, in seconds. Viewers notice a longer "
        "freeze. A late packet causes a shorter one.",
    )
    repeated_percent: float = Field(
        default=5.0,
        ge=0,
        description="Maximum share of a participant's frames that are repeated or skipped, in percent. Our mixer, "
        "which has a phase-locked queue, reaches 0.1 %. Mixers without such a queue reach 2 to 21 %.",
    )
    repeated_frames: int = Field(
        default=10,
        ge=0,
        description="Number of repeated and skipped frames that always pass. The mixer's queue locks after 45 frames, "
        "which matters in short files.",
    )
    av_offset_ms: float = Field(
        default=200.0,
        ge=0,
        description="Maximum A/V offset of a participant, in ms. WebRTC's own offset starts at 167 to 221 ms and "
        "decreases within 20 s.",
    )
    own_av_offset_ms: float = Field(
        default=60.0,
        ge=0,
        description="Maximum A/V offset of the recording participant, in ms. Their media come from the recording page "
        "itself, without a network.",
    )
    drift_ppm: float = Field(
        default=100.0,
        ge=0,
        description="Maximum drift between a participant's audio and video, in ppm. Clocks stay within 20 ppm; 100 ppm "
        "are 0.36 s per hour.",
    )
    duration: float = Field(
        default=0.2,
        ge=0,
        description="Maximum difference between two durations, in seconds. Video ends on a tick of up to 67 ms, audio "
        "on a packet of up to 60 ms.",
    )
