"""Options that several commands share, each with its environment variable."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer
from rich.console import Console

from harness.errors import ConfigError, HarnessError
from harness.recording.files.text import encodable, json_text, printable, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from rich.progress import Progress

    from harness.recording.recording import Recording
    from harness.verification import Report

_Given = TypeVar("_Given")


class _Answer:
    """Whether the command answers in JSON, and whether it has answered."""

    wanted = False
    printed = False


def _note_json(wanted: bool) -> bool:
    _Answer.wanted, _Answer.printed = wanted, False
    return wanted


JsonOption = Annotated[
    bool,
    typer.Option(
        "--json",
        envvar="HARNESS_JSON",
        callback=_note_json,
        # Known before anything that is given with it can be refused.
        is_eager=True,
        help="Print exactly one JSON object on stdout; where the command fails, its 'error' says why.",
    ),
]


def is_text(parameter: typer.CallbackParam, given: _Given) -> _Given:
    """Return what was given; raises ConfigError for bytes that are no text, which no page and no manifest can hold."""
    for one in given if isinstance(given, list) else [given]:
        text = os.fspath(one) if isinstance(one, str | os.PathLike) else ""
        if encodable(text) != text:
            name = parameter.opts[0] if parameter.opts[0].startswith("-") else parameter.metavar
            message = f"{name}: {printable(text)!r} is no text in UTF-8; give another one."
            raise ConfigError(message)
    return given


RecordingsOption = Annotated[
    Path,
    typer.Option("--recordings", envvar="HARNESS_RECORDINGS", callback=is_text, help="Folder for finished recordings."),
]
ExecutableOption = Annotated[
    Path | None,
    typer.Option("--executable", envvar="HARNESS_EXECUTABLE", help="Chrome or Chromium to use, a path."),
]
DebugOption = Annotated[
    bool, typer.Option("--debug", envvar="HARNESS_DEBUG", help="Show tracebacks.", show_envvar=False)
]
HtmlOption = Annotated[
    Path | None,
    typer.Option("--html", envvar="HARNESS_HTML", help="Write the report as a page with plots.", metavar="FILE"),
]
JunitOption = Annotated[
    Path | None,
    typer.Option("--junit", envvar="HARNESS_JUNIT", help="Write the findings as JUnit XML.", metavar="FILE"),
]
SfuOption = Annotated[
    str | None,
    typer.Option(
        "--sfu",
        envvar="HARNESS_SFU",
        help="Send media by this SFU, a Janus, past a handful of people.",
        metavar="janus=WS",
    ),
]
SfuRoomOption = Annotated[
    str | None,
    typer.Option(
        "--sfu-room",
        envvar="HARNESS_SFU_ROOM",
        callback=is_text,
        help="Meet there with others who say the same.",
        metavar="NAME",
    ),
]
IceServerOption = Annotated[
    list[str] | None,
    typer.Option(
        "--ice-server",
        envvar="HARNESS_ICE_SERVER",
        help="STUN or TURN server, as stun:HOST:PORT or turn:USER:PASSWORD@HOST:PORT; may be repeated.",
        metavar="URL",
    ),
]
ConnectOption = Annotated[
    list[str] | None,
    typer.Option(
        "--connect",
        envvar="HARNESS_CONNECT",
        help="Use a browser elsewhere, as 'playwright run-server --unsafe' serves it; repeated, people are spread.",
        metavar="WS",
    ),
]
RelayOnlyOption = Annotated[
    bool,
    typer.Option("--relay-only", envvar="HARNESS_RELAY_ONLY", help="Send media by a TURN server, and not straight."),
]

_debug = False


def debugging(*, on: bool = False) -> bool:
    """Return whether tracebacks are wanted; ``on`` says that they are, from now on."""
    global _debug  # noqa: PLW0603 - the one switch of a program, set before anything runs
    _debug = _debug or on
    return _debug


def stdout() -> Console:
    """Return where results go; lines are not broken where nobody looks at them in a terminal."""
    console = Console(highlight=False)
    console.soft_wrap = not console.is_terminal
    return console


def say(what: str) -> None:
    """Say something on stderr, in one line."""
    Console(stderr=True, soft_wrap=True, highlight=False).print(shown(f"harness: {what}"), markup=False)


@contextlib.contextmanager
def progress() -> Iterator[Progress]:
    """Show progress on stderr, where that is a terminal."""
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as shown:
        yield shown


@contextlib.contextmanager
def writable() -> Iterator[None]:
    """Say which file can't be written, and why."""
    try:
        yield
    except OSError as error:
        what = f"{error.filename} can't be written" if error.filename else "A report can't be written"
        message = f"{what}: {error.strerror or error}."
        raise ConfigError(message) from error
    except ValueError as error:
        # A path or a text that no file can have.
        message = f"A report can't be written: {error}."
        raise ConfigError(message) from error


class Reports:
    """Writes reports one by one: where one can't be written the others still are, and the answer is still given."""

    def __init__(self) -> None:
        self._error: HarnessError | None = None

    def write(self, write: Callable[[], object]) -> bool:
        """Write one, and return whether that went well."""
        try:
            with writable():
                write()
        except HarnessError as error:
            self._error = self._error or error
            return False
        return True

    @property
    def error(self) -> str | None:
        """Why the first of those that can't be written can't."""
        return str(self._error) if self._error else None

    def raise_for_error(self) -> None:
        """Raise the first error, if there was one."""
        if self._error:
            raise self._error


def print_path(console: Console, path: Path) -> None:
    """Print where a file lies, for others to take up; where people look, as it may be shown."""
    text = str(path)
    console.print(printable(text) if console.is_terminal else text, soft_wrap=True, markup=False)


def print_verdicts(console: Console, recordings: Sequence[Recording], reports: Sequence[Report]) -> None:
    """Print each recording's path, for others to take up, and the verdict on it."""
    for recording, report in zip(recordings, reports, strict=True):
        print_path(console, recording.path)
        console.print(report)


def print_json(answer: dict[str, Any], *, error: str | None = None) -> None:
    """Print a command's answer; what a terminal might obey, and what no encoding has a place for, is escaped.

    ``error`` says what else went wrong than a check: such an answer is not ``ok``.
    """
    if error is not None:
        answer = {**answer, "ok": False, "error": error}
    text = json_text(answer, indent=2)
    _Answer.printed = True
    typer.echo(text)


def print_error(error: str) -> None:
    """Print an error as the command's answer, where that is wanted in JSON and was not given yet."""
    if _Answer.wanted and not _Answer.printed:
        print_json({}, error=error)
