"""Define what the caller expects in addition to the manifest: visible and audible participants, and limits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Self

from pydantic import ConfigDict, Field, ValidationError, model_validator

from harness.errors import ConfigError
from harness.recording.files.safe_reads import parse_toml, read_text
from harness.recording.files.text import printable
from harness.recording.timeline import Words  # noqa: TC001 (pydantic reads it at run time)
from harness.verification.values.intervals import longer
from harness.verification.values.limits import Limits
from harness.verification.values.models import ReportModel
from harness.verification.values.profiles import DEFAULT, Profile, ProfileChoice, Profiles, profile_named

if TYPE_CHECKING:
    from pathlib import Path

    from harness.recording.timeline import Interval

Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Expectation(ReportModel):
    """An expectation that a participant is, or is not, visible or audible during an interval of the file."""

    model_config = ConfigDict(populate_by_name=True)

    participant: Words
    """Name of the participant."""
    visible: bool | None = None
    """True if the participant must always be visible in the interval, False if never, None if this is not checked."""
    audible: bool | None = None
    """True if the participant must always be audible in the interval, False if never, None if this is not checked."""
    start: Seconds = Field(default=0.0, validation_alias="from")
    """Start of the interval in seconds. In an expectations file, this key is called ``from``."""
    end: Seconds | None = Field(default=None, validation_alias="to")
    """End of the interval in seconds; None for the end of the recording. In an expectations file, this key is called
    ``to``."""

    @model_validator(mode="after")
    def _expects_something(self) -> Self:
        if self.visible is None and self.audible is None:
            message = "specify 'visible' or 'audible'"
            raise ValueError(message)
        if self.end is not None and self.end <= self.start:
            message = f"'to' ({self.end:g}) must come after 'from' ({self.start:g})"
            raise ValueError(message)
        return self

    def problem(self, limits: Limits) -> str | None:
        """Return the reason why this expectation can't be checked with the given limits, or None if it can be checked.

        Args:
            limits: Limits of the checks. Their ``absence`` determines the shortest interval that can be checked.
        """
        if self.end is None or is_long_enough(self.start, self.end, limits):
            return None
        return (
            f"from {self.start:g} to {self.end:g} s is too short to determine whether {self.participant} is visible or "
            f"audible: specify more than {2 * limits.absence:g} s"
        )


def without_edges(start: float, end: float, limits: Limits) -> Interval:
    """Return an interval without its edges, where a participant's video or audio may still be starting or ending.

    At least the middle half of the interval is returned.
    """
    edge = min(limits.edge, (end - start) / 4)
    return (start + edge, end - edge)


def is_long_enough(start: float, end: float, limits: Limits) -> bool:
    """Return whether a participant can be absent during an interval for longer than the limits allow."""
    first, last = without_edges(start, end, limits)
    return bool(longer([(first, last)], limits.absence))


class Expected(ReportModel):
    """The values that an expectations file specifies."""

    duration: Seconds | None = None
    """Expected duration in seconds; None if it is not checked."""
    complete: bool = False
    """Whether the report fails if the recording was not stopped normally, or if an alarm was raised during the
    recording."""
    profiles: Profiles = Field(default={})
    """Profiles that the file defines, in addition to ``default`` and ``strict``. Any limit that a profile omits has its
    default value."""
    profile: ProfileChoice | None = None
    """Name of the profile whose limits apply; None for the default limits."""
    limits: Limits = Limits()
    """Limits that differ from the profile."""
    expect: tuple[Expectation, ...] = ()
    """Expectations about which participants are visible or audible, and when."""

    @model_validator(mode="after")
    def _is_verifiable(self) -> Self:
        limits = self.chosen_profile().limits
        for number, one in enumerate(self.expect, 1):
            if problem := one.problem(limits):
                message = f"expectation {number}: {problem}"
                raise ValueError(message)
        return self

    def chosen_profile(self, name: str | None = None) -> Profile:
        """Return the profile called ``name``, or the file's profile by default, with the file's limits applied.

        Raises ConfigError if there is no such profile.
        """
        return profile_named(name or self.profile or DEFAULT, self.profiles).changed(self.limits)


def read_expected(path: Path) -> Expected:
    """Return the expectations in the TOML file at ``path``.

    Raises ConfigError if the file can't be read or is not valid. The error's message states the location in the file
    and the reason.
    """
    text = read_text(path, "expectations")
    try:
        return Expected.model_validate(parse_toml(text))
    except RecursionError as error:
        message = f"{path} is nested too deeply to be read."
        raise ConfigError(message) from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = printable(".".join(str(part) for part in first["loc"])) or "the top level"
        message = f"{path}: {where}: {first['msg'].removeprefix('Value error, ')}{_allowed(first['loc'])}."
        raise ConfigError(message) from error
    except ValueError as error:
        # The text is not valid TOML, or contains a number with thousands of digits.
        message = f"{path} is not a TOML file: {error}."
        raise ConfigError(message) from error


def _allowed(where: tuple[int | str, ...]) -> str:
    """If the name at this location in the file is unknown, return a sentence that lists the valid names."""
    models: dict[str, type[ReportModel]] = {"limits": Limits, "expect": Expectation}
    if len(where) == 1 and where[0] not in Expected.model_fields:
        return f"; known names: {', '.join(Expected.model_fields)}"
    in_profile = len(where) == 3 and where[0] == "profiles"  # noqa: PLR2004 - profiles, name, limit
    model = Limits if in_profile else models.get(str(where[0])) if where else None
    known = [str(field.validation_alias or name) for name, field in model.model_fields.items()] if model else []
    return f"; known names: {', '.join(known)}" if known and where[-1] not in known else ""
