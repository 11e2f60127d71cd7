"""The limits of all checks, each with its default and the reason for it."""

from __future__ import annotations

from pydantic import Field

from harness.verification.values.models import ReportModel


class Limits(ReportModel):
    """The limits of all checks; a field's description is the reason for its default."""

    start: float = Field(
        default=0.2, ge=0, description="Seconds until the first frame and audio; players show nothing before."
    )
    keyframe: float = Field(
        default=10.0, gt=0, description="Seconds between keyframes; a seek decodes from the keyframe before its target."
    )
    frame_rate_percent: float = Field(
        default=1.0, ge=0, description="Clocks differ by far less; 30.3 fps instead of 30, as some mixers write, fails."
    )
    gap_ms: float = Field(
        default=1.0,
        gt=0,
        description="Times in WebM are whole milliseconds: exact frames are 33 or 34 ms apart, or 66 or 67.",
    )
    missed_percent: float = Field(
        default=5.0,
        ge=0,
        description="A busy machine may miss this share of the frames, with a warning; more is visible as stutter.",
    )
    audio_gap: float = Field(default=0.06, ge=0, description="Seconds; one lost Opus packet of MediaRecorder is 60 ms.")
    black: float = Field(default=0.25, ge=0, description="Seconds; viewers take a shorter black interval for a cut.")
    silent: float = Field(
        default=0.25, ge=0, description="Seconds; the synthetic tone never stops, so this is not a pause."
    )
    edge: float = Field(
        default=0.5,
        ge=0,
        description="Seconds around a join, leave or mute: connections take this long to start and end, and the video "
        "of a leaving participant is frozen meanwhile.",
    )
    absence: float = Field(
        default=0.25,
        ge=0,
        description="Seconds a participant may be missing, or present unexpectedly; a word takes this long, and a "
        "damaged frame or two does not count.",
    )
    frozen: float = Field(default=0.3, ge=0, description="Seconds; viewers notice, and a late packet takes less time.")
    repeated_percent: float = Field(
        default=5.0, ge=0, description="The phase-locked queue reaches 0.1, unlocked mixers reach 2 to 21."
    )
    repeated_frames: int = Field(
        default=10,
        ge=0,
        description="This many frames always pass: the queue locks after 45, which short files notice.",
    )
    av_offset_ms: float = Field(
        default=200.0, ge=0, description="WebRTC's own skew starts at 167 to 221 ms and decreases within 20 s."
    )
    own_av_offset_ms: float = Field(
        default=60.0, ge=0, description="The recording participant is in the page itself, without a network between."
    )
    drift_ppm: float = Field(default=100.0, ge=0, description="Clocks stay within 20; 100 is 0.36 s per hour.")
    duration: float = Field(
        default=0.2, ge=0, description="Seconds; video ends on a tick of up to 67 ms, audio on a packet of up to 60 ms."
    )
