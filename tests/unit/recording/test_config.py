"""RecordConfig converts every option to and from the page's format, and clearly reports invalid values."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from typing import Any

import pytest

from harness.errors import ConfigError
from harness.recording.config import RecordConfig

pytestmark = pytest.mark.parallel


def test_defaults_are_nertcs() -> None:
    """The defaults are video at 360p and 15 fps with all participants in a grid."""
    config = RecordConfig()

    assert ("video", None, "360p", 15) == (
        config.record_type,
        config.record_name,
        config.record_video_quality,
        config.record_video_frame,
    )
    assert ("grid", "vp9", None) == (config.layout, config.codec, config.video_bits_per_second)


@pytest.mark.parametrize("given", ["720p", "720", 720])
def test_quality_can_be_written_in_three_ways(given: Any) -> None:
    """The three ways to specify the video quality result in equal configurations."""
    config = RecordConfig(record_video_quality=given)

    assert RecordConfig(record_video_quality="720p") == config
    assert "720p" == config.record_video_quality


@pytest.mark.parametrize(("quality", "size"), [("360p", (640, 360)), ("480p", (640, 480)), ("720p", (1280, 720))])
def test_quality_is_a_frame_size(quality: Any, size: tuple[int, int]) -> None:
    """Each of NERTC's three quality levels corresponds to one frame size in pixels."""
    assert size == RecordConfig(record_video_quality=quality).size


def test_page_options_have_nertcs_names() -> None:
    """In the options that are sent to the page, names are in camelCase and the quality is a number."""
    config = RecordConfig(
        record_type="audio",
        record_name="standup",
        record_video_quality="480p",
        record_video_frame=30,
        codec="vp9",
        video_bits_per_second=1_000_000,
    )

    assert {
        "recordType": "audio",
        "recordName": "standup",
        "recordVideoQuality": 480,
        "recordVideoFrame": 30,
        "layout": "grid",
        "names": True,
        "codec": "vp9",
        "videoBitsPerSecond": 1_000_000,
    } == config.for_page()


def test_unset_options_are_left_to_the_page() -> None:
    """An option whose value is None is not sent to the page."""
    options = RecordConfig().for_page()

    assert {"recordName", "videoBitsPerSecond"}.isdisjoint(options)


@pytest.mark.parametrize(
    "config",
    [
        RecordConfig(),
        RecordConfig(record_name="", record_video_quality="720p", record_video_frame=30),
        RecordConfig(record_type="audio", codec="av1", video_bits_per_second=100_000),
    ],
)
def test_configuration_survives_a_round_trip_to_the_page(config: RecordConfig) -> None:
    """A configuration that the page sends back equals the configuration that the page received."""
    assert config == RecordConfig.from_page(config.for_page())


@pytest.mark.parametrize(
    ("option", "given", "allowed"),
    [
        ("record_type", "picture", "'audio', 'video'"),
        ("record_video_quality", "999p", "'360p', '480p', '720p'"),
        ("record_video_quality", None, "'360p', '480p', '720p'"),
        ("record_video_quality", 720.5, "'360p', '480p', '720p'"),
        ("record_video_frame", 24, "15, 30"),
        ("record_video_frame", "30", "15, 30"),
        ("record_video_frame", True, "15, 30"),
        ("record_video_frame", [], "15, 30"),
        ("layout", "pile", "'grid', 'speaker'"),
        ("names", 1, "True or False"),
        ("codec", "h264", "'vp8', 'vp9', 'av1'"),
        ("record_name", 7, "a string or None"),
        ("video_bits_per_second", 99_999, "from 100000 to 50000000"),
        ("video_bits_per_second", 50_000_001, "from 100000 to 50000000"),
        ("video_bits_per_second", -1, "from 100000 to 50000000"),
        ("video_bits_per_second", 1e6, "from 100000 to 50000000"),
        ("video_bits_per_second", True, "from 100000 to 50000000"),
        ("video_bits_per_second", "1M", "from 100000 to 50000000"),
    ],
)
def test_refusal_names_the_option_and_the_allowed_values(option: str, given: Any, allowed: str) -> None:
    """The one-line error for an invalid value contains the option, the given value and the allowed values."""
    with pytest.raises(ConfigError) as refusal:
        RecordConfig(**{option: given})

    message = str(refusal.value)
    assert message.startswith(f"{option}: ")
    assert str(given) in message
    assert allowed in message
    assert "\n" not in message


@pytest.mark.parametrize("bits", [100_000, 50_000_000])
def test_bitrate_limits_are_allowed(bits: int) -> None:
    """The lowest and the highest allowed bitrate are both valid."""
    assert bits == RecordConfig(video_bits_per_second=bits).video_bits_per_second


@pytest.mark.parametrize("unit", ["x", "会", "👩"])
def test_name_has_up_to_a_thousand_characters(unit: str) -> None:
    """A recording name that is too long is refused with a one-line error that does not repeat the name."""
    assert unit * 1000 == RecordConfig(record_name=unit * 1000).record_name

    with pytest.raises(ConfigError) as refusal:
        RecordConfig(record_name=unit * 1001)

    assert "record_name: 1001 characters is too long; use at most 1000." == str(refusal.value)


def test_unknown_option_of_the_page_is_refused() -> None:
    """The error for an unknown option contains the option's name and lists the valid options."""
    with pytest.raises(ConfigError, match=r"unknown option 'recordSize'; choose from codec, layout, names, recordName"):
        RecordConfig.from_page({"recordSize": 1})


def test_a_configuration_does_not_change() -> None:
    """A configuration is immutable, so it stays valid once it has been validated."""
    config = RecordConfig()

    with pytest.raises(FrozenInstanceError):
        config.codec = "vp9"  # type: ignore[misc]
