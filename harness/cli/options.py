"""Define the options that several commands share, each with its environment variable."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeVar

import typer

from harness.cli.output_streams import make_console, shows_progress
from harness.errors import ConfigError, HarnessError
from harness.recording.files.text import encodable, json_text, printable, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from rich.console import Console
    from rich.progress import Progress

    from harness.recording.recording import Recording
    from harness.verification import Report

_Given = TypeVar("_Given")


class _JsonOutput:
    """Stores whether JSON output was requested, and whether it has already been printed."""

    requested = False
    printed = False


def _on_json_option(requested: bool) -> bool:
    _JsonOutput.requested, _JsonOutput.printed = requested, False
    return requested


JsonOption = Annotated[
    bool,
    typer.Option(
        "--json",
        envvar="HARNESS_JSON",
        callback=_on_json_option,
        # Process this option first, because errors from other options' callbacks are printed as JSON if it is given.
        is_eager=True,
        help="Print exactly one JSON object on stdout. If the command fails, the key 'error' gives the reason.",
    ),
]


def is_text(parameter: typer.CallbackParam, given: _Given) -> _Given:
    """Return an option's value; raises ConfigError for text and paths that a manifest, which is UTF-8, can't store."""
    for one in given if isinstance(given, list) else [given]:
        texts = [os.fspath(one)] if isinstance(one, str | os.PathLike) else []
        # A relative path is stored together with the current folder.
        texts += [str(one.absolute())] if isinstance(one, Path) else []
        for text in texts:
            if encodable(text) != text:
                name = parameter.opts[0] if parameter.opts[0].startswith("-") else parameter.metavar
                message = f"{name}: {printable(text)!r} {_problem_of(text)}."
                raise ConfigError(message)
    return given


def _problem_of(text: str) -> str:
    """Return why Python could not decode a text, and what to do about it."""
    try:
        os.fsencode(text).decode("utf-8")
    except UnicodeDecodeError:
        return "is not valid UTF-8; give a different value"
    return f"is not valid in this locale's encoding, {sys.getfilesystemencoding()}; set LC_ALL=C.UTF-8 or PYTHONUTF8=1"


def one_per_line(context: typer.Context, parameter: typer.CallbackParam, given: list[str] | None) -> list[str] | None:
    """Return a repeated option's values; in an environment variable, each line is one value, and may contain spaces."""
    source = context.get_parameter_source(parameter.name or "")
    if source is None or source.name != "ENVIRONMENT" or not isinstance(parameter.envvar, str):
        return given
    # The lines may come from a file that begins with a byte order mark.
    text = os.environ[parameter.envvar].removeprefix("\ufeff")
    return [line.strip() for line in text.splitlines() if line.strip()]


def parse_names(given: str, *, option: str) -> tuple[str, ...]:
    """Parse participants' names that are separated by commas; raises ConfigError if a name is empty."""
    names = tuple(dict.fromkeys(name.strip() for name in given.split(",")))
    if not all(names):
        message = f"{option}: {given!r} is not valid; give names separated by commas, for example alice,bob."
        raise ConfigError(message)
    return names


# The participants of a command whose user names none.
DEFAULT_NAMES: Final = ("alice", "bob", "carol")

RecordingsOption = Annotated[
    Path,
    typer.Option("--recordings", envvar="HARNESS_RECORDINGS", callback=is_text, help="Folder for finished recordings."),
]
MediaOption = Annotated[
    str,
    typer.Option(
        "--media",
        envvar="HARNESS_MEDIA",
        help=(
            "The participants' camera and microphone: 'synthetic' for synthetic video and tones, 'camera' for the "
            "browser's devices, or the path of a video file."
        ),
        metavar="synthetic|camera|FILE",
    ),
]
ScriptOption = Annotated[
    Path | None,
    typer.Option(
        "--script",
        envvar="HARNESS_SCRIPT",
        help="Python file with a function join(page, name) that joins the call in a page opened at --url.",
        metavar="FILE",
    ),
]
StorageStateOption = Annotated[
    list[str] | None,
    typer.Option(
        "--storage-state",
        envvar="HARNESS_STORAGE_STATE",
        callback=one_per_line,
        help=(
            "File with cookies and local storage saved by Playwright, if --url requires a login. With NAME=FILE, "
            "the file is used only for the participant NAME. This option can be repeated. In the environment "
            "variable, put each value on its own line."
        ),
        metavar="[NAME=]FILE",
    ),
]
IgnoreHttpsErrorsOption = Annotated[
    bool,
    typer.Option(
        "--ignore-https-errors",
        envvar="HARNESS_IGNORE_HTTPS_ERRORS",
        help=(
            "Accept certificates that are not valid, for example self-signed ones. Certificates for localhost are "
            "always accepted."
        ),
    ),
]
HttpCredentialsOption = Annotated[
    str | None,
    typer.Option(
        "--http-credentials",
        envvar="HARNESS_HTTP_CREDENTIALS",
        help=(
            "User name and password for HTTP authentication, sent only to the server of --url. Other users of this "
            "machine can see the options of running programs, so prefer the environment variable."
        ),
        metavar="USER:PASSWORD",
    ),
]
HeaderOption = Annotated[
    list[str] | None,
    typer.Option(
        "--header",
        envvar="HARNESS_HEADER",
        callback=one_per_line,
        help=(
            "HTTP header to send with every request that the pages make, for example 'X-Test-Run: 42'. This "
            "option can be repeated. In the environment variable, put each header on its own line."
        ),
        metavar="NAME: VALUE",
    ),
]
HeadedOption = Annotated[bool, typer.Option("--headed", envvar="HARNESS_HEADED", help="Show the browser windows.")]
ExecutableOption = Annotated[
    Path | None,
    typer.Option(
        "--executable",
        envvar="HARNESS_EXECUTABLE",
        help="Path of the Chrome or Chromium to use. By default, the first browser found is used.",
    ),
]
DebugOption = Annotated[
    bool,
    typer.Option(
        "--debug", envvar="HARNESS_DEBUG", help="Show the full traceback if an error occurs.", show_envvar=False
    ),
]
HtmlOption = Annotated[
    Path | None,
    typer.Option(
        "--html", envvar="HARNESS_HTML", help="Write the report to FILE as an HTML page with plots.", metavar="FILE"
    ),
]
AllowUnverifiedOption = Annotated[
    bool,
    typer.Option(
        "--allow-unverified",
        envvar="HARNESS_ALLOW_UNVERIFIED",
        help="Exit with 0 instead of 4 if no check failed, but something could not be examined.",
    ),
]
JunitOption = Annotated[
    Path | None,
    typer.Option("--junit", envvar="HARNESS_JUNIT", help="Write the findings to FILE as JUnit XML.", metavar="FILE"),
]
SfuOption = Annotated[
    str | None,
    typer.Option(
        "--sfu",
        envvar="HARNESS_SFU",
        help=(
            "Send media through a Janus SFU at this address, for example janus=ws://localhost:8188. Use an SFU "
            "for more than a handful of participants."
        ),
        metavar="janus=WS",
    ),
]
SfuRoomOption = Annotated[
    str | None,
    typer.Option(
        "--sfu-room",
        envvar="HARNESS_SFU_ROOM",
        callback=is_text,
        help="Name of a room on the SFU. Harness servers that use the same name share the room.",
        metavar="NAME",
    ),
]
IceServerOption = Annotated[
    list[str] | None,
    typer.Option(
        "--ice-server",
        envvar="HARNESS_ICE_SERVER",
        help=(
            "STUN or TURN server: stun:HOST:PORT, turn:USER:PASS@HOST:PORT, or turn:HOST:PORT with "
            "HARNESS_TURN_SECRET. This option can be repeated."
        ),
        metavar="URL",
    ),
]
ConnectOption = Annotated[
    list[str] | None,
    typer.Option(
        "--connect",
        envvar="HARNESS_CONNECT",
        help=(
            "Connect to a remote browser started with 'playwright run-server --unsafe', for example ws://HOST:3000. "
            "Repeat the option to spread participants over several browsers."
        ),
        metavar="WS",
    ),
]
RelayOnlyOption = Annotated[
    bool,
    typer.Option(
        "--relay-only",
        envvar="HARNESS_RELAY_ONLY",
        help="Send media only through the TURN servers.",
    ),
]

# In narrower terminals, the description of the progress is more useful than the progress bar.
_BAR_COLUMNS: Final = 60

_debug = False


def debugging(*, on: bool = False) -> bool:
    """Return whether errors are shown with a traceback; ``on=True`` enables tracebacks."""
    global _debug  # noqa: PLW0603 - the one switch of a program, set before anything runs
    _debug = _debug or on
    return _debug


def stdout() -> Console:
    """Return the console that prints results; it wraps long lines only on a terminal."""
    console = make_console()
    console.soft_wrap = not console.is_terminal
    return console


def print_message(message: str) -> None:
    """Print a message on stderr as a single line."""
    make_console(stderr=True).print(shown(f"harness: {message}"), markup=False, soft_wrap=True)


@contextlib.contextmanager
def progress() -> Iterator[Progress]:
    """Show progress on stderr if stderr is a terminal."""
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    console = make_console(stderr=True)
    columns = (
        SpinnerColumn("line" if console.options.ascii_only else "dots"),
        TextColumn("{task.description}", markup=False),
        *([BarColumn()] if console.width >= _BAR_COLUMNS else []),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=not shows_progress()) as shown:
        yield shown


@contextlib.contextmanager
def writable() -> Iterator[None]:
    """Raise ConfigError with the file's name and the reason if a file can't be written."""
    try:
        yield
    except OSError as error:
        what = f"{error.filename} can't be written" if error.filename else "A report can't be written"
        message = f"{what}: {error.strerror or error}."
        raise ConfigError(message) from error
    except ValueError as error:
        # ValueError means that the path or the text can't be encoded, or that the path contains a null byte.
        message = f"A report can't be written: {error}."
        raise ConfigError(message) from error


class ReportFiles:
    """Writes report files; if one can't be written, the command still writes the other files and prints its output."""

    def __init__(self) -> None:
        self._error: HarnessError | None = None

    def write(self, write: Callable[[], object]) -> bool:
        """Write one file, and return whether writing succeeded."""
        try:
            with writable():
                write()
        except HarnessError as error:
            self._error = self._error or error
            return False
        return True

    @property
    def error(self) -> str | None:
        """The error message for the first file that could not be written; None if every file was written."""
        return str(self._error) if self._error else None

    def raise_for_error(self) -> None:
        """Raise the error for the first file that could not be written; do nothing if every file was written."""
        if self._error:
            raise self._error


def print_path(console: Console, path: Path) -> None:
    """Print a file's path; on a terminal, but not in output for other programs, replace unprintable characters."""
    text = str(path)
    console.print(printable(text) if console.is_terminal else text, soft_wrap=True, markup=False)


def print_reports(console: Console, recordings: Sequence[Recording], reports: Sequence[Report]) -> None:
    """Print each recording's path, which scripts can read from the output, followed by the report on the recording."""
    for recording, report in zip(recordings, reports, strict=True):
        print_path(console, recording.path)
        console.print(report)


def print_json(output: dict[str, Any], *, error: str | None = None) -> None:
    """Print a command's JSON output; control characters, and characters that can't be encoded, are escaped.

    ``error`` is the reason for a failure other than a failed check; if it is given, ``ok`` is false in the output.
    """
    if error is not None:
        output = {**output, "ok": False, "error": error}
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    text = json_text(output, indent=2, ascii_only=not encoding.lower().startswith("utf"))
    _JsonOutput.printed = True
    typer.echo(text)


def print_error(error: str) -> None:
    """Print an error as the command's JSON output if JSON is requested and has not been printed yet."""
    if _JsonOutput.requested and not _JsonOutput.printed:
        print_json({}, error=error)
