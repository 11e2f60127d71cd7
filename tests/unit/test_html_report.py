"""The report as a page and as JUnit: one offline file, safe whatever people call themselves."""

import json
import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from harness.recording.recording import statistics_of
from harness.verification import Report, verify
from harness.verification.html_report import clock
from harness.verification.junit import write_junit
from tests.media import Take, cast, changed, film

HOSTILE = "<script>alert('x')</script>"
TAKE = Take(people=cast("alice", HOSTILE), seconds=3.0)


@pytest.fixture(scope="module")
def bad(tmp_path_factory: pytest.TempPathFactory) -> Report:
    """Return the verdict on a recording in which somebody of a hostile name is hidden for a second."""
    faulty = changed(TAKE, HOSTILE, hidden=((1.0, 2.0),))
    return verify(film(tmp_path_factory.mktemp("html") / "bad one.webm", faulty, told=TAKE))


@pytest.fixture(scope="module")
def page(bad: Report) -> str:
    """Return its page, written beside the recording."""
    return bad.write_html(bad.path.with_name("report.html")).read_text()


def test_the_verdict_stands_at_the_top(page: str) -> None:
    """Before the film and everything else; in the title, too."""
    assert "<title>Failed: bad one.webm</title>" in page
    assert page.index("✗ Failed") < page.index("<video")


def test_the_recording_plays_from_where_it_lies(bad: Report, page: str, tmp_path: Path) -> None:
    """By an address that is relative to the page, wherever that is written."""
    elsewhere = bad.write_html(tmp_path / "deep" / "report.html").read_text()

    assert 'src="bad%20one.webm"' in page
    (address,) = re.findall(r'<video[^>]* src="([^"]+)"', elsewhere)
    assert (tmp_path / "deep" / address.replace("%20", " ")).resolve() == bad.path


def test_every_failure_is_a_jump_mark(bad: Report, page: str) -> None:
    """Its button plays the film from there."""
    (failure,) = bad.failures

    assert failure.at is not None
    assert f'data-at="{failure.at[0]}"' in page


def test_each_participant_has_a_lane_and_curves(page: str) -> None:
    """Seen and heard in the lane; level, offset and gaps below. Without room time nobody knows a delay."""
    assert {"alice", "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;"} == set(
        re.findall(r'class="lane"[^>]*aria-label="([^"]+)"', page)
    )
    assert ["Sound level", "Sound against picture", "From picture to picture"] == re.findall(
        r'class="title">([^<]+)<', page
    )
    assert 2 <= page.count('class="seen"')
    assert 2 <= page.count('class="heard"')


def test_what_webrtc_said_is_plotted_beside_it(tmp_path: Path) -> None:
    """From the statistics beside the recording; lines that can't be read are passed over."""
    recording = film(tmp_path / "take.webm", TAKE)
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
    values = {name: people["alice"].values.tolist() for name, people in report.curves.travelled.items()}
    assert {"bitrate": [1000, 1000], "lost": [3, 3], "round_trip": [4, 4, 4]} == values
    page = report.write_html(tmp_path / "report.html").read_text()
    assert "Received over WebRTC" in page


def test_the_filmstrip_shows_the_film(page: str) -> None:
    """Twelve pictures, inside the page."""
    assert 12 == page.count('src="data:image/jpeg;base64,')


def test_it_needs_no_network_and_runs_nobody_elses_script(page: str) -> None:
    """Nothing is fetched from anywhere, and names are text."""
    assert "http" not in page.replace("http-equiv", "")
    assert HOSTILE not in page
    assert 1 == page.count("<script>")


def test_what_could_not_be_read_has_a_page_too(tmp_path: Path) -> None:
    """It says what is wrong, and shows neither film nor lanes."""
    path = tmp_path / "empty.webm"
    path.touch()

    page = verify(path).write_html(tmp_path / "report.html").read_text()

    assert "empty.webm is empty (0 bytes)." in page
    assert "<video" not in page


def test_without_a_manifest_the_page_says_so(tmp_path: Path) -> None:
    """Everything that needs none is there."""
    recording = film(tmp_path / "take.webm", TAKE)
    recording.manifest.unlink()

    page = verify(recording.path).write_html(tmp_path / "report.html").read_text()

    assert "There is no manifest beside the file" in page
    assert "Sound level" in page


@pytest.mark.parametrize(("seconds", "text"), [(0, "0:00.0"), (7.24, "0:07.2"), (59.96, "1:00.0"), (3723, "1:02:03.0")])
def test_times_are_written_as_people_read_them(seconds: float, text: str) -> None:
    """Minutes, seconds and tenths; hours where there are any."""
    assert text == clock(seconds)


def test_junit_has_a_suite_for_a_recording_and_a_case_for_a_check(bad: Report, tmp_path: Path) -> None:
    """What failed is a failure with the finding's message; control characters vanish."""
    odd = bad.model_copy(update={"path": bad.path.with_name("od\x07d.webm")})
    write_junit([bad, odd], tmp_path / "results.xml")

    root = ET.parse(tmp_path / "results.xml").getroot()  # noqa: S314 - our own file

    assert ["bad one.webm", "od\ufffdd.webm"] == [suite.get("name") for suite in root]
    failed = [case for case in root[0] if case.find("failure") is not None]
    assert [f"presence ({HOSTILE})"] == [case.get("name") for case in failed]
    assert "is not seen from 1.00 to 2.00 s." in str(failed[0].find("failure").get("message"))  # type: ignore[union-attr]
    assert ("2", str(2 * len(root[0]))) == (root.get("failures"), root.get("tests"))
