"""The program's output is readable in every encoding and on every terminal, and never changes the exit code."""

from __future__ import annotations

import contextlib
import fcntl
import io
import json
import os
import re
import shutil
import subprocess
import sys
import termios
from pathlib import Path
from typing import IO, Any

import pytest
from rich.console import Console

from harness.cli.output_streams import prepare_outputs
from harness.cli.progress_table import ProgressTable
from harness.scenario import Outcome, Progress
from tests.support.media.recording_file import write_recording
from tests.support.media.scene import Scene, participants
from tests.support.program import PROGRAM

pytestmark = pytest.mark.parallel

# Variables that influence the output and may be set where the tests run.
INFLUENCES = {"COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "PY_COLORS", "GITHUB_ACTIONS", "TTY_COMPATIBLE", "LC_ALL"}
NAME = "张三"
ESCAPED_NAME = r"\u5f20\u4e09"
COLUMNS = ("present", "fps", "repeated", "skipped", "frozen", "audible", "A/V")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the recording good.webm, which passes, and a copy without its second participant."""
    folder = tmp_path_factory.mktemp("terminals")
    scene = Scene(participants=participants("alice", NAME), seconds=3.0)
    write_recording(folder / "good.webm", scene)
    write_recording(folder / "bad.webm", Scene(participants=participants("alice"), seconds=3.0), manifest_scene=scene)
    return folder


def environment(**variables: str) -> dict[str, str]:
    """Return this process's environment with other variables for the output."""
    inherited = {name: value for name, value in os.environ.items() if name not in INFLUENCES}
    return inherited | {"TERM": "xterm-256color"} | variables


def run(
    folder: Path,
    *arguments: str,
    stdout: int | IO[bytes] = subprocess.PIPE,
    stderr: int | IO[bytes] = subprocess.PIPE,
    **variables: str,
) -> subprocess.CompletedProcess[bytes]:
    """Run the program with other environment variables; its output is returned as bytes."""
    return subprocess.run(
        [*PROGRAM, *arguments],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=stderr,
        env=environment(**variables),
        check=False,
        timeout=120,
    )


def run_on_terminal(folder: Path, *arguments: str, columns: int = 80, **variables: str) -> tuple[int, str]:
    """Run the program on a terminal of this width, and return its exit code and everything that it printed."""
    ours, theirs = os.openpty()
    termios.tcsetwinsize(theirs, (50, columns))
    with subprocess.Popen(
        [*PROGRAM, *arguments],
        cwd=folder,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=environment(**variables),
        start_new_session=True,
    ) as process:
        os.close(theirs)
        printed = b""
        # After the program has closed the terminal, Linux reports an error instead of the end of the file.
        with contextlib.suppress(OSError):
            while piece := os.read(ours, 65_536):
                printed += piece
        os.close(ours)
    return process.returncode, printed.decode().replace("\r\n", "\n")


def closed_pipe() -> int:
    """Return a pipe from which nobody reads anymore."""
    reader, writer = os.pipe()
    os.close(reader)
    return writer


# ---- encodings ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("encoding", "sign", "name"),
    [
        ("ascii", "+", ESCAPED_NAME),
        ("cp1252", "+", ESCAPED_NAME),
        ("iso8859-15", "+", ESCAPED_NAME),
        ("gbk", "+", NAME),
        ("gb18030", "✓", NAME),
        ("utf-16", "✓", NAME),
        ("utf-8", "✓", NAME),
    ],
)
def test_report_is_printed_in_every_encoding(folder: Path, encoding: str, sign: str, name: str) -> None:
    """Signs that the encoding lacks become plain text, and names become escape sequences; the exit code is the same."""
    ran = run(folder, "verify", "good.webm", PYTHONIOENCODING=encoding)

    text = ran.stdout.decode(encoding)
    assert (0, b"") == (ran.returncode, ran.stderr)
    assert text.startswith(f"{sign} good.webm  passed ")
    assert name in text


@pytest.mark.parametrize("encoding", ["ascii", "gbk", "utf-16"])
def test_failures_and_messages_are_printed_in_every_encoding(folder: Path, encoding: str) -> None:
    """The exit code of a failed report is 1, and an error on stderr is written in the same encoding."""
    failed = run(folder, "verify", "bad.webm", PYTHONIOENCODING=encoding)
    refused = run(folder, "verify", f"{NAME}.webm", PYTHONIOENCODING=encoding)

    assert 1 == failed.returncode
    assert failed.stdout.decode(encoding).startswith("✗ bad.webm" if encoding == "utf-16" else "x bad.webm")
    assert 2 == refused.returncode
    assert "does not exist; give the path of a recording." in refused.stderr.decode(encoding)


@pytest.mark.parametrize(
    "variables",
    [
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"LC_ALL": "POSIX"},
        {"LC_ALL": "de_DE"},
        {"LC_ALL": "zh_CN.GBK"},
        {"LC_ALL": "no_SUCH.locale", "LANG": "also unknown"},
    ],
    ids=lambda variables: variables["LC_ALL"],
)
def test_report_is_printed_in_every_locale(folder: Path, variables: dict[str, Any]) -> None:
    """A locale that is not installed, or whose encoding is ASCII, changes neither the report nor the exit code."""
    ran = run(folder, "verify", "good.webm", **variables)

    assert (0, b"") == (ran.returncode, ran.stderr)
    assert b"good.webm  passed" in ran.stdout


@pytest.mark.parametrize(("source", "charset"), [("de_DE", "ISO-8859-1"), ("zh_CN", "GBK")])
def test_report_is_printed_in_an_installed_locale(folder: Path, tmp_path: Path, source: str, charset: str) -> None:
    """In a locale with another encoding, Python decodes file names and encodes the output with that encoding."""
    if shutil.which("localedef") is None:
        pytest.skip("Creating a locale needs localedef.")
    made = subprocess.run(
        ["localedef", "-i", source, "-f", charset, tmp_path / f"{source}.{charset}"],
        capture_output=True,
        text=True,
        check=False,
    )
    if not (tmp_path / f"{source}.{charset}").is_dir():
        pytest.skip(f"The sources of the locale are not installed: {made.stderr.strip()}")

    ran = run(folder, "verify", "good.webm", LOCPATH=str(tmp_path), LC_ALL=f"{source}.{charset}", PYTHONUTF8="0")

    assert (0, b"") == (ran.returncode, ran.stderr)
    assert ran.stdout.decode(charset).startswith("+ good.webm  passed")


def test_json_is_valid_in_an_encoding_without_the_names(folder: Path) -> None:
    """Names are escaped as JSON requires, not as Python does."""
    ran = run(folder, "verify", "good.webm", "--json", PYTHONIOENCODING="ascii")

    (report,) = json.loads(ran.stdout.decode("ascii"))["reports"]
    assert ["alice", NAME] == [one["name"] for one in report["participants"]]


def test_undecodable_file_name_does_not_damage_utf16(folder: Path, tmp_path: Path) -> None:
    """A single byte would shift all following characters of a UTF-16 text, so the byte is escaped."""
    name = os.fsdecode(b"odd\xff.webm")
    shutil.copy(folder / "good.webm", tmp_path / name)

    ran = run(tmp_path, "convert", name, "--to", "mkv", PYTHONIOENCODING="utf-16")

    assert ran.stdout.decode("utf-16").splitlines()[0] == rf"{tmp_path}/odd\udcff.mkv", ran.stderr


def test_file_names_contain_only_characters_of_the_locale(tmp_path: Path) -> None:
    """In an ASCII locale, Python can't create a file whose name contains other characters."""
    code = "from pathlib import Path; from harness.recording.files.names import reserve; "

    subprocess.run(
        [sys.executable, "-X", "utf8=0", "-c", f"{code} reserve(Path(), '{ESCAPED_NAME} 1')"],
        cwd=tmp_path,
        env=environment(LC_ALL="C", PYTHONCOERCECLOCALE="0"),
        check=True,
    )

    assert ["__ 1.webm"] == [path.name for path in tmp_path.iterdir()]


def test_text_outside_the_locale_is_refused_with_the_remedy(tmp_path: Path) -> None:
    """In an ASCII locale, Python can't decode a name on the command line."""
    ran = run(tmp_path, "record", NAME, LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0")

    assert 2 == ran.returncode
    assert re.search(rb"NAME: .* is not valid in this locale's encoding, .*; set LC_ALL=C.UTF-8 or PYTHON", ran.stderr)


# ---- terminals ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("variables", [{"NO_COLOR": "1"}, {"TERM": "dumb"}, {"TERM": "unknown"}], ids=str)
@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("verify", "good.webm"), 0),
        (("verify", "missing.webm"), 2),
        (("convert", "good.webm", "--to", "mkv"), 0),
        (("--help",), 0),
        (("verify", "--no-such-option"), 2),
    ],
    ids=str,
)
def test_plain_terminal_gets_no_escape_sequences(
    folder: Path, tmp_path: Path, arguments: tuple[str, ...], code: int, variables: dict[str, Any]
) -> None:
    """With NO_COLOR or on a dumb terminal, neither colors nor an animated progress bar are shown."""
    for path in folder.glob("good.*"):
        shutil.copy(path, tmp_path)

    ran, text = run_on_terminal(tmp_path, *arguments, **variables)

    assert code == ran, text
    assert text.strip()
    assert "\x1b" not in text


def test_terminal_without_unicode_gets_a_plain_progress_bar(folder: Path, tmp_path: Path) -> None:
    """The animation uses only ASCII characters if the encoding has no others."""
    shutil.copy(folder / "good.webm", tmp_path)

    code, text = run_on_terminal(tmp_path, "convert", "good.webm", "--to", "mkv", PYTHONIOENCODING="ascii")

    assert 0 == code
    assert "Converting to mkv" in text
    assert r"\u" not in text.replace(ESCAPED_NAME, "")


def cells_of(folder: Path) -> list[list[str]]:
    """Return the cells of the participants' table, one list for each participant."""
    wide = run(folder, "verify", "good.webm", COLUMNS="200").stdout.decode()
    rows = [line.strip() for line in wide.splitlines() if line.strip().startswith(("alice", NAME))]
    return [re.split(r" {2,}", row)[1:] for row in rows]


@pytest.mark.parametrize("columns", [20, 30, 60, 80])
@pytest.mark.parametrize("term", ["xterm", "dumb"])
def test_narrow_terminal_shows_every_number(folder: Path, columns: int, term: str) -> None:
    """If the table does not fit, it becomes a list, and no line is longer than the terminal is wide."""
    rows = cells_of(folder)

    code, text = run_on_terminal(folder, "verify", "good.webm", columns=columns, NO_COLOR="1", TERM=term)

    assert 0 == code
    assert 2 == len(rows)
    found = " ".join(text.split())
    for cells in rows:
        pairs = [f"{heading} {cell}" for heading, cell in zip(COLUMNS, cells, strict=True)]
        assert [] == [one for one in (cells if columns == 80 else pairs) if one not in found]
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= columns


@pytest.mark.parametrize("columns", [30, 80])
def test_long_path_in_a_finding_is_wrapped(folder: Path, tmp_path: Path, columns: int) -> None:
    """No part of a path is replaced by an ellipsis."""
    stem = "long" * 50
    shutil.copy(folder / "good.webm", tmp_path / f"{stem}.webm")
    (tmp_path / f"{stem}.manifest.json").write_text("{}")

    code, text = run_on_terminal(tmp_path, "verify", f"{stem}.webm", columns=columns, NO_COLOR="1")

    assert 1 == code
    assert f"{stem}.manifest.json" in re.sub(r"\s", "", text)
    assert "…" not in text


@pytest.mark.parametrize("columns", [30, 79])
def test_help_on_a_narrow_terminal_is_complete(tmp_path: Path, columns: int) -> None:
    """The names of options and the examples can be copied from the help."""
    code, text = run_on_terminal(tmp_path, "record", "--help", columns=columns)

    assert 0 == code
    for part in ("--ignore-https-errors", "--http-credentials", "synthetic|camera|FILE", "HARNESS_STORAGE_STATE"):
        assert part in text
    assert "- harness record alice bob --quality 720p --frame-rate 30 --seconds 10 --name standup" in text
    assert "…" not in text


def test_progress_of_a_batch_fits_a_narrow_terminal() -> None:
    """Below 60 columns, the progress table becomes a list; above, long titles continue on the next line."""
    title = "participants who join late and leave early"
    table = ProgressTable([title, "second", "third"])
    table.show_step(0, Progress(step=2, steps=7, text="bob joins"))
    table.show_outcome(1, Outcome(title="second", recordings=(), reports=(), error=None, seconds=12.0))

    for columns in (30, 60):
        output = io.StringIO()
        Console(file=output, width=columns).print(table)
        text = output.getvalue()

        found = " ".join(text.split())
        assert "…" not in text
        assert max(map(len, text.splitlines())) <= columns
        for part in ("2/7", "bob joins", "done", "12 s", "waiting"):
            assert part in found
        assert set(title.split()) <= set(found.split())


# ---- closed outputs -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("verify", "good.webm"), 0),
        (("verify", "good.webm", "--json"), 0),
        (("verify", "bad.webm"), 1),
        (("verify", "bad.webm", "--json"), 1),
        (("verify", "missing.webm", "--json"), 2),
        (("--help",), 0),
        (("--version",), 0),
    ],
    ids=str,
)
def test_closed_pipe_does_not_change_the_exit_code(folder: Path, arguments: tuple[str, ...], code: int) -> None:
    """For example, ``head -1`` closes the pipe after the first line."""
    pipe = closed_pipe()

    ran = run(folder, *arguments, stdout=pipe)
    os.close(pipe)

    assert code == ran.returncode
    assert (code == 2) == (b"missing.webm does not exist" in ran.stderr)
    assert len(ran.stderr.splitlines()) == (code == 2)


@pytest.mark.parametrize(("arguments", "code"), [(("bad.webm",), 1), (("missing.webm",), 2), (("good.webm",), 0)])
def test_closed_stderr_does_not_change_the_exit_code(folder: Path, arguments: tuple[str, ...], code: int) -> None:
    """If nobody reads the messages, the report is still complete."""
    pipe = closed_pipe()

    ran = run(folder, "verify", *arguments, "--json", stderr=pipe)
    neither = run(folder, "verify", *arguments, "--json", stdout=pipe, stderr=pipe)
    os.close(pipe)

    assert (code, code) == (ran.returncode, neither.returncode)
    assert (code == 0) == json.loads(ran.stdout)["ok"]


def test_first_line_of_a_report_can_be_read_by_another_program(folder: Path) -> None:
    """The pipe is closed while the program writes a long report."""
    files = " ".join(["good.webm"] * 20)
    script = f'{{ "$@" verify {files} --json; echo "exit code $?" >&2; }} | head -n 1'

    ran = subprocess.run(
        ["sh", "-c", script, "sh", *PROGRAM],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )

    assert ("{\n", "exit code 0\n") == (ran.stdout, ran.stderr)


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_closed_descriptors_do_not_damage_files(folder: Path, tmp_path: Path, closed: str) -> None:
    """Without preparation, the next file that is opened would replace stdout, and messages would be written into it."""
    shutil.copy(folder / "good.webm", tmp_path)

    codes = [
        subprocess.run(
            ["sh", "-c", f'exec "$@" {closed}', "sh", *PROGRAM, *arguments],
            cwd=tmp_path,
            env=environment(),
            capture_output=True,
            check=False,
            timeout=120,
        ).returncode
        for arguments in (("convert", "good.webm", "--to", "mkv"), ("verify", "missing.webm"))
    ]

    assert [0, 2] == codes
    content = (tmp_path / "good.mkv").read_bytes()
    assert content.startswith(b"\x1aE\xdf\xa3")
    assert b"harness" not in content


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Only Linux has /dev/full, which is always full.")
def test_full_disk_is_named(folder: Path) -> None:
    """If stdout is a file on a full disk, the command fails; a full disk under stderr changes nothing."""
    with Path("/dev/full").open("wb") as full:
        lost = run(folder, "verify", "good.webm", stdout=full)
        silent = run(folder, "verify", "missing.webm", stderr=full)

    assert 1 == lost.returncode
    message = b"harness: standard output: No space left on device. --debug shows the traceback."
    assert [message] == lost.stderr.splitlines()
    assert 2 == silent.returncode


@pytest.mark.skipif(not hasattr(fcntl, "F_SETPIPE_SZ"), reason="Only Linux has small pipes.")
def test_slow_reader_of_a_non_blocking_pipe_gets_everything(folder: Path) -> None:
    """Other programs, for example Node.js, start commands with pipes that are non-blocking."""
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
    os.set_blocking(writer, False)
    with subprocess.Popen(
        [*PROGRAM, "verify", *["good.webm"] * 5, "--json"],
        cwd=folder,
        env=environment(),
        stdout=writer,
        stderr=subprocess.PIPE,
    ) as process:
        os.close(writer)
        with os.fdopen(reader, "rb") as file:
            printed = file.read()

    assert 0 == process.returncode
    assert 5 == len(json.loads(printed)["reports"])


def test_redirected_streams_are_not_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    """If another program has redirected stdout, as pytest does, its stream is kept, and unencodable text is escaped."""
    text, binary = io.StringIO(), io.BytesIO()
    stream = io.TextIOWrapper(binary, encoding="ascii", write_through=True)
    monkeypatch.setattr("sys.stdout", stream)
    monkeypatch.setattr("sys.stderr", text)

    prepare_outputs()
    sys.stdout.write(f"✓ {NAME}\n")

    assert (stream, text) == (sys.stdout, sys.stderr)
    assert f"+ {ESCAPED_NAME}\n".encode() == binary.getvalue()
