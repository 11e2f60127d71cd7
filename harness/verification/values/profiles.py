"""Define profiles, which are named sets of limits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Final

from pydantic import AfterValidator, Field, ValidationInfo

from harness.errors import ConfigError
from harness.recording.files.text import printable
from harness.recording.timeline import Words
from harness.verification.values.limits import Limits

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT: Final = "default"
STRICT: Final = "strict"
# The profile name that reports use for limits that belong to no profile.
CUSTOM: Final = "custom"
_BUILT_IN: Final[Mapping[str, Limits]] = {DEFAULT: Limits(), STRICT: Limits.strict()}


def _without_reserved_names(profiles: dict[str, Limits]) -> dict[str, Limits]:
    if reserved := sorted(profiles.keys() & {*_BUILT_IN, CUSTOM}):
        message = f"{reserved[0]!r} is a reserved name; choose another name for the profile"
        raise ValueError(message)
    return profiles


ProfileName = Annotated[Words, Field(min_length=1, max_length=64)]


def _known(name: str, info: ValidationInfo) -> str:
    """Return the name of a profile; raises ValueError if it is unknown.

    The model's ``profiles`` have already been validated.
    """
    try:
        return profile_named(name, info.data.get("profiles")).name
    except ConfigError as error:
        raise ValueError(str(error).rstrip(".")) from error


# The name of a built-in profile, or of one of the model's own profiles.
ProfileChoice = Annotated[ProfileName, AfterValidator(_known)]
# The profiles that a file defines.
Profiles = Annotated[dict[ProfileName, Limits], AfterValidator(_without_reserved_names)]


@dataclass(frozen=True)
class Profile:
    """A set of limits, and the name under which reports list it."""

    name: str
    limits: Limits

    @classmethod
    def of(cls, limits: Limits) -> Profile:
        """Return the built-in profile with these limits, or a profile with the name ``custom``."""
        name = next((name for name, known in _BUILT_IN.items() if known == limits), CUSTOM)
        return cls(name, limits)

    def changed(self, changes: Limits | None) -> Profile:
        """Return the profile, changed by the limits that were set explicitly in ``changes``."""
        values = {name: getattr(changes, name) for name in changes.model_fields_set} if changes else {}
        limits = self.limits.model_copy(update=values)
        return self if limits == self.limits else Profile.of(limits)


DEFAULT_PROFILE: Final = Profile(DEFAULT, _BUILT_IN[DEFAULT])
STRICT_PROFILE: Final = Profile(STRICT, _BUILT_IN[STRICT])


def profile_named(name: str, profiles: Mapping[str, Limits] | None = None) -> Profile:
    """Return a built-in profile, or one of the ``profiles`` that a file defines.

    Raises ConfigError if the name is unknown. The error's message lists the known names.
    """
    known = {**_BUILT_IN, **(profiles or {})}
    if name not in known:
        message = f"There is no profile {printable(name)!r}; known profiles: {', '.join(known)}."
        raise ConfigError(message)
    return Profile(name, known[name])


def chosen_profile(limits: Limits | None, name: str | None) -> Profile:
    """Return the profile that a caller chose by its limits, its name, or both.

    If neither is given, this is the profile ``default``. Raises ConfigError if a name is unknown, or if
    it belongs to a built-in profile with other limits.
    """
    if limits is None:
        return profile_named(name or DEFAULT)
    profile = Profile.of(limits)
    if name is None or name == profile.name:
        return profile
    if name in {*_BUILT_IN, CUSTOM}:
        message = (
            f"profile: the limits of the profile {name!r} differ from the given limits; specify either a profile "
            "or limits."
        )
        raise ConfigError(message)
    return Profile(printable(name), limits)


def shown_name(name: str, *, redacted: bool) -> str:
    """Return the name of a profile for a report; a redacted report omits names from files."""
    return CUSTOM if redacted and name not in _BUILT_IN else name
