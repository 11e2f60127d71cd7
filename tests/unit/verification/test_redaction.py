"""Redaction removes names and locations from a report, and nothing else."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from harness import Expectation, verify
from harness.recording.files.names import manifest_of
from harness.recording.isolation import child
from harness.recording.manifest import Manifest
from harness.recording.timeline import Event
from harness.verification.isolation import readers
from harness.verification.report.junit import write_junit
from harness.verification.report.redaction import Redaction, redacted_path
from tests.support.media.recording_file import write_recording
from tests.support.media.scene import Scene, participants, with_participant
from tests.support.program import run_harness

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.recording.recording import Recording

pytestmark = [pytest.mark.parallel, pytest.mark.usefixtures("in_process")]

# One name is part of another name, and one contains characters with a special meaning in regular expressions.
NAMES: Final = ("Ann", "Ann Marie", "J. (Bob) [x]")
SCENE: Final = Scene(participants=participants(*NAMES), seconds=3.0)


@pytest.fixture(scope="module")
def secret(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    """Return a recording in which a participant is hidden for a second, and an alarm names a participant."""
    folder = tmp_path_factory.mktemp("private-project")
    recording = write_recording(
        folder / "merger talks.webm", with_participant(SCENE, NAMES[2], hidden=((1.0, 2.0),)), manifest_scene=SCENE
    )
    manifest = Manifest.read(manifest_of(recording.path))
    alarm = Event(at=1.0, event="alarm", message=f"{NAMES[1]}'s audio is frozen.")
    places = "ANN MARIE, and Zoe, are at /srv/private-project/x.webm, https://merger.example/y and 10.1.2.3."
    more = (alarm, Event(at=1.2, event="alarm", message=places), Event(at=1.3, event="join", participant="Zoe"))
    timeline = manifest.timeline.model_copy(update={"events": (*manifest.timeline.events, *more)})
    manifest_of(recording.path).unlink()
    manifest.model_copy(update={"timeline": timeline}).write(manifest_of(recording.path))
    return recording


def private(text: str) -> list[str]:
    """Return all words that occur in ``text`` but must not appear in a redacted report."""
    return [
        word
        for word in (*NAMES, "Marie", "MARIE", "Zoe", "Bob", "merger", "private-project", "10.1.2.3")
        if word in text
    ]


def test_redacted_report_has_the_same_findings_with_aliases(secret: Recording) -> None:
    """Participants' aliases are numbered in the manifest's order. Redaction does not change failures or their times."""
    open_report, report = verify(secret), verify(secret, redact=True)

    assert [one.name for one in report.participants] == ["participant 1", "participant 2", "participant 3"]
    assert [one.check for one in report.findings] == [one.check for one in open_report.findings]
    assert [one.at for one in report.failures] == [one.at for one in open_report.failures]
    assert any(one.participant == "participant 3" for one in report.failures)


def test_no_form_of_a_redacted_report_contains_names_or_locations(secret: Recording, tmp_path: Path) -> None:
    """The HTML page, JSON, JUnit XML and terminal output of a redacted report contain no names or locations.

    The page of a redacted report neither shows nor plays video.
    """
    report = verify(secret, redact=True)
    page = report.write_html(tmp_path / "shared.html").read_text()
    write_junit([report], tmp_path / "shared.xml", broken={})

    forms = (page, json.dumps(report.as_json()), (tmp_path / "shared.xml").read_text(), str(report))
    assert [[]] * 4 == [private(form) for form in forms]
    assert not any(secret.sha256 in form for form in forms)
    assert "participant 2&#39;s audio is frozen." in page
    assert not any(tag in page for tag in ("<video", "<img", "data-at="))


@pytest.mark.parametrize(("name", "redacted"), [("a.webm", "recording.webm"), ("talk.Alice Smith", "recording")])
def test_redacted_name_keeps_only_a_known_suffix(name: str, redacted: str) -> None:
    """An unknown suffix is removed from a file name, because it may be part of somebody's name."""
    assert redacted_path(Path(name)) == Path(redacted)


def test_expectations_apply_to_the_same_participants_in_a_redacted_report(secret: Recording) -> None:
    """The caller's expectations use the names in the manifest, even for a redacted report."""
    expect = [Expectation(participant=NAMES[0], visible=True), Expectation(participant=NAMES[2], visible=True)]

    report = verify(secret, redact=True, expect=expect)

    assert {one.participant for one in report.failures if one.check == "presence"} == {"participant 3"}


def test_redacted_report_on_an_unreadable_file_has_no_name(tmp_path: Path) -> None:
    """A redacted report names neither an unreadable file nor its damaged manifest."""
    path = tmp_path / "merger talks.webm"
    path.write_bytes(b"nothing")
    manifest_of(path).write_text("nothing")

    report = verify(path, redact=True)

    assert not report.ok
    assert private(str(report) + json.dumps(report.as_json())) == []


@pytest.fixture
def _fresh() -> Iterator[None]:
    """End all idle reader processes before and after each test."""
    readers._POOL.end()
    yield
    readers._POOL.end()


@pytest.mark.usefixtures("_fresh")
@pytest.mark.parametrize(
    ("fault", "message"),
    [
        pytest.param("os.kill(os.getpid(), signal.SIGKILL)", "crashes the decoder", id="crash"),
        pytest.param("signal.pause()", "could not be read within", id="timeout"),
        pytest.param("bytearray(2_000_000_000)", "needs more than 1.5 GB", id="memory"),
    ],
)
def test_redacted_report_on_a_file_that_crashes_its_reader_has_no_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str, message: str
) -> None:
    """If the reader process fails, no format of a redacted report contains the name of the file or its folder."""
    (tmp_path / "private-project").mkdir()
    path = write_recording(tmp_path / "private-project" / "merger talks.webm", SCENE).path
    program = (
        f"import os, signal; from harness.verification.isolation import worker; worker.analyze = lambda *_: {fault}"
    )
    # For this test, files are read in a real reader process.
    monkeypatch.setattr(import_module("harness.verification.verify"), "analyze_in_child", readers.analyze_in_child)
    monkeypatch.setattr(readers, "_PROGRAM", f"{program}; worker.main()")
    monkeypatch.setattr(child, "_STALLED", 5.0)

    report = verify(path, redact=True)
    page = report.write_html(tmp_path / "shared.html").read_text()
    write_junit([report], tmp_path / "shared.xml")

    assert message in report.findings[0].message
    assert report.findings[0].message.startswith("recording.webm ")
    forms = (page, json.dumps(report.as_json()), (tmp_path / "shared.xml").read_text(), str(report), repr(report))
    assert [[]] * 5 == [private(form) for form in forms]
    assert not any(str(tmp_path) in form for form in forms)


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("张三离开了", "participant 1离开了"),
        ("现在张三丰和张三都在", "现在participant 2和participant 1都在"),
        ("ann离开了, annex and Joann stay", "participant 3离开了, annex and Joann stay"),
        ("(ann), ann's, ann", "(participant 3), participant 3's, participant 3"),
        ("(Bo) and (Bo)", "participant 4 and participant 4"),
        ("Anna-Lena saw Anna", "participant 6 saw participant 5"),
        ("李ann走了", "participant 7走了"),
    ],
)
def test_names_are_redacted_in_every_script(text: str, redacted: str) -> None:
    """Names are redacted even in Chinese text, which has no spaces, but not inside longer names or ordinary words."""
    redaction = Redaction(None)
    for name in ("张三", "张三丰", "ann", "(Bo)", "Anna", "Anna-Lena", "李ann"):
        redaction.alias(name)

    assert redacted == redaction._text(text)


def test_command_line_can_redact(secret: Recording, tmp_path: Path) -> None:
    """With ``--redact``, the report is redacted in every format."""
    ran = run_harness("verify", str(secret.path), "--redact", "--json", "--html", "shared.html", folder=tmp_path)

    assert ran.returncode == 1
    assert json.loads(ran.stdout)["reports"][0]["path"] == "recording.webm"
    assert private(ran.stdout + ran.stderr + (tmp_path / "shared.html").read_text()) == []


def test_several_redacted_files_are_numbered(secret: Recording, tmp_path: Path) -> None:
    """Redacted files are numbered in the order of the arguments, in every format of the report."""
    other = write_recording(tmp_path / "merger.webm", Scene(participants=participants("Ann"), seconds=1.0))

    ran = run_harness("verify", str(secret.path), str(other.path), "--redact", "--junit", "all.xml", folder=tmp_path)

    assert "recording 1.webm" in ran.stdout
    assert "recording 2.webm" in ran.stdout
    assert private(ran.stdout + (tmp_path / "all.xml").read_text()) == []


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("at /home/al/clients/Acme/x.webm", "at …"),
        ("at /srv/My Client/x.webm, al left", "at … participant 1 left"),
        ("wss://al@turn.acme.com/x", "…"),
        ("al_2 came", "participant 1_2 came"),
    ],
)
def test_locations_are_redacted_before_names(text: str, redacted: str) -> None:
    """Locations are redacted before names, because replacing a name inside a location would split the location.

    A location is redacted completely even if its folder names contain spaces.
    """
    redaction = Redaction(None)
    redaction.alias("al")

    assert redacted == redaction._text(text)


def test_text_that_aliases_lengthen_is_still_valid(tmp_path: Path) -> None:
    """A message of the maximum length stays valid even if redaction replaces a name with a longer alias."""
    path = write_recording(tmp_path / "standup.webm", Scene(participants=participants("al"), seconds=1.0)).path
    manifest = Manifest.read(manifest_of(path))
    alarm = Event(at=0.5, event="alarm", message=("al is frozen. " * 200)[:2000])
    codec = manifest.recording.model_copy(update={"codec": "vp8", "mime_type": "video/webm of al"})
    timeline = manifest.timeline.model_copy(update={"events": (*manifest.timeline.events, alarm)})
    manifest_of(path).unlink()
    changes = {"timeline": timeline, "recording": codec, "versions": {"harness": "1 at /home/al", "al": "2"}}
    manifest.model_copy(update=changes).write(manifest_of(path))

    report = verify(path, redact=True)
    page = report.write_html(tmp_path / "shared.html").read_text()

    assert report.ok
    assert "participant 1 is frozen. participant 1" in page
    assert not any(word in page for word in ("al is frozen", "/home/al", "of al"))
