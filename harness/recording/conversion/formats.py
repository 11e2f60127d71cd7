"""Define the formats to which a recording can be converted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, get_args

from harness.errors import ConfigError
from harness.recording.config import Target

if TYPE_CHECKING:
    from pathlib import Path

DEFAULT: Final[Target] = "mp4"
# Players need the index of an MP4 file (the atom "moov") before they can play anything, so it is moved to the front.
_FAST_START: Final = {"movflags": "+faststart"}


@dataclass(frozen=True, kw_only=True)
class Format:
    """A format to which a recording can be converted.

    ``muxer`` is FFmpeg's name for the container, and ``options`` are options for the muxer. ``copies`` means that the
    packets are copied instead of encoded again. ``video`` means that the new file contains video. ``audio_codec`` and
    ``sample_format`` are FFmpeg's names.
    """

    muxer: str
    options: dict[str, str]
    video: bool = True
    copies: bool = False
    audio_codec: str = "aac"
    sample_format: str = "fltp"


FORMATS: Final[dict[Target, Format]] = {
    "mp4": Format(muxer="mp4", options=_FAST_START),
    "mov": Format(muxer="mov", options=_FAST_START),
    "m4a": Format(muxer="ipod", options=_FAST_START, video=False),
    "mkv": Format(muxer="matroska", options={}, copies=True),
    "wav": Format(muxer="wav", options={}, video=False, audio_codec="pcm_s16le", sample_format="s16"),
}


def target_of(output: Path | None) -> Target:
    """Return the format that a file's suffix stands for, or MP4 if the suffix is unknown or ``output`` is None."""
    suffix = output.suffix.lower().removeprefix(".") if output else ""
    return next((to for to in FORMATS if to == suffix), DEFAULT)


def check_suffix(output: Path, to: Target) -> None:
    """Raise ConfigError if a file's suffix stands for a different format."""
    suffix = output.suffix.lower().removeprefix(".")
    if suffix == to or suffix not in {*get_args(Target), "webm"}:
        return
    advice = f"use --to {suffix}, or a name that ends with .{to}" if suffix in FORMATS else f"use the suffix .{to}"
    message = f"--output: {output.name!r} is not a name for a file in the format {to}; {advice}."
    raise ConfigError(message)
