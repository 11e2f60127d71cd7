"""The limits of all checks, each with its default and the reason for it."""

from __future__ import annotations

from pydantic import Field

from harness.verification.values.models import ReportModel


class Limits(ReportModel):
    """The limits of all checks. Each field's description states its unit and the reason for its default."""

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
        description="Maximum time that a participant's video may be frozen, in seconds. Viewers notice longer "
        "freezes, while shorter freezes can result from a single late packet.",
    )
    repeated_percent: float = Field(
        default=5.0,
        ge=0,
        description="Maximum share of a participant's frames that may be repeated or skipped, in percent. Our mixer "
        "has a phase-locked queue and repeats or skips 0.1 % of the frames. Mixers without a phase-locked queue repeat "
        "or skip 2 to 21 % of the frames.",
    )
    repeated_frames: int = Field(
        default=10,
        ge=0,
        description="Number of repeated and skipped frames that are always tolerated. The mixer's queue needs 45 "
        "frames to adapt to a sender's frame rate. In a short file, frames repeated or skipped before then are a large "
        "share of the total.",
    )
    av_offset_ms: float = Field(
        default=200.0,
        ge=0,
        description="Maximum A/V offset of a participant, in ms. WebRTC itself causes an A/V offset of 167 to 221 ms "
        "at the start of a connection. The offset decreases within the first 20 s.",
    )
    own_av_offset_ms: float = Field(
        default=60.0,
        ge=0,
        description="Maximum A/V offset of the recording participant, in ms. This limit is lower, because the "
        "recording participant's media does not cross a network.",
    )
    drift_ppm: float = Field(
        default=100.0,
        ge=0,
        description="Maximum drift between a participant's audio and video, in ppm. The clocks of two machines stay "
        "within 20 ppm of each other. A drift of 100 ppm is 0.36 s per hour.",
    )
    duration: float = Field(
        default=0.2,
        ge=0,
        description="Maximum difference between durations that should match, in seconds. Durations can differ "
        "slightly, because a frame lasts up to 67 ms and an audio packet up to 60 ms.",
    )
