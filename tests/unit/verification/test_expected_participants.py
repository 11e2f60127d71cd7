"""Expected participants must be in the call for the whole recording, but may be muted and have the camera off."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harness.errors import ConfigError
from harness.recording.manifest import Manifest
from harness.recording.timeline import Event, Timeline
from harness.verification import Limits, Report, verify
from tests.support.media.recording_file import write_media, write_recording
from tests.support.media.scene import Scene, participants, with_participant

if TYPE_CHECKING:
    from pathlib import Path

    from harness.recording.recording import Recording

pytestmark = [pytest.mark.parallel, pytest.mark.usefixtures("in_process")]

SECONDS = 5.0
# Bob never sends anything, because his camera is off and he is muted for the whole recording.
SCENE = with_participant(
    Scene(participants=participants("alice", "bob"), frame_rate=15, seconds=SECONDS),
    "bob",
    hidden=((0.0, SECONDS),),
    muted=((0.0, SECONDS),),
)


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    """Return a recording in which Bob's camera is off and he is muted."""
    return write_recording(tmp_path_factory.mktemp("expected") / "call.webm", SCENE)


def verify_with_presence(
    recording: Recording, *changes: tuple[float, str], expected: tuple[str, ...] = ("alice", "bob")
) -> Report:
    """Verify the recording as if Bob had joined and left at the given times."""
    manifest = Manifest.read(recording.manifest)
    presence = [Event(at=-1.0, event="join", participant="alice")]
    presence += [Event.model_validate({"at": at, "event": kind, "participant": "bob"}) for at, kind in changes]
    events = tuple(sorted((*manifest.timeline.events, *presence), key=lambda event: event.at))
    path = recording.path.with_name("changed.manifest.json")
    path.unlink(missing_ok=True)
    timeline = Timeline(members=manifest.timeline.members, events=events)
    manifest.model_copy(update={"timeline": timeline}).write(path)
    return verify(recording, manifest=path, expected=expected)


def messages(report: Report) -> list[tuple[str, str | None, str]]:
    """Return the check, the participant and the message of every failed finding."""
    return [(one.check, one.participant, one.message) for one in report.failures]


@pytest.mark.parametrize(
    "changes",
    [
        [(-1.0, "join")],
        # The application connects and hangs up within the limits.
        [(0.7, "join"), (4.3, "leave")],
        # Bob reconnects within the limit for absences.
        [(-1.0, "join"), (2.0, "leave"), (2.2, "join")],
    ],
)
def test_expected_participant_may_be_muted_and_have_the_camera_off(
    recording: Recording, changes: list[tuple[float, str]]
) -> None:
    """A participant in the call is present, even if the file contains neither video nor audio of this participant."""
    report = verify_with_presence(recording, *changes)

    assert [] == messages(report)
    assert [f"{name} was in the call for the whole recording, as expected." for name in ("alice", "bob")] == [
        one.message for one in report.findings if one.message.endswith("as expected.")
    ]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ([(-1.0, "join"), (2.1, "leave")], "bob was not in the call from 2.10 to 5.00 s."),
        ([(0.8, "join")], "bob was not in the call from 0.00 to 0.80 s."),
        ([(-1.0, "join"), (2.0, "leave"), (2.4, "join")], "bob was not in the call from 2.00 to 2.40 s."),
        ([(-2.0, "join"), (-1.0, "leave")], "bob was never in the call."),
        ([], "bob was never in the call."),
    ],
)
def test_absence_of_an_expected_participant_fails(
    recording: Recording, changes: list[tuple[float, str]], message: str
) -> None:
    """The finding states when the expected participant was not in the call."""
    assert [("presence", "bob", message)] == messages(verify_with_presence(recording, *changes))


def test_nobody_is_in_a_call_that_the_recording_page_has_left(recording: Recording) -> None:
    """After the recording page has left the call, all expected participants are missing."""
    verify_with_presence(recording, (-1.0, "join"), (3.0, "leave"))
    path = recording.path.with_name("changed.manifest.json")
    manifest = Manifest.read(path)
    calls = [Event(at=-1.0, event="call", on=True), Event(at=3.0, event="call", on=False, message="it hung up")]
    events = tuple(sorted((*manifest.timeline.events, *calls), key=lambda event: event.at))
    path.unlink()
    timeline = manifest.timeline.model_copy(update={"events": events})
    manifest.model_copy(update={"timeline": timeline}).write(path)

    report = verify(recording, manifest=path, expected=["alice", "bob"])

    assert [f"{name} was not in the call from 3.00 to 5.00 s." for name in ("alice", "bob")] == [
        one.message for one in report.failures if one.check == "presence"
    ]


def test_participant_who_is_not_expected_may_leave(recording: Recording) -> None:
    """If only Alice is expected, Bob may leave at any time."""
    assert [] == messages(verify_with_presence(recording, (-1.0, "join"), (2.0, "leave"), expected=("alice",)))


def test_limits_determine_how_late_an_expected_participant_may_join(recording: Recording) -> None:
    """The longest absence allowed at the start or the end is the sum of ``edge`` and ``absence``."""
    verify_with_presence(recording, (0.8, "join"))
    changed = recording.path.with_name("changed.manifest.json")

    report = verify(recording, manifest=changed, expected=["bob"], limits=Limits(edge=0.6))

    assert [] == messages(report)


def test_redacted_report_does_not_name_expected_participants(recording: Recording) -> None:
    """Expected participants get the same aliases as the participants in the manifest."""
    report = verify(recording, expected=["bob", "carol"], redact=True)

    assert ["participant 2 was never in the call.", "participant 3 was never in the call."] == [
        one.message for one in report.failures
    ]


def test_expected_participants_must_appear_in_a_file_without_manifest(tmp_path: Path) -> None:
    """Without a manifest, it is unknown who was in the call, so an expected participant must be visible or audible."""
    path = tmp_path / "call.webm"
    write_media(path, Scene(participants=participants("alice"), frame_rate=15, seconds=2.0))

    report = verify(path, expected=["marker 1", "bob"])

    assert [("presence", "bob", "bob is neither visible nor audible anywhere in the recording.")] == messages(report)


def test_a_single_string_is_not_a_list_of_names(recording: Recording) -> None:
    """A single string is refused, because Python would treat it as a sequence of one-letter names."""
    with pytest.raises(ConfigError, match=r"expected: 'bob' is not valid; give a list of names"):
        verify(recording, expected="bob")
