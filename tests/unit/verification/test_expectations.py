"""Expectations can be read from a file.

A recording passes only if it meets the expectations and also matches its manifest.
"""

import os
from pathlib import Path

import pytest

from harness.errors import ConfigError
from harness.recording.recording import Recording
from harness.verification import Expectation, Limits, verify
from harness.verification.values.expectations import read_expected
from tests.support.media.recording_file import write_recording
from tests.support.media.scene import Scene, participants, with_participant

pytestmark = [pytest.mark.parallel, pytest.mark.usefixtures("in_process")]

# Bob is muted for two seconds, and the manifest reports this.
SCENE = with_participant(Scene(participants=participants("alice", "bob"), seconds=5.0), "bob", muted=((2.0, 4.0),))


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    """Return a recording in which Bob is muted from 2 to 4 s."""
    return write_recording(tmp_path_factory.mktemp("expected") / "standup.webm", SCENE)


@pytest.mark.parametrize(
    "expectation",
    [
        Expectation(participant="bob", audible=False, start=2, end=4),
        Expectation(participant="bob", audible=True, start=0, end=2),
        Expectation(participant="bob", visible=True),
        Expectation(participant="alice", visible=True, audible=True),
    ],
)
def test_met_expectations_pass(recording: Recording, expectation: Expectation) -> None:
    """An expectation that is met yields a passed finding."""
    report = verify(recording, expect=[expectation])

    assert report.ok, report.failures
    assert any(finding.message.endswith("as expected.") for finding in report.findings)


@pytest.mark.parametrize(
    ("expectation", "message"),
    [
        (
            Expectation(participant="bob", audible=True, start=2, end=4),
            "bob is not audible from 2.50 to 3.50 s, but should be.",
        ),
        (
            Expectation(participant="alice", audible=False, start=1, end=3),
            "alice is audible from 1.50 to 2.50 s, but should not be.",
        ),
        (Expectation(participant="alice", visible=False), "alice is visible from 0.50 to 4.50 s, but should not be."),
        (
            Expectation(participant="dave", visible=True),
            "dave is not in the recording. The manifest names alice, bob.",
        ),
        (
            Expectation(participant="Bob", audible=False),
            "Bob is not in the recording. The manifest names alice, bob.",
        ),
    ],
)
def test_unmet_expectation_fails(recording: Recording, expectation: Expectation, message: str) -> None:
    """The finding for an unmet expectation names the participant, the state and the time."""
    report = verify(recording, expect=[expectation])

    assert [("presence", message)] == [(finding.check, finding.message) for finding in report.failures]


def test_expectations_file_contains_duration_limits_and_expectations(tmp_path: Path) -> None:
    """An expectations file is in TOML, and uses the same names as findings do."""
    path = tmp_path / "expect.toml"
    path.write_text(
        """
        duration = 8
        [limits]
        frozen = 0.5
        [[expect]]
        participant = "bob"
        audible = false
        from = 5
        to = 8
        """
    )

    expected = read_expected(path)

    assert (8, Limits(frozen=0.5)) == (expected.duration, expected.limits)
    assert (Expectation(participant="bob", audible=False, start=5, end=8),) == expected.expect


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "[limits]\nfreze = 1",
            "limits.freze: Extra inputs are not permitted; known names: start, keyframe, frame_rate_percent",
        ),
        (
            "lenght = 8",
            "lenght: Extra inputs are not permitted; known names: duration, complete, profiles, profile, limits",
        ),
        ('[[expect]]\nparticipant = "bob"', "expect.0: specify 'visible' or 'audible'"),
        (
            '[[expect]]\nparticipant = "bob"\nvisible = true\nfrom = 5\nto = 2',
            "expect.0: 'to' (2) must come after 'from'",
        ),
        ("[limits]\nfrozen = -1", "limits.frozen: Input should be greater than or equal to 0"),
        ('profile = "lax"', "profile: There is no profile 'lax'; known profiles: default, strict."),
        (
            'profile = "o"\n[profiles.office]\nfrozen = 0.5\n',
            "profile: There is no profile 'o'; known profiles: default, strict, office.",
        ),
        (
            "[profiles.strict]\nfrozen = 1",
            "profiles: 'strict' is a reserved name; choose another name for the profile.",
        ),
        ("[profiles.custom]\nfrozen = 1", "profiles: 'custom' is a reserved name"),
        ("[profiles.office]\nfreze = 1", "profiles.office.freze: Extra inputs are not permitted; known names: start,"),
        ("duration = ", "is not a TOML file"),
        (f"duration = {'9' * 5_000}", "is not a TOML file"),
    ],
)
def test_invalid_expectations_file_is_refused_in_one_line(tmp_path: Path, text: str, message: str) -> None:
    """The error for an invalid expectations file states the position and the reason, and lists the known names."""
    path = tmp_path / "expect.toml"
    path.write_text(text)

    with pytest.raises(ConfigError) as error:
        read_expected(path)

    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_expectations_with_a_byte_order_mark_are_read(tmp_path: Path, encoding: str) -> None:
    """Editors on Windows save files with byte order marks and two-character line endings."""
    path = tmp_path / "expect.toml"
    path.write_bytes('[[expect]]\r\nparticipant = "张三"\r\nvisible = true\r\n'.encode(encoding))

    (expectation,) = read_expected(path).expect

    assert "张三" == expectation.participant


def test_missing_expectations_file_is_refused(tmp_path: Path) -> None:
    """The error for a missing expectations file contains the name of the file."""
    with pytest.raises(ConfigError, match=r"none\.toml can't be read: No such file"):
        read_expected(tmp_path / "none.toml")


def test_oversized_expectations_file_is_refused(tmp_path: Path) -> None:
    """An expectations file has a maximum size, and each dotted key in the file has a maximum number of parts."""
    path = tmp_path / "expect.toml"
    path.write_text("# comment\n" * 50_000)
    with pytest.raises(ConfigError, match="too large for expectations"):
        read_expected(path)
    path.write_text("\na" + '."a"' * 40_000 + " = 1")
    with pytest.raises(ConfigError, match="a key has too many parts"):
        read_expected(path)


def test_expectations_from_a_pipe_are_refused(tmp_path: Path) -> None:
    """If an expectations file is a pipe, it is refused, because reading from it could block forever."""
    os.mkfifo(tmp_path / "expected.toml")

    with pytest.raises(ConfigError, match="is not a regular file"):
        read_expected(tmp_path / "expected.toml")
