"""Profiles are named sets of limits, and every report states which one it used."""

import json
from pathlib import Path

import pytest

from harness.errors import ConfigError
from harness.verification import Limits, verify
from harness.verification.report.html import as_html
from harness.verification.values.expectations import read_expected
from tests.support.media.recording_file import write_recording
from tests.support.media.scene import Scene, participants
from tests.support.program import run_harness

pytestmark = [pytest.mark.parallel, pytest.mark.usefixtures("in_process")]

SCENE = Scene(participants=participants("alice"), width=240, height=136, seconds=1.0)
OFFICE = 'profile = "office"\n[profiles.office]\nfrozen = 0.5\n'


@pytest.mark.parametrize(
    ("options", "profile"),
    [
        ({}, "default"),
        ({"limits": Limits()}, "default"),
        ({"limits": Limits.strict()}, "strict"),
        ({"profile": "strict"}, "strict"),
        ({"limits": Limits(frozen=1)}, "custom"),
        ({"limits": Limits(frozen=1), "profile": "office"}, "office"),
        ({"limits": Limits(frozen=1), "profile": "office", "redact": True}, "custom"),
    ],
)
def test_report_states_its_profile(tmp_path: Path, options: dict[str, object], profile: str) -> None:
    """The profile is in the report, its text, its JSON and its HTML; a redacted report omits names from files."""
    report = verify(write_recording(tmp_path / "standup.webm", SCENE), **options)  # type: ignore[arg-type]

    assert profile == report.profile == report.as_json()["profile"]
    assert str(report).splitlines()[0].endswith(f"  {profile} limits")
    assert f"Limits: {profile}" in as_html(report, tmp_path / "report.html")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"profile": "lax"}, "There is no profile 'lax'; known profiles: default, strict."),
        (
            {"profile": "strict", "limits": Limits(frozen=1)},
            "the limits of the profile 'strict' differ from the given limits",
        ),
        (
            {"profile": "default", "limits": Limits(frozen=1)},
            "the limits of the profile 'default' differ from the given limits",
        ),
    ],
)
def test_profile_that_is_unknown_or_contradicts_the_limits_is_refused(
    tmp_path: Path, options: dict[str, object], message: str
) -> None:
    """A report never shows the name of a profile whose limits it did not use."""
    recording = write_recording(tmp_path / "standup.webm", SCENE)

    with pytest.raises(ConfigError) as error:
        verify(recording, **options)  # type: ignore[arg-type]

    assert message in str(error.value)


def test_strict_limits_are_nowhere_more_tolerant_than_the_default() -> None:
    """Every limit is a maximum, so the strict value is at most the default."""
    strict, default = Limits.strict().model_dump(), Limits().model_dump()

    assert [] == [name for name, value in strict.items() if value > default[name]]


@pytest.mark.parametrize(
    ("text", "name", "expected"),
    [
        ("", None, ("default", Limits())),
        (OFFICE, None, ("office", Limits(frozen=0.5))),
        (OFFICE, "strict", ("strict", Limits.strict())),
        (
            'profile = "strict"\n[limits]\nfrozen = 1',
            None,
            ("custom", Limits.strict().model_copy(update={"frozen": 1})),
        ),
        ('profile = "strict"\n[limits]\nfrozen = 0.3', None, ("strict", Limits.strict())),
        ("[profiles.office]\nfrozen = 0.5", "office", ("office", Limits(frozen=0.5))),
    ],
)
def test_file_can_define_and_choose_profiles(
    tmp_path: Path, text: str, name: str | None, expected: tuple[str, Limits]
) -> None:
    """A profile from the command line replaces the file's choice, and the file's limits change the profile."""
    path = tmp_path / "expect.toml"
    path.write_text(text)

    profile = read_expected(path).chosen_profile(name)

    assert expected == (profile.name, profile.limits)


def test_command_line_chooses_a_profile(tmp_path: Path) -> None:
    """``--profile`` accepts built-in profiles and those in the ``--expect`` file; other names are a usage error."""
    write_recording(tmp_path / "standup.webm", SCENE)
    (tmp_path / "expect.toml").write_text("[profiles.office]\nfrozen = 0.5")

    strict = run_harness("verify", "standup.webm", "--profile", "strict", "--json", folder=tmp_path)
    office = run_harness(
        "verify", "standup.webm", "--expect", "expect.toml", "--profile", "office", "--json", folder=tmp_path
    )
    unknown = run_harness("verify", "standup.webm", "--profile", "office", folder=tmp_path)

    assert ("strict", "office") == tuple(json.loads(one.stdout)["reports"][0]["profile"] for one in (strict, office))
    assert (2, "There is no profile 'office'; known profiles: default, strict.") == (
        unknown.returncode,
        unknown.stderr.strip().removeprefix("harness: "),
    )
