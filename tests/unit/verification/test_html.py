"""A report's HTML page and JUnit XML work without a network, and are safe if a participant's name contains code."""

import json
import re
from pathlib import Path
from time import monotonic
from typing import Any
from xml.etree import ElementTree as ET

import av
import pytest

from harness.recording.files.names import manifest_of, statistics_of
from harness.recording.manifest import Manifest
from harness.recording.recording import Recording
from harness.verification import Report, verify
from harness.verification.measures.connections import connection_curves
from harness.verification.report import filmstrip
from harness.verification.report.html import MOST, clock
from harness.verification.report.junit import write_junit
from harness.verification.report.participant_table import COLUMNS, cells
from tests.support.media.recording_file import write_recording
from tests.support.media.scene import Scene, participants, with_participant

pytestmark = pytest.mark.parallel

HOSTILE = "<script>alert('x')</script>"
SCENE = Scene(participants=participants("alice", HOSTILE), seconds=3.0)


@pytest.fixture(scope="module")
def bad(tmp_path_factory: pytest.TempPathFactory) -> Report:
    """Return the report on a recording in which a participant with a hostile name is hidden for a second."""
    faulty = with_participant(SCENE, HOSTILE, hidden=((1.0, 2.0),))
    return verify(write_recording(tmp_path_factory.mktemp("html") / "bad one.webm", faulty, manifest_scene=SCENE))


@pytest.fixture(scope="module")
def page(bad: Report) -> str:
    """Write the report's HTML page next to the recording, and return the page's text."""
    return bad.write_html(bad.path.with_name("report.html")).read_text()


def test_result_is_at_the_top_of_the_page(page: str) -> None:
    """The report's result is shown in the page title and above the recording."""
    assert "<title>Failed: bad one.webm</title>" in page
    assert page.index("✗ Failed") < page.index("<video")


def test_page_plays_the_recording_from_its_path(bad: Report, page: str, tmp_path: Path) -> None:
    """The page links to the recording with a relative path, even if page and recording are in different folders."""
    deeper = bad.write_html(tmp_path / "deep" / "report.html").read_text()

    assert 'src="bad%20one.webm"' in page
    (address,) = re.findall(r'<video[^>]* src="([^"]+)"', deeper)
    assert (tmp_path / "deep" / address.replace("%20", " ")).resolve() == bad.path


def test_every_failure_has_a_button_to_its_time(bad: Report, page: str) -> None:
    """The button next to a failure plays the recording from the time of the failure."""
    (failure,) = bad.failures

    assert failure.at is not None
    assert f'data-at="{failure.at[0]}"' in page


def test_each_participant_has_a_lane_and_curves(page: str) -> None:
    """Each participant has a lane that shows when they are visible and audible.

    Delays are plotted only if the manifest contains the room's time.
    """
    assert {"alice", "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;"} == set(
        re.findall(r'class="lane"[^>]*aria-label="([^"]+)"', page)
    )
    assert ["Layout", "Audio level", "A/V offset", "Time between frames"] == re.findall(r'class="title">([^<]+)<', page)
    assert 2 <= page.count('class="visible"')
    assert 2 <= page.count('class="audible"')


def test_table_of_participants_has_the_values_of_the_terminal(bad: Report, page: str) -> None:
    """The page's table has the same columns and values as the table in the terminal, and more columns on the right."""
    table = page.partition("<h2>Participants</h2>")[2].partition("</table>")[0]
    headings = re.findall(r"<th>([^<]*)</th>", table)
    rows = [re.findall(r"<td>([^<]*)</td>", row) for row in table.split("<tr")[2:]]

    assert ["participant", *COLUMNS] == headings[: 1 + len(COLUMNS)]
    assert [list(cells(one)) for one in bad.participants] == [row[: len(COLUMNS)] for row in rows]


def test_webrtc_statistics_are_plotted(tmp_path: Path) -> None:
    """WebRTC statistics are read from the file next to the recording. Invalid lines of statistics are ignored."""
    recording = write_recording(tmp_path / "standup.webm", SCENE)
    lines = [
        {"at": at, "participant": "alice", "report": [
            {"type": "inbound-rtp", "kind": "video", "bytesReceived": at * 125_000, "packetsLost": 3 * at},
            {"type": "candidate-pair", "currentRoundTripTime": 0.004},
        ]}
        for at in range(3)
    ]  # fmt: skip
    text = "\n".join(["{", *map(json.dumps, lines), '{"at": "never"}', ""])
    statistics_of(recording.path).write_text(text)

    report = verify(recording)

    assert report.curves is not None
    values = {name: list(curves["alice"].values) for name, curves in report.curves.connections.items()}
    assert {"bitrate": [1000, 1000], "lost": [3, 3], "round_trip": [4, 4, 4]} == values
    page = report.write_html(tmp_path / "report.html").read_text()
    assert "Received over WebRTC" in page


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "9" * 400])
@pytest.mark.parametrize("field", ["at", "bytesReceived", "packetsLost", "currentRoundTripTime"])
def test_invalid_statistics_are_ignored(tmp_path: Path, field: str, number: str) -> None:
    """If one line of the statistics is invalid, the valid lines are still plotted."""
    recording = write_recording(tmp_path / "standup.webm", Scene(participants=participants("alice"), seconds=1.0))
    lines = [
        {"at": at, "participant": "alice", "report": [
            {"type": "inbound-rtp", "bytesReceived": at * 125_000, "packetsLost": 3 * at},
            {"type": "candidate-pair", "currentRoundTripTime": 0.004},
        ]}
        for at in range(3)
    ]  # fmt: skip
    wrong = json.dumps(lines[2]).replace(f'"{field}": {json.dumps(found(lines[2], field))}', f'"{field}": {number}')
    statistics_of(recording.path).write_text("\n".join([*map(json.dumps, lines), wrong, ""]))

    report = verify(recording)

    assert report.curves is not None
    values = {name: list(curves["alice"].values) for name, curves in report.curves.connections.items()}
    assert [1000, 1000] == values["bitrate"][:2]
    assert {0.0, 3.0, 4.0, 1000.0} >= {value for curve in values.values() for value in curve}
    assert report.write_html(tmp_path / "report.html").is_file()


def found(line: dict[str, Any], field: str) -> Any:
    """Return the value of a field in a line of statistics or in one of the line's report entries."""
    return next(one[field] for one in (line, *line["report"]) if field in one)


def test_statistics_of_too_many_participants_are_limited_to_the_first(tmp_path: Path) -> None:
    """Statistics are plotted for at most the first 256 participants, because no room has more participants."""
    path = tmp_path / "standup.stats.jsonl"
    pair = {"type": "candidate-pair", "currentRoundTripTime": 0.004}
    lines = [{"at": 1, "participant": f"{number}", "report": [pair]} for number in range(300)]
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines))

    assert [f"{number}" for number in range(256)] == list(connection_curves(path)["round_trip"])


def recording_with(path: Path, events: list[dict[str, Any]], participants_named: int = 1) -> Recording:
    """Return a short audio recording with the given events and number of participants in its manifest."""
    recording = write_recording(path, Scene(participants=participants("alice"), seconds=1.0, video=False))
    manifest = json.loads(recording.manifest.read_text())
    members = [
        {"name": "alice", "marker": 1},
        *({"name": f"p{one}", "marker": one} for one in range(2, participants_named + 1)),
    ]
    manifest["timeline"] = {"members": members, "events": events}
    recording.manifest.write_text(json.dumps(manifest))
    return recording


def test_page_counts_the_events_that_it_omits(tmp_path: Path) -> None:
    """The page draws a limited number of events, and states how many it omits.

    An event that affects all participants is stored once in the page, and is shown in all lanes.
    """
    alarm = {"at": 0.5, "event": "alarm", "message": "The video stalled. " * 50}
    recording = recording_with(tmp_path / "standup.webm", [alarm] * 5_000, participants_named=200)

    page = verify(recording).write_html(tmp_path / "report.html").read_text()

    assert MOST == page.count('<line class="mark alarm"')
    assert f"There are {5_000 - MOST} more events; the manifest lists all of them." in page
    assert 200 == page.count('<use href="#everybody"/>')
    assert len(page) < 5_000_000


def test_page_of_a_manifest_with_many_intervals_is_written_quickly(tmp_path: Path) -> None:
    """Intervals that are too close together to be seen separately are drawn as a single interval."""
    many = 20_000
    events = [
        event
        for at in (number / many for number in range(many))
        for event in (
            {"at": at, "event": "join", "participant": "alice"},
            {"at": at, "event": "audio", "participant": "alice", "on": True},
            {"at": at + 0.3 / many, "event": "audio", "participant": "alice", "on": False},
            {"at": at + 0.6 / many, "event": "leave", "participant": "alice"},
        )
    ]
    report = verify(recording_with(tmp_path / "standup.webm", events))
    began = monotonic()

    page = report.write_html(tmp_path / "report.html").read_text()

    assert monotonic() - began < 10
    assert 0 < page.count('class="present"') <= MOST + 1
    assert len(page) < 1_000_000


def test_findings_are_drawn_in_their_participants_lane(bad: Report, page: str) -> None:
    """A finding about one participant is drawn only in this participant's lane.

    Findings that are not about a particular participant are drawn in every lane.
    """
    (failure,) = bad.failures
    everybody = failure.model_copy(update={"participant": None})
    both = bad.model_copy(update={"findings": (failure, everybody)}).write_html(bad.path.with_name("both.html"))

    lanes = re.findall(r'<svg class="lane".*?</svg>', page, re.DOTALL)
    assert [0, 1] == [lane.count('class="failed"') for lane in lanes]
    shared = re.search(r'<g id="everybody">.*?</g>', both.read_text(), re.DOTALL)
    assert shared
    assert 1 == shared[0].count('class="failed"')


@pytest.mark.parametrize("fault", ["hangs", "crashes"])
def test_recording_without_thumbnails_has_a_page(
    bad: Report, fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page is written even if decoding thumbnails crashes or takes too long.

    A separate process decodes the thumbnails.
    """
    programs = {
        "hangs": "import time; print('half a thumbnail', end='', flush=True); time.sleep(60)",
        "crashes": "os.abort()",
    }
    monkeypatch.setattr(filmstrip, "_PROGRAM", f"import os; {programs[fault]}")
    monkeypatch.setattr(filmstrip, "_TIMEOUT", 1.0)
    began = monotonic()

    page = bad.write_html(tmp_path / "report.html").read_text()

    assert monotonic() - began < 20
    assert "<img" not in page
    assert "✗ Failed" in page


def test_page_is_written_without_a_decoder_in_the_callers_process(
    bad: Report, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process that writes the page does not open the recording itself."""
    monkeypatch.setattr(av, "open", lambda *_, **__: pytest.fail("The recording was opened in this process."))

    assert "data:image/jpeg" in bad.write_html(tmp_path / "report.html").read_text()


def test_redacted_page_contains_neither_time_nor_hash(bad: Report, page: str, tmp_path: Path) -> None:
    """A redacted page does not contain the recording's start time or hash, since these would identify the recording."""
    redacted = verify(bad.path, redact=True).write_html(tmp_path / "report.html").read_text()
    manifest = Manifest.read(manifest_of(bad.path)).recording

    assert [True, True] == [word in page for word in (manifest.started_at, manifest.sha256)]
    assert [False, False] == [word in redacted for word in (manifest.started_at, manifest.sha256)]


def test_filmstrip_shows_frames_of_the_recording(page: str) -> None:
    """The HTML page contains twelve embedded thumbnails."""
    assert 12 == page.count('src="data:image/jpeg;base64,')


def test_page_needs_no_network_and_runs_only_its_own_script(page: str) -> None:
    """The HTML page loads nothing from the network, and contains participants' names as plain text."""
    assert "http" not in page.replace("http-equiv", "")
    assert HOSTILE not in page
    assert 1 == page.count("<script>")


def test_unreadable_file_has_a_page(tmp_path: Path) -> None:
    """If a file can't be read, the page shows the error, but not the recording."""
    path = tmp_path / "empty.webm"
    path.touch()

    page = verify(path).write_html(tmp_path / "report.html").read_text()

    assert "empty.webm is empty (0 bytes)." in page
    assert "<video" not in page


def test_page_reports_a_missing_manifest(tmp_path: Path) -> None:
    """Without a manifest, the page omits only the parts that depend on the manifest."""
    recording = write_recording(tmp_path / "standup.webm", SCENE)
    recording.manifest.unlink()

    page = verify(recording.path).write_html(tmp_path / "report.html").read_text()

    assert "No events are known, because there is no readable manifest." in page
    assert "Audio level" in page


@pytest.mark.parametrize(("seconds", "text"), [(0, "0:00.0"), (7.24, "0:07.2"), (59.96, "1:00.0"), (3723, "1:02:03.0")])
def test_times_are_formatted_as_in_a_player(seconds: float, text: str) -> None:
    """Times are shown in minutes, seconds and tenths of a second, and also in hours from one hour on."""
    assert text == clock(seconds)


def test_junit_has_a_suite_per_recording_and_a_case_per_check(bad: Report, tmp_path: Path) -> None:
    """A failed check becomes a JUnit failure that contains the finding's message without control characters."""
    odd = bad.model_copy(update={"path": bad.path.with_name("od\x07d.webm")})
    write_junit([bad, odd], tmp_path / "results.xml")

    root = ET.parse(tmp_path / "results.xml").getroot()  # noqa: S314 - our own file

    assert ["bad one.webm", "od\ufffdd.webm"] == [suite.get("name") for suite in root]
    failed = [case for case in root[0] if case.find("failure") is not None]
    assert [f"presence ({HOSTILE})"] == [case.get("name") for case in failed]
    assert "is not visible from 1.00 to 2.00 s, but should be." in next(
        one.get("message", "") for one in failed[0].iter("failure")
    )
    assert ("2", str(2 * len(root[0]))) == (root.get("failures"), root.get("tests"))
