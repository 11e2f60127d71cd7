"""The league measures recorders' files, compares their costs, and names every recorder that can't run."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from benchmarks.league.__main__ import League
from benchmarks.league.docs import lines, write_docs
from benchmarks.league.page import write_page
from benchmarks.league.recorders import RECORDERS, RecordedFile
from benchmarks.league.recorders.janus import first_packet_at
from benchmarks.league.recorders.recorder import ROOT
from benchmarks.league.recorders.screen import ScreenRecorder
from benchmarks.league.runs import run
from benchmarks.league.scores import playable_seconds, score
from benchmarks.league.script import QUICK, Truth
from benchmarks.league.table import COLUMNS, best_in, rows
from tests.support.media.recording_file import write_media
from tests.support.media.scene import Scene, participants, with_participant

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.parallel

# The recording began two seconds before the script.
BEGAN_AT = 1_800_000_000.0
ZERO_AT = BEGAN_AT - 2
SECONDS = 10.0
SCENE = Scene(participants=participants("alice", "bob", "carol"), seconds=SECONDS + 2, frame_rate=15, bitrate=2_000_000)
# Carol joins at 3 s, and Bob is muted from 5 to 8 s.
CALL = with_participant(
    with_participant(SCENE, "carol", hidden=((0.0, 5.0),), muted=((0.0, 5.0),)), "bob", muted=((7.0, 10.0),)
)
TRUTH = Truth(
    began_at=BEGAN_AT,
    seconds=SECONDS,
    markers={"alice": 1, "bob": 2, "carol": 3},
    visible={"alice": [(0.0, SECONDS)], "bob": [(0.0, SECONDS)], "carol": [(3.0, SECONDS)]},
    audible={"alice": [(0.0, SECONDS)], "bob": [(0.0, 5.0), (8.0, SECONDS)], "carol": [(3.0, SECONDS)]},
    silent={"bob": [(5.0, 8.0)], "carol": [(0.0, 3.0)]},
)


COST = {"cores": 1.0, "memory": 800.0, "foreign": 0.05}


@pytest.fixture(scope="module")
def call(tmp_path_factory: pytest.TempPathFactory) -> RecordedFile:
    """Return a drawn recording of the call, without a manifest."""
    path = tmp_path_factory.mktemp("league") / "call.webm"
    write_media(path, CALL)
    return RecordedFile(path=path, zero_at=ZERO_AT)


def test_faultless_recording_misses_nothing(call: RecordedFile) -> None:
    """All participants are found, everything agrees with the truth, and a report is written next to the file."""
    found = score([call], TRUTH)

    assert ("alice", "bob", "carol") == found.visible == found.audible
    assert 0.0 == found.missing_seconds == found.wrong_seconds
    assert () == found.unexpected
    assert found.frame_rate == pytest.approx(15, abs=0.1)
    assert found.av_offset_ms == pytest.approx(0, abs=10)
    assert found.seekable is True
    assert found.psnr is not None
    assert found.psnr > 35
    assert call.path.with_suffix(".html").exists()


def test_recording_that_disagrees_with_the_call_misses_seconds(call: RecordedFile) -> None:
    """Bob should be audible for 3 s more, and the file has Carol's audio for 4 s although she had not joined."""
    audible = {**TRUTH.audible, "bob": [(0.0, SECONDS)]}
    truth = replace(TRUTH, audible=audible, silent={"carol": [(0.0, 8.0)]})

    found = score([call], truth)

    assert found.missing_seconds == pytest.approx(3.0, abs=0.3)
    # The comparison ends one second before the interval ends.
    assert found.wrong_seconds == pytest.approx(4.0, abs=0.3)


def test_quality_decreases_with_the_bitrate(call: RecordedFile, tmp_path: Path) -> None:
    """The PSNR of a file with a low bitrate is lower."""
    write_media(tmp_path / "low.webm", replace(CALL, bitrate=40_000))

    low = score([RecordedFile(path=tmp_path / "low.webm", zero_at=ZERO_AT)], TRUTH).psnr
    high = score([call], TRUTH).psnr

    assert low is not None
    assert high is not None
    assert low < high - 1


def test_recording_without_audio_is_not_audible(tmp_path: Path) -> None:
    """Without audio, nobody is audible, and there is no A/V offset instead of a good one."""
    write_media(tmp_path / "silent.webm", replace(CALL, audio=False))

    found = score([RecordedFile(path=tmp_path / "silent.webm", zero_at=ZERO_AT)], TRUTH)

    assert ("alice", "bob", "carol") == found.visible
    assert () == found.audible
    assert found.av_offset_ms is None
    assert found.audio_gaps is None


def test_recording_without_files_has_no_values() -> None:
    """A recorder that left nothing gets no values."""
    found = score([], TRUTH)

    assert () == found.visible
    assert found.missing_seconds is None
    assert found.psnr is None
    assert found.seekable is None


def test_file_that_cannot_be_read_has_no_playable_seconds(call: RecordedFile, tmp_path: Path) -> None:
    """What is left after a crash is counted from the start of the recording; an unreadable file counts as nothing."""
    (tmp_path / "damaged.mp4").write_bytes(b"\x00\x00\x00\x18ftypisom" + bytes(1000))

    assert playable_seconds([call], BEGAN_AT) == pytest.approx(SECONDS, abs=0.2)
    assert 0.0 == playable_seconds([RecordedFile(path=tmp_path / "damaged.mp4", zero_at=ZERO_AT)], BEGAN_AT)
    assert 0.0 == playable_seconds([], BEGAN_AT)


def test_table_subtracts_the_call_of_the_same_repeat() -> None:
    """The cost is the median of the differences within each repeat, and the worst repeat counts for participants."""
    results = results_of({0: (1.0, 1.5), 1: (2.0, 2.7), 2: (1.1, 1.7)}, visible=[3, 2, 3])

    (row,) = rows(results)

    assert row["cores"] == pytest.approx(0.6)
    assert 2 == row["visible"]
    assert row["lost_seconds"] == pytest.approx(0.4)


def test_failed_runs_do_not_count() -> None:
    """A run that failed has no values, and a repeat without the call alone has no cost."""
    results = results_of({0: (1.0, 1.5), 1: (2.0, 2.7)}, visible=[3, 3])
    results["recorders"][0]["runs"][0] = {"repeat": 0, "error": "Chrome crashed"}
    results["baseline"][1] = {"repeat": 1, "error": "Chrome crashed"}

    (row,) = rows(results)

    assert 1 == row["runs"]
    assert row["cores"] is None


def test_best_values_are_marked_only_if_they_differ() -> None:
    """Values that are nearly the same share the first place, and no value is marked if all are the same."""
    offset = next(column for column in COLUMNS if column.key == "av_offset_ms")
    table = [{"key": key, "av_offset_ms": value} for key, value in (("a", -12.0), ("b", 9.0), ("c", 80.0), ("d", None))]

    assert {"a", "b"} == best_in(offset, table)
    assert set() == best_in(offset, table[:2])


def test_recorder_without_its_programs_is_left_out_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page, the results and the documentation name the recorder, the missing programs and the command."""
    monkeypatch.setenv("PATH", str(tmp_path))

    results = League(tmp_path / "league", QUICK, ["screen", "playwright"]).run(0)

    reasons = {one["title"]: one["reason"] for one in results["left_out"]}
    assert {ScreenRecorder.title, "Playwright's video"} == reasons.keys()
    for text in ("Xvfb", "pulseaudio", "apt-get install xvfb pulseaudio ffmpeg"):
        assert text in reasons[ScreenRecorder.title]
    assert "apt-get install xvfb pulseaudio ffmpeg" in (tmp_path / "league" / "index.html").read_text()


def test_run_that_fails_reports_its_error_and_leaves_no_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run of a recorder whose program can't be started ends with the reason, and without processes."""
    before = set(psutil.Process().children(recursive=True))
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))

    ended = run(ScreenRecorder(), QUICK, tmp_path / "run")

    assert ended.error is not None
    assert "Xvfb" in ended.error
    assert set() == set(psutil.Process().children(recursive=True)) - before
    assert [] == list(temporary.iterdir())


def test_page_escapes_what_recorders_report(tmp_path: Path) -> None:
    """The page shows a failure's text, and code between backticks."""
    results = results_of({0: (1.0, 1.5)}, visible=[3])
    results["recorders"][0]["kills"][0] = {"repeat": 0, "error": "<b>crashed</b>"}

    text = write_page(results, tmp_path / "index.html").read_text()

    assert "&lt;b&gt;crashed&lt;/b&gt;" in text
    assert "<code>mixes</code>" in text
    assert "+0.50 cores" in text


def test_busy_machine_is_reported_on_the_page_and_in_the_docs(tmp_path: Path) -> None:
    """If other programs used CPU time, the page and the documentation state that the values can't be compared."""
    results = results_of({0: (1.0, 1.5)}, visible=[3])

    idle, busy = dict(results), results | {"baseline": [{"repeat": 0, "cost": {**COST, "foreign": 0.9}}]}

    for values, expected in ((idle, False), (busy, True)):
        page = write_page(values, tmp_path / "index.html").read_text()
        assert expected is ("Repeat the comparison on an idle machine" in page)
        assert expected is ("Repeat the comparison on an idle machine" in "".join(lines(values)))


def test_docs_are_replaced_only_between_the_comments(tmp_path: Path) -> None:
    """The tables are replaced, the prose is kept, and missing results change nothing."""
    page, results = tmp_path / "league.md", tmp_path / "results.json"
    page.write_text("Before.\n<!-- league: begin -->\nold\n<!-- league: end -->\nAfter.\n")

    assert 1 == write_docs(results, page)
    assert "old" in page.read_text()
    values = results_of({0: (1.0, 1.5)}, visible=[3])
    values["table"] = rows(values)
    results.write_text(json.dumps(values))
    assert 0 == write_docs(results, page)

    text = page.read_text()
    assert text.startswith("Before.\n")
    assert text.endswith("After.\n")
    assert "old" not in text
    assert "| **recording-harness** | 3 of 3 |" in text
    assert "A processor, 2 cores" in text


def test_time_of_janus_first_packet_is_read_from_the_file(tmp_path: Path) -> None:
    """An .mjr file begins with a JSON object that has the time of the first packet; a truncated file has none."""
    header = json.dumps({"t": "v", "c": "vp8", "s": 1, "u": 1_800_000_000_500_000}).encode()
    path = tmp_path / "video.mjr"
    path.write_bytes(b"MJR00002" + len(header).to_bytes(2, "big") + header)

    assert 1_800_000_000.5 == first_packet_at(path)
    path.write_bytes(b"MJR00002")
    assert first_packet_at(path) is None


def test_processes_that_lost_their_parent_are_ended() -> None:
    """A program whose own parent has ended is killed, and a process that should be kept is not."""
    program = (
        "import subprocess, sys\n"
        "from benchmarks.league.processes import adopt_orphans, end_family, family\n"
        "adopt_orphans()\n"
        "kept = subprocess.Popen(['sleep', '60'])\n"
        "keep = family()\n"
        "subprocess.run(['sh', '-c', 'sleep 61 & sleep 62 &'], check=True)\n"
        "lost = family() - keep\n"
        "end_family(besides=keep)\n"
        "print(len(lost), len(family() - keep), kept.poll())\n"
        "end_family()\n"
        "print(len(family()))\n"
    )

    ended = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )

    assert ["2 0 None", "0"] == ended.stdout.splitlines()


def test_every_recorder_says_how_it_records() -> None:
    """The page describes each recorder in whole sentences."""
    for recorder in RECORDERS.values():
        assert recorder.method.endswith(".")
        assert recorder.title


def results_of(cores: dict[int, tuple[float, float]], *, visible: list[int]) -> dict[str, Any]:
    """Return results with one recorder; ``cores`` has the cost of the call alone and with the recorder, by repeat."""
    names = ["alice", "bob", "carol"]
    values = {
        column.key: 1.0 for column in COLUMNS if column.key not in {"visible", "audible", "seekable", "cores", "memory"}
    }
    runs = [
        {
            "repeat": repeat,
            "cost": {"cores": cores[repeat][1], "memory": 900.0, "foreign": 0.1},
            "stop_seconds": 0.2,
            "score": {
                **values,
                "unexpected": [],
                "visible": names[: visible[repeat]],
                "audible": names,
                "seekable": True,
            },
        }
        for repeat in cores
    ]
    entrant = {
        "key": "harness",
        "title": "recording-harness",
        "method": "It `mixes`.",
        "commands": ["record"],
        "versions": {"recording-harness": "0.1.0"},
        "runs": runs,
        "kills": [{"repeat": 0, "recorded_seconds": 12.0, "left_seconds": 11.6, "files": []}],
    }
    results: dict[str, Any] = {
        "machine": {"date": "2026-11-30", "processor": "A processor", "cores": 2, "memory_gb": 25, "system": "Linux"},
        "versions": {"chrome": "156.0", "playwright": "1.65"},
        "script": {**vars(QUICK), "names": names, "frame_rate": 15, "sfu": True, "killed_after": 12.0},
        "baseline": [{"repeat": repeat, "cost": {**COST, "cores": alone}} for repeat, (alone, _) in cores.items()],
        "recorders": [entrant],
        "left_out": [],
    }
    results["table"] = rows(results)
    return results
