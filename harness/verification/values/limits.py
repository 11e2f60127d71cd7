"""How much is allowed before a check fails: each limit with its default and its reason."""

from __future__ import annotations

from pydantic import Field

from harness.verification.values.models import Value


class Limits(Value):
    """The limits of all checks; a field's description is the reason for its default."""

    start: float = Field(
        default=0.2, ge=0, description="Seconds until the first picture and sound; players show nothing before."
    )
    keyframe: float = Field(
        default=10.0, gt=0, description="Seconds; a jump decodes from the keyframe before, at ten times the speed."
    )
    frame_rate_percent: float = Field(
        default=1.0, ge=0, description="Clocks differ by far less; 30.3 for 30, as some mixers have it, is found."
    )
    gap_ms: float = Field(
        default=1.0,
        gt=0,
        description="Times in WebM are whole milliseconds: exact pictures are 33 or 34 ms apart, or 66 or 67.",
    )
    missed_percent: float = Field(
        default=5.0,
        ge=0,
        description="Of the pictures a busy machine may miss so many, and is told; more is seen as jerking.",
    )
    sound_hole: float = Field(
        default=0.06, ge=0, description="Seconds; one lost Opus packet of MediaRecorder is 60 ms."
    )
    black: float = Field(default=0.25, ge=0, description="Seconds; a person takes a shorter one for a cut.")
    silent: float = Field(
        default=0.25, ge=0, description="Seconds; the synthetic tone never stops, so this is no pause."
    )
    edge: float = Field(
        default=0.5,
        ge=0,
        description="Seconds around a join, leave or mute: connections take that long to begin and end, and who leaves "
        "stands still meanwhile.",
    )
    hole: float = Field(
        default=0.25, ge=0, description="Seconds; a word is lost, and a spoilt picture or two is not meant."
    )
    freeze: float = Field(
        default=0.3, ge=0, description="Seconds; everybody notices, and a late packet is over sooner."
    )
    repeat_percent: float = Field(
        default=5.0, ge=0, description="First form: the phase-locked queue reaches 0.1, unlocked mixers 2 to 21."
    )
    repeat_few: int = Field(
        default=10, ge=0, description="Pictures; the queue locks after 45, so a short recording may be all start."
    )
    av_offset_ms: float = Field(
        default=200.0, ge=0, description="First form: WebRTC's own skew begins at 167 to 221 ms and falls within 20 s."
    )
    own_av_offset_ms: float = Field(
        default=60.0, ge=0, description="Whoever records is in the page itself: no network comes in between."
    )
    drift_ppm: float = Field(default=100.0, ge=0, description="Clocks stay within 20; 100 is 0.36 s in an hour.")
    duration: float = Field(
        default=0.2, ge=0, description="Seconds; picture ends on a tick of up to 67 ms, sound on a packet of up to 60."
    )
