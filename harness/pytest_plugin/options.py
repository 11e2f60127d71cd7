"""What a run and a test ask for: options with their ini twins, and the marker ``room``."""

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

Keep = Literal["on", "off", "retain-on-failure"]

# Whom a number of participants means.
NAMES: Final = (
    *("alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi"),
    *("ivan", "judy", "kate", "leo", "mia", "nina", "oscar", "paul"),
)
MARKER: Final = (
    "room(participants=None, media='synthetic', **record_config): who is in the fixture room when the test begins, "
    "a number or names, and how it is recorded by default: layout='speaker', record_video_quality='720p' and so on."
)
_OPTIONS: Final = {
    "recordings": ("DIR", "Folder for finished recordings; 'recordings' in the root directory by default."),
    "recordings-keep": (
        "on|off|retain-on-failure",
        "Whether recordings stay when their test has ended; on by default.",
    ),
    "recordings-expect": (
        "FILE",
        "What the fixture verify_recording asks of every recording: a TOML file as for 'harness verify --expect'.",
    ),
    "room-sfu": (
        "janus=WS",
        "SFU by which media of fixture rooms go, as for 'harness record --sfu'; HARNESS_SFU_SECRET signs its tokens.",
    ),
    "room-connect": (
        "WS",
        "Address of a browser that runs elsewhere, as 'playwright launch-server' or 'run-server' prints it.",
    ),
}


def add_options(parser: pytest.Parser) -> None:
    """Add each option, and the line of pytest's configuration that means the same."""
    group = parser.getgroup("recording-harness", "Recording rooms")
    for name, (metavar, text) in _OPTIONS.items():
        group.addoption(f"--{name}", metavar=metavar, default=None, help=text)
        parser.addini(name.replace("-", "_"), help=text)


def chosen(config: pytest.Config, name: str) -> str | None:
    """Return what the command line says of an option, else what pytest's configuration says; None for neither."""
    said: str | None = config.getoption(f"--{name}") or config.getini(name.replace("-", "_"))
    return said or None


def path_of(config: pytest.Config, name: str) -> Path | None:
    """Return an option's path: on the command line from where pytest runs, in its configuration from where that is."""
    if on_the_line := config.getoption(f"--{name}"):
        return Path(on_the_line).absolute()
    said = chosen(config, name)
    return config.rootpath / said if said else None


def keep(config: pytest.Config) -> Keep:
    """Return which recordings stay; raises pytest.UsageError where that is none of the three words."""
    said = chosen(config, "recordings-keep") or "on"
    if said not in get_args(Keep):
        message = f"--recordings-keep: {said!r} is not possible; choose one of {', '.join(get_args(Keep))}."
        raise pytest.UsageError(message)
    return cast("Keep", said)


@dataclass(frozen=True)
class Asked:
    """What a test's marker ``room`` asks for."""

    names: tuple[str, ...] = ()
    media: str | Path = "synthetic"
    config: RecordConfig = field(default_factory=RecordConfig)

    @classmethod
    def of(cls, node: pytest.Item) -> Asked:
        """Return what the marker nearest to a test says; raises ConfigError for what can't be."""
        marker = node.get_closest_marker("room")
        if marker is None:
            return cls()
        if marker.args:
            message = f"@pytest.mark.room takes names only: participants={marker.args[0]!r}."
            raise ConfigError(message)
        options = dict(marker.kwargs)
        names = _names(options.pop("participants", None))
        media = options.pop("media", "synthetic")
        # A film lies beside the test, as far as its path goes.
        brought = media_of(media, MEDIA, folder=node.path.parent)
        known = [one.name for one in fields(RecordConfig)]
        if unknown := sorted(set(options) - set(known)):
            everything = ", ".join(("participants", "media", *known))
            message = f"@pytest.mark.room: unknown option {unknown[0]!r}; choose from {everything}."
            raise ConfigError(message)
        return cls(names=names, media=brought, config=RecordConfig(**options))


def _names(participants: int | Sequence[str] | Any) -> tuple[str, ...]:
    if participants is None:
        return ()
    if isinstance(participants, int) and 0 < participants <= len(NAMES):
        return NAMES[:participants]
    if isinstance(participants, list | tuple) and all(isinstance(name, str) for name in participants):
        return tuple(participants)
    message = f"participants: {participants!r} is not possible; give a number from 1 to {len(NAMES)}, or names."
    raise ConfigError(message)
