"""RecordConfig holds the options of a recording and validates them before the recording starts."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Final, Literal, cast, get_args

from harness.errors import ConfigError, one_of

Recorder = Literal["local", "all"]
RecordType = Literal["audio", "video"]
Quality = Literal["360p", "480p", "720p"]
FrameRate = Literal[15, 30]
Codec = Literal["vp8", "vp9", "av1"]
# Formats to which a recording can be converted.
Target = Literal["mp4", "mov", "m4a", "mkv", "wav"]
Layout = Literal["grid", "speaker"]

SIZES: Final[dict[Quality, tuple[int, int]]] = {"360p": (640, 360), "480p": (640, 480), "720p": (1280, 720)}
BITRATES: Final = range(100_000, 50_000_001)
# Maximum length of a name, in characters; web/src/client/record-plan.js has the same limit.
LONGEST_NAME: Final = 1_000

# NERTC's names for the fields below. The page uses these names, and the module nertc_application uses some of them.
_PAGE_NAMES: Final = {
    "record_type": "recordType",
    "record_name": "recordName",
    "record_video_quality": "recordVideoQuality",
    "record_video_frame": "recordVideoFrame",
    "layout": "layout",
    "names": "names",
    "codec": "codec",
    "video_bits_per_second": "videoBitsPerSecond",
}


@dataclass(frozen=True, kw_only=True)
class RecordConfig:
    """The options of a recording (NERTC's ``recordConfig``).

    Raises:
        ConfigError: An option has an invalid value.
    """

    record_type: RecordType = "video"
    """What to record: video and audio (``"video"``), or only audio (``"audio"``)."""
    record_name: str | None = None
    """Name of the file, at most 1000 characters long. Characters that are not allowed in file names are replaced. By
    default, the name consists of the participant's name and the time."""
    record_video_quality: Quality = "360p"
    """Size of the video: 360p is 640x360 pixels, 480p is 640x480, 720p is 1280x720. You can also write 720 or "720"
    instead of "720p"."""
    record_video_frame: FrameRate = 15
    """Frame rate of the video, in frames per second."""
    layout: Layout = "grid"
    """Arrangement of the tiles. ``"grid"`` uses equal tiles. ``"speaker"`` shows the shared screen or the loudest
    participant in a large tile, and all others in a row below it."""
    names: bool = True
    """Whether each tile shows the participant's name."""
    codec: Codec = "vp9"
    """Video codec. The audio is always Opus."""
    video_bits_per_second: int | None = None
    """Video bitrate in bits per second, from 100 000 to 50 000 000. The default depends on size, frame rate and
    codec."""

    def __post_init__(self) -> None:
        quality = str(self.record_video_quality)
        quality = quality if quality.endswith("p") else f"{quality}p"
        object.__setattr__(self, "record_video_quality", quality)
        one_of("record_type", self.record_type, get_args(RecordType))
        one_of("record_video_quality", quality, get_args(Quality))
        one_of("record_video_frame", self.record_video_frame, get_args(FrameRate))
        one_of("layout", self.layout, get_args(Layout))
        one_of("codec", self.codec, get_args(Codec))
        if self.record_name is not None and not isinstance(self.record_name, str):
            message = f"record_name: {self.record_name!r} is not valid; use a string or None."
            raise ConfigError(message)
        if self.record_name is not None and len(self.record_name) > LONGEST_NAME:
            message = f"record_name: {len(self.record_name)} characters is too long; use at most {LONGEST_NAME}."
            raise ConfigError(message)
        if not isinstance(self.names, bool):
            message = f"names: {self.names!r} is not valid; use True or False."
            raise ConfigError(message)
        bits = self.video_bits_per_second
        if bits is not None and (not isinstance(bits, int) or bits not in BITRATES):
            message = (
                f"video_bits_per_second: {bits!r} is not valid; use a whole number of bits per second "
                f"from {BITRATES.start} to {BITRATES.stop - 1}."
            )
            raise ConfigError(message)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the video, in pixels."""
        return SIZES[self.record_video_quality]

    def for_page(self) -> dict[str, Any]:
        """Return NERTC's ``recordConfig`` with camelCase names, a numeric quality, and no options that are None."""
        options = {_PAGE_NAMES[name]: value for name, value in asdict(self).items() if value is not None}
        options["recordVideoQuality"] = int(self.record_video_quality.removesuffix("p"))
        return options

    @classmethod
    def from_page(cls, options: dict[str, Any]) -> RecordConfig:
        """Create a configuration from a page's ``recordConfig``; raises ConfigError if it is invalid."""
        ours = {theirs: name for name, theirs in _PAGE_NAMES.items()}
        unknown = sorted(set(options) - set(ours))
        if unknown:
            message = f"recordConfig: unknown option {unknown[0]!r}; choose from {', '.join(sorted(ours))}."
            raise ConfigError(message)
        return cls(**cast("dict[str, Any]", {ours[name]: value for name, value in options.items()}))
