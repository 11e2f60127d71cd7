"""An error in the page is raised in Python as an instance of the class with the same name."""

from __future__ import annotations

import errno
import importlib
import re
from pathlib import Path

import pytest

from harness import errors
from harness.errors import (
    ConfigError,
    HarnessError,
    InvalidStateError,
    NotSupportedError,
    PageError,
    RecordingError,
    StepTimeout,
    one_of,
    page_error,
)

pytestmark = pytest.mark.parallel

PAGE = Path(__file__).parents[2] / "web" / "src" / "shared" / "errors.js"


@pytest.mark.parametrize(
    ("name", "code", "expected"),
    [
        ("ConfigError", None, ConfigError),
        ("StepTimeout", None, StepTimeout),
        ("InvalidStateError", 10454, InvalidStateError),
        ("NotSupportedError", 10450, NotSupportedError),
        ("RecordingError", 10452, RecordingError),
        ("RecordingError", 10453, RecordingError),
        ("Error", None, PageError),
        ("NotAllowedError", None, PageError),
        ("TypeError", None, PageError),
    ],
)
def test_page_error_gets_its_class_by_name(name: str, code: int | None, expected: type[HarnessError]) -> None:
    """A page's error becomes a Python error with the same message and exactly the expected class."""
    error = page_error(message="It is over.", code=code, name=name)

    assert expected is type(error)
    assert "It is over." == str(error)


def test_every_error_name_in_the_page_is_known_to_python() -> None:
    """Each error name that the page uses is a class in ``harness.errors``, except for the plain Error."""
    (declared,) = re.findall(r"@typedef \{(.+)\} ErrorName", PAGE.read_text())
    names = set(re.findall(r"'(\w+)'", declared))

    classes = {kind for kind in names - {"Error"} if issubclass(getattr(errors, kind), HarnessError)}

    refusals = {"ConfigError", "InvalidStateError", "NotSupportedError", "StepTimeout"}
    assert refusals | {"RecordingError", "DiskFullError"} == classes


def test_page_error_keeps_code_name_and_log() -> None:
    """An error from a page includes the last lines of the page's console, because they help to find the cause."""
    error = page_error(message="No.", code=10454, name="InvalidStateError", page_log=["log: joined", "error: no"])

    assert isinstance(error, PageError)
    assert (10454, "InvalidStateError", ("log: joined", "error: no")) == (error.code, error.name, error.page_log)


def test_every_error_is_a_harness_error() -> None:
    """A single ``except`` clause can catch every error that the harness raises on purpose."""
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and kind.__module__ == errors.__name__]

    assert kinds
    assert all(issubclass(kind, HarnessError) for kind in kinds)


def test_documented_tree_is_the_class_tree() -> None:
    """The docstring of ``harness.errors`` lists every error class, indented below its base class."""
    drawn = re.findall(r"^( *)(\w+Error|StepTimeout)\b", errors.__doc__ or "", re.MULTILINE)

    parents: dict[int, str] = {}
    for indent, name in drawn:
        depth = len(indent)
        parents[depth] = name
        parent = getattr(errors, name).__mro__[1].__name__
        assert parents.get(depth - 2, "Exception") == parent
    kinds = {name for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, HarnessError)}
    assert kinds == {name for _, name in drawn}


def test_recording_error_may_carry_the_saved_recording() -> None:
    """The attribute ``recording`` of a RecordingError is None by default."""
    assert RecordingError("It broke.").recording is None


def test_refused_option_is_named_with_the_allowed_values() -> None:
    """The error for a value that is not allowed contains the option, the value and the allowed values."""
    with pytest.raises(ConfigError, match=r"^rate: 24 is not valid; choose one of 15, 30\.$"):
        one_of("rate", 24, (15, 30))


def test_allowed_option_is_accepted() -> None:
    """No error is raised for an allowed value."""
    one_of("rate", 15, (15, 30))


def test_unexpected_system_error_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An unexpected error is printed without a traceback.

    The message for an unexpected error names the option that shows the traceback.
    """

    def fails() -> None:
        raise FileNotFoundError(errno.ENOENT, "No such file or directory", "gone.webm")

    # ``import harness.cli.main`` would not work, because the package exports a function with the module's name.
    program = importlib.import_module("harness.cli.main")
    monkeypatch.setattr(program, "app", fails)

    with pytest.raises(SystemExit) as end:
        program.run()

    assert 1 == end.value.code
    assert "harness: gone.webm: No such file or directory. --debug shows the traceback.\n" == capsys.readouterr().err
