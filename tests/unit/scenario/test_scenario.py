"""Reading a scenario file returns its steps, or raises an error with the line number and the reason."""

import os
import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
from typer.testing import CliRunner

from harness.browser.budget import Need
from harness.cli.main import app
from harness.errors import ConfigError
from harness.scenario import Scenario, read_scenario
from harness.scenario.source_positions import toml_lines
from harness.scenario.steps import KINDS, VERBS, Start, Wait

pytestmark = pytest.mark.parallel

ROOT = Path(__file__).parents[3]
EXAMPLES = sorted(path for path in (ROOT / "examples").iterdir() if path.suffix in {".toml", ".yaml"})
GOOD = """
title = "two participants"

[record]
record_video_quality = "480p"

[[steps]]
join = ["alice", "bob"]

[[steps]]
start = "alice"
record_video_frame = 30

[[steps]]
wait = 2.5
expect = [{ participant = "bob", audible = true }]

[[steps]]
download = "alice"
expect = [{ participant = "bob", visible = true, from = 1 }]
"""


def write(folder: Path, text: str, name: str = "scenario.toml") -> Path:
    """Write a scenario to a file, and return the path."""
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def refused(path: Path) -> str:
    """Return the error message for an invalid scenario."""
    with pytest.raises(ConfigError) as error:
        read_scenario(path)
    message = str(error.value)
    assert "\n" not in message
    return message.removeprefix(f"{path}")


def test_toml_file_becomes_steps_in_order(tmp_path: Path) -> None:
    """The ``record`` table contains defaults for the options of each ``start`` step."""
    scenario = read_scenario(write(tmp_path, GOOD))

    assert ["join", "start", "wait", "download"] == [step.verb for step in scenario.steps]
    start = scenario.steps[1]
    assert isinstance(start, Start)
    config = start.with_defaults(scenario.record)
    assert ((640, 480), 30) == (config.size, config.record_video_frame)
    assert 2 == scenario.participants
    assert Need.of(2, config) == scenario.needs


def test_yaml_scenario_equals_the_toml_scenario(tmp_path: Path) -> None:
    """The YAML key "on" is a string, as in YAML 1.2, and not a Boolean."""
    text = """
    steps:
      - join: [alice, bob]
      - camera: bob
        on: false
      - start: alice
      - wait: 2
    """
    scenario = read_scenario(write(tmp_path, text, "short.yaml"))

    assert ["join", "camera", "start", "wait"] == [step.verb for step in scenario.steps]
    assert "short" == scenario.title


@pytest.mark.parametrize(
    ("was", "becomes", "reason"),
    [
        ('join = ["alice", "bob"]', 'jion = ["alice", "bob"]', ":7: step 1: a step must have exactly one of join, "),
        ('join = ["alice", "bob"]', 'jion = ["alice", "bob"]', "did you mean 'join'"),
        ("wait = 2.5", 'wait = "long"', ":15: step 3: wait should be a valid number"),
        ("wait = 2.5", "wait = -1", ":15: step 3: wait should be greater than 0"),
        ("wait = 2.5", "wait = 1", ":14: step 3: a wait with expectations must last longer than 1.9 s"),
        ("record_video_frame = 30", "record_video_frame = 25", ":12: step 2: record_video_frame should be 15 or 30"),
        ("record_video_frame = 30", "record_video_rate = 30", "did you mean 'record_video_frame'"),
        (
            'start = "alice"',
            'start = "dave"',
            ":10: step 2: dave has not joined yet; participants so far: alice, bob",
        ),
        ('participant = "bob", audible', 'participant = "carol", audible', ":14: step 3: carol has not joined yet"),
        (
            'title = "two participants"',
            'titel = "two participants"',
            ":2: unknown key 'titel'; did you mean 'title'",
        ),
        ('start = "alice"', 'mute = "alice"\nstart = "alice"', ":10: step 2: a step must have exactly one of"),
        ("wait = 2.5", "wait = ", "is not valid TOML: "),
        (
            'record_video_quality = "480p"',
            'record_video_quality = "1080p"',
            ":5: record.record_video_quality should be",
        ),
    ],
)
def test_mistake_is_reported_with_its_line(tmp_path: Path, was: str, becomes: str, reason: str) -> None:
    """The error for an invalid scenario is one line with the file name, the line number, the step and the reason."""
    assert GOOD.count(was) == 1

    message = refused(write(tmp_path, GOOD.replace(was, becomes)))

    assert reason in message


@pytest.mark.parametrize(
    ("steps", "reason"),
    [
        ('{ join = "a" }, { pause = "a" }', "step 2: a has no recording in progress"),
        ('{ join = "a" }, { start = "a" }, { pause = "a" }, { pause = "a" }', "a's recording is already paused"),
        ('{ join = "a" }, { start = "a" }, { resume = "a" }', "a's recording is not paused"),
        ('{ join = "a" }, { start = "a" }, { leave = "a" }, { mute = "a" }', "a has left the room"),
        ('{ join = "a" }, { download = "a" }', "a has no recording"),
        ('{ join = "a" }, { join = "a" }', "a has already joined"),
        ('{ join = "a" }, { wait = 1 }', "no step starts a recording"),
        (
            '{ join = "a" }, { start = "a" }, { wait_for = "a" }',
            "exactly one of 'elapsed', 'state' and 'event'",
        ),
        (
            '{ join = "a" }, { wait = 2, expect = [{ participant = "a", visible = true }] }',
            "no recording is in progress",
        ),
    ],
)
def test_steps_in_an_impossible_order_are_reported(tmp_path: Path, steps: str, reason: str) -> None:
    """Steps in an impossible order are reported before the first participant joins."""
    assert reason in refused(write(tmp_path, f"steps = [ {steps} ]"))


def test_yaml_error_has_its_line(tmp_path: Path) -> None:
    """Syntax errors and impossible steps in YAML files are reported with their line number."""
    assert refused(write(tmp_path, "steps:\n  - join: [a\n", "a.yaml")).startswith(":3 is not valid YAML")
    assert refused(write(tmp_path, "steps:\n  - join: a\n  - start: b\n", "b.yaml")).startswith(":3: step 2: b has not")
    assert "a scenario must contain steps" in refused(write(tmp_path, "- join: a\n", "c.yml"))


STEPS = "steps:\n  - join: a\n  - start: a\n  - wait: 2\n"
# These ten lines of YAML expand to a billion values.
BILLION = "a: &a [x, x]\n" + "".join(
    f"{word}: &{word} [{', '.join([f'*{before}'] * 9)}]\n" for before, word in pairwise("abcdefghij")
)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param(BILLION + STEPS, " has more than 100000 values", id="a billion values"),
        pytest.param("a: &a {b: &b [*a, *b, *b]}\n" + STEPS, "", id="values within themselves"),
        pytest.param("? [a, b]\n: 1\n" + STEPS, ": a key must be a word or a number", id="list as a key"),
        pytest.param("2001-01-01: 1\n" + STEPS, ": a key must be a word or a number", id="date as a key"),
        pytest.param("a: 2001-13-01\n" + STEPS, " is not valid YAML: month must be in 1..12", id="month"),
        pytest.param("a: !!int x\n" + STEPS, " is not valid YAML: invalid literal for int()", id="no number"),
        pytest.param("a: 0x_\n" + STEPS, " is not valid YAML: ", id="no digits"),
        pytest.param("a: !!omap 1\n" + STEPS, " is not valid YAML: ", id="no map"),
        pytest.param("!!omap [steps: 1]\n", ":1: steps should be a valid array", id="ordered map"),
        pytest.param("a: !!pairs [x: 1]\n" + STEPS, ":1: unknown key 'a'", id="pairs"),
        pytest.param("a: !own [x]\n" + STEPS, ":1: unknown key 'a'", id="unknown tag"),
        pytest.param("a: &a {<<: *a}\n" + STEPS, "", id="merged with itself"),
        pytest.param(f"a: {'9' * 5000}\n{STEPS}", " is not valid YAML: Exceeds the limit", id="endless number"),
        pytest.param(
            f"a: 0x{'f' * 5000}\n{STEPS}", ": the file contains a number that is too long to be read", id="long number"
        ),
        pytest.param('a: "\\UFFFFFFFF"\n' + STEPS, " is not valid YAML: ", id="no character"),
        pytest.param("a: \0\n" + STEPS, ":1 contains a null character", id="null byte"),
        pytest.param('steps:\n - join: a\n - start: "b\\nc"\n', ":3: step 2: b c has not joined", id="two lines"),
    ],
)
def test_odd_yaml_is_reported_in_one_line(tmp_path: Path, text: str, reason: str) -> None:
    """Any exception that the YAML parser raises for a scenario is reported as a ConfigError."""
    assert reason in refused(write(tmp_path, text, "odd.yaml"))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param(f"a = {'9' * 5000}", " is not valid TOML: Exceeds the limit", id="endless number"),
        pytest.param(
            f"a = 0x{'f' * 5000}", ": the file contains a number that is too long to be read", id="long number"
        ),
        pytest.param('"\\U0001F600" = 1\nsteps = [{ join = "a" }]', ":1: unknown key '😀'", id="escaped key"),
        pytest.param('"a\tb" = 1\nsteps = [{ join = "a" }]', ":1: unknown key 'a\\tb'", id="tab in a key"),
        pytest.param(
            f'steps = [{{ join = "a", media = "{"x" * 5000}" }}]', ":1: step 1: media: 'xxx", id="endless media"
        ),
    ],
)
def test_odd_toml_is_reported_in_one_line(tmp_path: Path, text: str, reason: str) -> None:
    """A TOML file that is invalid, or that is not a scenario, is reported in one line."""
    assert reason in refused(write(tmp_path, text, "odd.toml"))


def test_yaml_alias_repeats_a_step(tmp_path: Path) -> None:
    """YAML anchors and merge keys work.

    If a step that uses YAML anchors or merge keys contains a mistake, the error has the step's line number.
    """
    text = "steps:\n  - join: a\n  - &again\n    start: a\n    codec: vp8\n  - wait: 2\n  - stop: a\n  - <<: *again\n"

    scenario = read_scenario(write(tmp_path, f"{text}    codec: vp9\n", "again.yaml"))

    first, second = (step for step in scenario.steps if isinstance(step, Start))
    assert ("a", "vp8", "a", "vp9") == (first.start, first.codec, second.start, second.codec)
    assert refused(write(tmp_path, f"{text}    codek: vp9\n", "wrong.yaml")).startswith(
        ":9: step 5: unknown key 'codek'"
    )


@pytest.mark.parametrize("suffix", [".toml", ".yaml"])
def test_pipe_or_folder_is_refused_without_waiting(tmp_path: Path, suffix: str) -> None:
    """A scenario path that is a pipe, a folder, a device or a very large file is refused immediately."""
    os.mkfifo(tmp_path / f"pipe{suffix}")
    (tmp_path / f"folder{suffix}").mkdir()
    (tmp_path / f"device{suffix}").symlink_to("/dev/zero")
    with (tmp_path / f"large{suffix}").open("wb") as file:
        file.truncate(100_000_000_000)

    assert " is not a regular file." == refused(tmp_path / f"pipe{suffix}")
    assert " is not a regular file." == refused(tmp_path / f"folder{suffix}")
    assert " is not a regular file." == refused(tmp_path / f"device{suffix}")
    assert " is too large for a scenario (100000000000 bytes)." == refused(tmp_path / f"large{suffix}")
    assert "can't be read: File name too long" in refused(tmp_path / f"{'x' * 300}{suffix}")


@pytest.mark.parametrize("mark", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"], ids=["LF", "CRLF", "CR"])
@pytest.mark.parametrize("name", ["scenario.toml", "scenario.yaml"])
def test_any_editor_can_save_a_scenario(tmp_path: Path, name: str, line_end: str, mark: str) -> None:
    """Byte order marks and all line endings are accepted, and do not change the line numbers in errors."""
    texts = {
        "scenario.toml": 'title = "réunion"\nsteps = [\n  { join = "张三" },\n  { start = "张三" },\n]\n',
        "scenario.yaml": "title: réunion\nsteps:\n  - join: 张三\n  - start: 张三\n",
    }
    text = ("\ufeff" if mark == "utf-16-be" else "") + texts[name].replace("\n", line_end)
    path = tmp_path / name
    path.write_bytes(text.encode(mark))

    scenario = read_scenario(path)
    path.write_bytes(text.replace("join", "jion").encode(mark))

    assert ("réunion", 1) == (scenario.title, scenario.participants)
    assert refused(path).startswith(":3: step 1: ")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b'title = "x"\r# caf\xe9\r', ":2 is not valid UTF-8 (byte 0xe9: invalid continuation byte). Save the file as"),
        (b"\xef\xbb\xbf\n\n\xff\n", ":3 is not valid UTF-8 (byte 0xff: invalid start byte). Save the file as UTF-8."),
        (b"\xff\xfe#\x00\n\x00#", ":2 is not valid UTF-16-LE (byte 0x23: truncated data). Save the file as UTF-8."),
        ("# UTF-16\ntitle".encode("utf-16-le"), ":1 contains a null character. If the file is UTF-16, save it with"),
    ],
    ids=["Latin-1", "bytes", "half a character", "no mark"],
)
def test_text_in_another_encoding_is_refused_with_its_line(tmp_path: Path, content: bytes, reason: str) -> None:
    """The error names the line and the byte that is not valid, and states how to save the file."""
    path = tmp_path / "scenario.toml"
    path.write_bytes(content)

    assert refused(path).startswith(reason)


@pytest.mark.parametrize(
    "stem", ["a space & 'quotes' \"", "Ünïcödé 会議 🎥", "-dash", "dot.", "#?%20", "é" * 125], ids=range(6)
)
def test_scenario_can_have_any_file_name(tmp_path: Path, stem: str) -> None:
    """The default title of a scenario is its file name, which can have up to 255 bytes."""
    assert (
        stem
        == read_scenario(write(tmp_path, 'steps = [{ join = "alice" }, { start = "alice" }]', f"{stem}.toml")).title
    )


def test_file_with_another_suffix_is_refused(tmp_path: Path) -> None:
    """A scenario's path must point to an existing .toml, .yaml or .yml file."""
    assert "a scenario must be a .toml, .yaml or .yml file" in refused(write(tmp_path, "{}", "a.json"))
    assert "can't be read" in refused(tmp_path / "gone.toml")


def test_value_of_a_toml_file_has_its_line() -> None:
    """The parser finds the line numbers of tables, arrays of tables, inline tables, and dotted and quoted keys."""
    text = 'a = 1\n[b]\nc.d = 2\n[[e]]\nf = [\n  1,\n  { g = 2 },\n]\n[[e]]\n"h i" = 3\n[[e.j]]\nk = 4\n'

    lines = toml_lines(text)

    assert lines["a",] == 1
    assert lines["b", "c", "d"] == 3
    assert lines["e", 0, "f", 1, "g"] == 7
    assert lines["e", 1, "h i"] == 10
    assert lines["e", 1, "j", 0, "k"] == 12


def test_scenario_with_max_wait_waits_no_longer(tmp_path: Path) -> None:
    """The maximum wait shortens all ``wait`` steps that are longer, and does not change other steps."""
    scenario = read_scenario(write(tmp_path, GOOD)).with_max_wait(2)

    assert [2] == [step.wait for step in scenario.steps if isinstance(step, Wait)]
    assert 4 == len(scenario.steps)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_every_example_is_valid(path: Path) -> None:
    """Every example scenario can be read, and has a description."""
    assert read_scenario(path).description


def test_scenario_in_the_guide_is_valid(tmp_path: Path) -> None:
    """The scenario printed in docs/scenarios.md can be read without changes."""
    (text,) = re.findall(r"```toml\n(.*?)```", (ROOT / "docs" / "scenarios.md").read_text("utf-8"), flags=re.DOTALL)

    assert "mute in the middle" == read_scenario(write(tmp_path, text)).title


def test_published_schema_is_up_to_date() -> None:
    """The file docs/scenario.schema.json is identical to the output of scripts/scenario_schema.py."""
    checked = subprocess.run(
        [sys.executable, "scripts/scenario_schema.py", "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert 0 == checked.returncode, checked.stderr


def test_schema_has_every_step() -> None:
    """The JSON schema for scenarios contains every kind of step."""
    schema = Scenario.model_json_schema()

    assert {kind.__name__ for kind in KINDS} <= set(schema["$defs"])
    assert len(VERBS) == len(schema["properties"]["steps"]["items"]["oneOf"])


def test_number_of_repetitions_is_limited() -> None:
    """The number of jobs is limited, since a billion jobs would use up all memory before the first job could start."""
    ran = CliRunner().invoke(app, ["run", str(EXAMPLES[0]), "--repeat", "1000000000"])

    assert ran.exit_code == 2
    assert "less than or equal to 10000" in " ".join(ran.output.replace("│", " ").split())
