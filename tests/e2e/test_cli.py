"""Tests for the command line: output, exit codes and interruptions."""

import contextlib
import json
import os
import re
import signal
import socket
import sys
from pathlib import Path
from urllib.request import urlopen

import av
import psutil
import pytest

from harness.cli import main
from tests.support.processes import still_running
from tests.support.program import run_harness, running_harness, wait_until
from tests.support.reports import failed_findings

RECORDING = {
    "id",
    "path",
    "manifest",
    "participant",
    "recorder",
    "type",
    "mime_type",
    "codec",
    "width",
    "height",
    "frame_rate",
    "duration",
    "size",
    "sha256",
    "started_at",
    "stop_to_file_ms",
    "downloaded",
    "download_failure",
    "download_ms",
    "recovered",
}
REPORT = {"result", "ok", "path", "profile", "media", "files", "participants", "findings"}


def test_record_prints_one_json_object(tmp_path: Path) -> None:
    """Standard output is one JSON object with the documented keys, and the recording's files exist."""
    arguments = "record alice bob --recorder all --quality 360p --frame-rate 15 --seconds 1 --name demo --json"

    result = run_harness(*arguments.split(), folder=tmp_path)

    answer = json.loads(result.stdout)
    (recording,) = answer["recordings"]
    assert {"result", "ok", "recordings", "reports"} == set(answer)
    assert [] == failed_findings(answer), result.stderr
    # On a busy machine, the smoothness checks may fail, and the exit code is then 1.
    assert {"passed": 0, "failed": 1, "unverified": 4}[answer["result"]] == result.returncode
    assert set(recording) == RECORDING
    assert REPORT == set(answer["reports"][0])
    assert str(tmp_path / "recordings" / "demo.webm") == recording["path"]
    assert recording["duration"] == pytest.approx(1, abs=0.5)
    assert ["demo.manifest.json", "demo.stats.jsonl", "demo.webm"] == sorted(
        path.name for path in (tmp_path / "recordings").iterdir()
    )


def test_an_invalid_option_exits_with_2_and_states_what_is_allowed(tmp_path: Path) -> None:
    """With an invalid option, the program starts nothing, writes no file and shows no traceback."""
    result = run_harness("record", "--quality", "999p", folder=tmp_path)

    assert 2 == result.returncode
    assert "360p" in result.stderr
    assert "Traceback" not in result.stderr
    assert [] == list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("option", "value", "allowed"),
    [
        ("--frame-rate", "25", "30"),
        ("--recorder", "nobody", "local"),
        ("--type", "photo", "audio"),
        ("--seconds", "-1", "above 0"),
        ("--bitrate", "1", "100000"),
    ],
)
def test_the_error_of_every_option_states_what_is_allowed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], option: str, value: str, allowed: str
) -> None:
    """The test calls ``main`` directly, because starting the program would take a second for each option."""
    monkeypatch.setattr(sys, "argv", ["harness", "record", option, value])

    with pytest.raises(SystemExit) as end:
        main()

    assert 2 == end.value.code
    assert allowed in capsys.readouterr().err


def test_a_dangerous_name_becomes_a_safe_file_name_and_is_reported_once(tmp_path: Path) -> None:
    """A name that contains '../' yields a file inside the folder, and a name of 300 characters is shortened."""
    result = run_harness("record", "alice", "--seconds", "0.5", "--name", "../" + "x" * 300, "--json", folder=tmp_path)

    path = Path(json.loads(result.stdout)["recordings"][0]["path"])
    assert tmp_path / "recordings" == path.parent
    assert len(path.name.encode()) <= 255
    assert 1 == result.stderr.count("The file will be named")


def test_verify_reports_in_one_line_that_a_text_file_is_not_a_recording(tmp_path: Path) -> None:
    """Verifying a text file prints a single line, and the exit code is 1."""
    (tmp_path / "README.md").write_text("# Nothing to see\n")

    result = run_harness("verify", "README.md", folder=tmp_path)

    assert 1 == result.returncode
    assert 1 == len((result.stdout + result.stderr).strip().splitlines())
    assert "is not a readable media file" in result.stdout


def test_verify_reports_a_missing_file(tmp_path: Path) -> None:
    """The exit code for a missing file is 2, the same as for a usage error."""
    result = run_harness("verify", "nothing.webm", folder=tmp_path)

    assert 2 == result.returncode
    assert "does not exist" in result.stderr


def test_a_missing_chrome_exits_with_3_and_the_remedy(tmp_path: Path) -> None:
    """If Chrome is not found, the error explains how to specify a different Chrome, and contains no traceback."""
    result = run_harness("record", "--executable", "/no/chrome", folder=tmp_path)

    assert 3 == result.returncode
    assert "give the path to Chrome" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_port_in_use_exits_with_3_and_the_remedy(tmp_path: Path) -> None:
    """If the port is in use, the error says so and suggests choosing another port."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()

        result = run_harness("serve", "--port", str(taken.getsockname()[1]), folder=tmp_path)

    assert 3 == result.returncode
    assert "in use; choose another port" in result.stderr


def test_serve_prints_how_to_join_and_runs_until_interrupted(tmp_path: Path) -> None:
    """The page is served at the printed address until the program is interrupted."""
    with running_harness("serve", "--port", "0", folder=tmp_path) as program:
        assert program.stderr is not None
        lines = []
        for line in program.stderr:
            lines.append(line.strip())
            if "Ctrl-C" in line:
                break
        (address,) = re.findall(r"The room is at (http://127\.0\.0\.1:\d+)$", lines[0])
        with urlopen(address) as answer:  # noqa: S310 - the program's own server
            page = answer.read().decode()
        os.killpg(program.pid, signal.SIGINT)
        assert 130 == program.wait(10)

    assert "<title>Recording room</title>" in page
    assert any(re.match("who can open it: +everybody on this machine", line) for line in lines)
    assert any(re.match("to join: +open the address in Chrome", line) for line in lines)
    assert any(str(tmp_path / "recordings") in line for line in lines)


def test_an_unwritable_folder_exits_with_3(tmp_path: Path) -> None:
    """If the recordings folder can't be created, the error names the folder."""
    (tmp_path / "recordings").write_text("a file in the way")

    result = run_harness("record", "alice", "--seconds", "0.5", folder=tmp_path)

    assert 3 == result.returncode
    assert "recordings" in result.stderr
    assert "Traceback" not in result.stderr


def test_an_interrupted_recording_is_kept(tmp_path: Path) -> None:
    """After a signal to the process group, the recording is finished, its path is printed, and no process remains."""
    arguments = ["record", "alice", "bob", "--seconds", "60", "--name", "cut", "--json"]
    codes = {signal.SIGHUP: 129, signal.SIGINT: 130, signal.SIGTERM: 143}
    with contextlib.ExitStack() as stack:
        programs = {}
        for number in codes:
            (folder := tmp_path / number.name).mkdir()
            programs[number] = stack.enter_context(running_harness(*arguments, folder=folder))
        for number, process in programs.items():
            spool = tmp_path / number.name / "recordings" / ".spool"
            wait_until(
                lambda spool=spool: any(raw.stat().st_size > 10_000 for raw in spool.glob("*/raw.webm")), process
            )
        families = [psutil.Process(process.pid).children(recursive=True) for process in programs.values()]

        for number, process in programs.items():
            os.killpg(process.pid, number)
        answers = {number: process.communicate(timeout=30) for number, process in programs.items()}

    for number, (stdout, stderr) in answers.items():
        assert codes[number] == programs[number].returncode, stderr
        (recording,) = json.loads(stdout)["recordings"]
        assert 0 < recording["duration"] < 30
        with av.open(recording["path"]) as container:
            assert 2 == len(container.streams)
    assert [] == [one for family in families for one in still_running(family, within=5)]


@pytest.mark.skipif(
    not hasattr(os, "sched_setaffinity"), reason="Only Linux can restrict a program to some processors."
)
def test_a_machine_that_is_too_slow_is_reported_before_anybody_joins(tmp_path: Path) -> None:
    """The command warns that one processor is too slow for sixteen participants at 720p."""
    processors = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(processors)})
    try:
        with running_harness("record", *"abcdefghijklmnop", "--quality", "720p", folder=tmp_path) as program:
            assert program.stderr is not None
            warning = next(line for line in program.stderr if "too slow" in line)
    finally:
        os.sched_setaffinity(0, processors)

    assert "16 participants (1280x720, 15 fps) need about" in warning
    assert re.search(r"and (it has only 1|other programs use [\d.]+ of its 1 processors)\. ", warning)


def test_recording_of_a_camera_is_unverified(tmp_path: Path) -> None:
    """``record`` exits with 0, because the user chose a camera; ``verify`` exits with 4, unless this is allowed."""
    recorded = run_harness("record", "alice", "--media", "camera", "--seconds", "2", "--json", folder=tmp_path)
    answer = json.loads(recorded.stdout)
    path = answer["recordings"][0]["path"]

    assert (0, "unverified", False) == (recorded.returncode, answer["result"], answer["ok"])
    assert 4 == run_harness("verify", path, folder=tmp_path).returncode
    allowed = run_harness("verify", path, "--allow-unverified", folder=tmp_path)
    assert 0 == allowed.returncode
    assert "alice's video and audio have no markers, so alice could not be examined." in " ".join(
        allowed.stdout.split()
    )


def test_doctor_answers_in_json(tmp_path: Path) -> None:
    """The JSON output of ``harness doctor`` lists the available codecs and any missing requirements."""
    result = run_harness("doctor", "--quick", "--json", folder=tmp_path)

    answer = json.loads(result.stdout)
    assert 0 == result.returncode
    assert answer["ok"] is True
    assert [] == answer["missing"]
    assert answer["codecs"]["vp9"]
    assert answer["versions"].keys() >= {"harness", "playwright", "aiohttp", "av"}
