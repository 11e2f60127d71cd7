"""Define the ``room`` marker and the plugin's options, which can also be set in pytest's configuration."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, cast, get_args

import pytest

from harness.errors import ConfigError
from harness.recording.config import RecordConfig
from harness.session.media import MEDIA, media_of

if TYPE_CHECKING:
    from collections.abc import Sequence

# The first value of each option is its default.
Keep = Literal["on", "off", "retain-on-failure"]
BrowserMode = Literal["own", "project"]

# Names of the participants if a test specifies only their number.
NAMES: Final = (
    *("alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi"),
    *("ivan", "judy", "kate", "leo", "mia", "nina", "oscar", "paul"),
)
MARKER: Final = (
    "room(participants=None, media='synthetic', **record_config): Set the participants of the room fixture (a number, "
    "or a list of names), their camera and microphone ('synthetic', 'camera' or a video file), and the default options "
    "of its recordings, for example layout='speaker' or record_video_quality='720p'."
)
_OPTIONS: Final = {
    "recordings": ("DIR", "Folder for finished recordings. The default is 'recordings' in pytest's root directory."),
    "recordings-keep": (
        "on|off|retain-on-failure",
        (
            "Keep all recordings (on), no recordings (off), or only recordings from failed tests (retain-on-failure). "
            "The default is 'on'."
        ),
    ),
    "recordings-browser": (
        "own|project",
        (
            "Browser in which tests with a room record: a browser that the harness launches (own), or the project's "
            "browser (project). The project must launch its browser with the arguments from the fixture "
            "recording_launch_args. The default is 'own'."
        ),
    ),
    "recordings-expect": (
        "FILE",
        (
            "TOML file with limits and expectations for the verify_recording fixture, in the format of "
            "'harness verify --expect'."
        ),
    ),
    "room-sfu": (
        "janus=WS",
        (
            "Address of the SFU that forwards the room fixture's media, in the same form as for "
            "'harness record --sfu'. Access tokens for the SFU are signed with HARNESS_SFU_SECRET."
        ),
    ),
    "room-connect": (
        "WS",
        "Address of a remote browser, as printed by 'playwright run-server --unsafe'.",
    ),
}


def add_options(parser: pytest.Parser) -> None:
    """Add each option to pytest's command line, and the equivalent setting to pytest's configuration."""
    group = parser.getgroup("recording-harness", "Recording rooms")
    for name, (metavar, text) in _OPTIONS.items():
        group.addoption(f"--{name}", metavar=metavar, default=None, help=text)
        parser.addini(name.replace("-", "_"), help=text)


def option_value(config: pytest.Config, name: str) -> str | None:
    """Return an option's value from the command line or pytest's configuration, or None if it is set in neither."""
    value: str | None = config.getoption(f"--{name}") or config.getini(name.replace("-", "_"))
    return value or None


def option_path(config: pytest.Config, name: str) -> Path | None:
    """Return an option's value as an absolute path, or None if the option is not set.

    On the command line, a relative path is relative to the current directory; in pytest's configuration, it is relative
    to pytest's root directory.
    """
    if from_command_line := config.getoption(f"--{name}"):
        return Path(from_command_line).absolute()
    value = option_value(config, name)
    return config.rootpath / value if value else None


def keep_mode(config: pytest.Config) -> Keep:
    """Return the value of ``--recordings-keep``; raises pytest.UsageError for an unknown value."""
    return cast("Keep", _choice(config, "recordings-keep", get_args(Keep)))


def browser_mode(config: pytest.Config) -> BrowserMode:
    """Return the value of ``--recordings-browser``.

    Raises pytest.UsageError for an unknown value, or if ``--room-connect`` names another browser.
    """
    mode = cast("BrowserMode", _choice(config, "recordings-browser", get_args(BrowserMode)))
    if mode == "project" and option_value(config, "room-connect"):
        message = (
            "--room-connect can't be used with --recordings-browser project. To use a remote browser for all tests, "
            "override pytest-playwright's fixture connect_options."
        )
        raise pytest.UsageError(message)
    return mode


def _choice(config: pytest.Config, name: str, choices: tuple[str, ...]) -> str:
    """Return an option's value, by default the first choice; raises pytest.UsageError for an unknown value."""
    value = option_value(config, name) or choices[0]
    if value not in choices:
        message = f"--{name}: {value!r} is not valid; choose one of {', '.join(choices)}."
        raise pytest.UsageError(message)
    return value


@dataclass(frozen=True)
class RoomRequest:
    """The room that a test requests with the ``room`` marker."""

    names: tuple[str, ...] = ()
    media: str | Path = "synthetic"
    config: RecordConfig = field(default_factory=RecordConfig)

    @classmethod
    def of(cls, node: pytest.Item) -> RoomRequest:
        """Return the room requested by the marker closest to the test; raises ConfigError if the marker is invalid."""
        marker = node.get_closest_marker("room")
        if marker is None:
            return cls()
        if marker.args:
            message = f"@pytest.mark.room accepts only keyword arguments; write participants={marker.args[0]!r}."
            raise ConfigError(message)
        options = dict(marker.kwargs)
        names = _names(options.pop("participants", None))
        media = options.pop("media", "synthetic")
        # A video file's path is relative to the test's folder.
        source = media_of(media, MEDIA, folder=node.path.parent)
        known = [one.name for one in fields(RecordConfig)]
        if unknown := sorted(set(options) - set(known)):
            everything = ", ".join(("participants", "media", *known))
            message = f"@pytest.mark.room: unknown option {unknown[0]!r}; choose from {everything}."
            raise ConfigError(message)
        return cls(names=names, media=source, config=RecordConfig(**options))


def _names(participants: int | Sequence[str] | Any) -> tuple[str, ...]:
    if participants is None:
        return ()
    if isinstance(participants, int) and 0 < participants <= len(NAMES):
        return NAMES[:participants]
    if isinstance(participants, list | tuple) and all(isinstance(name, str) for name in participants):
        return tuple(participants)
    message = f"participants: {participants!r} is not valid; give a number from 1 to {len(NAMES)}, or a list of names."
    raise ConfigError(message)
