"""Make participants join another application's call, with a script if necessary (``harness record``, ``observe``)."""

from __future__ import annotations

import codecs
import contextlib
import importlib.util
import traceback
from dataclasses import dataclass, field
from importlib.machinery import SourceFileLoader
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from harness.cli.context_options import ContextOptions, without_credentials
from harness.cli.navigation import certificate_error, open_page
from harness.cli.options import parse_names, print_message
from harness.errors import ConfigError, HarnessError, InvalidStateError, StepTimeout

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from playwright.sync_api import Page

    from harness.recording.config import Recorder
    from harness.session.participant import Participant
    from harness.session.room import Room

    JoinScript = Callable[[Page, str], Any]

# Maximum time until all participants have joined the call, in seconds.
_JOINED_WITHIN: Final = 60.0
# How long to wait for the markers of participants who are already in the call, in seconds.
_IDENTIFIED_WITHIN: Final = 10.0


@dataclass(frozen=True, kw_only=True)
class ApplicationCall:
    """Another application's call: its address, the script that joins it, and the options of its browser contexts.

    ``expected`` contains the names of the participants that the user expects in the call, or None if the user did not
    specify any.
    """

    url: str
    script: JoinScript | None = None
    options: ContextOptions = field(default_factory=ContextOptions)
    expected: tuple[str, ...] | None = None

    def expected_participants(self, names: tuple[str, ...], media: str | Path, recorder: Recorder) -> tuple[str, ...]:
        """Return the names of the participants who must be in the call for the whole recording.

        By default, these are all participants that the recording can identify. Only synthetic media has markers that
        identify other participants, and a local recording contains only the recording participant.
        """
        if self.expected is not None:
            return self.expected
        return names if media == "synthetic" and recorder == "all" else names[:1]

    def enter(self, room: Room, names: tuple[str, ...], media: str | Path, stop: object = False) -> None:
        """Make every participant join, and wait until the first participant's page reports all expected participants.

        ``stop`` becomes true if the user interrupts the program; the method then returns early.
        """
        problems = [problem for name in names if not stop and (problem := self._open(room, name, media))]
        if stop:
            return
        call = _WaitForCall(room, self, stop, problems)
        if self.expected is None:
            call.wait_for_count(names)
            if media == "synthetic":
                call.wait_for_markers(names)
        else:
            call.wait_for_names(self.expected)

    def start(self, room: Room, start: Callable[[], object], stop: object = False) -> None:
        """Call ``start``, which starts the recording or observation, as soon as the first page is in a call."""

        def started() -> bool:
            try:
                start()
            except InvalidStateError:
                return bool(stop)
            return True

        first = room.participants[0]
        _WaitForCall(room, self, stop, []).wait(started, f"{first.name}'s page to join a call at {self.shown_url}")

    @property
    def shown_url(self) -> str:
        """The address without a password, for use in messages."""
        return without_credentials(self.url)

    def _open(self, room: Room, name: str, media: str | Path) -> str | None:
        """Open the address for a participant, and run the script; return a sentence about an HTTP error, if any."""
        from playwright.sync_api import Error as PlaywrightError

        options = self.options.for_participant(name, self.url)
        try:
            participant = room.enter(name, media="own" if media == "camera" else media, **options)
        except PlaywrightError as error:
            if "storage state" not in error.message:
                raise
            reason = " ".join(error.message.split()).removeprefix("Browser.new_context: ").rstrip(".")
            message = f"--storage-state: the browser refuses the file for {name}: {reason}."
            raise ConfigError(message) from error
        problem = open_page(participant.page, self.url, who=name, tolerant=self.script is not None)
        if problem:
            print_message(f"{problem} Continuing with the script on the current page anyway.")
        if self.script:
            try:
                self.script(participant.page, name)
            except ConfigError as error:
                hint = certificate_error(f"{error} {_console(participant)}") or problem
                message = f"{str(error).rstrip('.')}. {hint}" if hint else str(error)
                raise ConfigError(message) from error
        return problem


@dataclass(frozen=True)
class _WaitForCall:
    """Waits until participants are in the call.

    ``problems`` are the pages' HTTP errors, which may explain why participants are missing.
    """

    room: Room
    call: ApplicationCall
    stop: object
    problems: list[str]

    def wait_for_count(self, names: tuple[str, ...]) -> None:
        """Wait until the first participant's page reports at least ``len(names) - 1`` other participants."""
        first = self.room.participants[0]
        what = f"{len(names)} participants in one call at {self.call.shown_url}"
        self.wait(lambda: len(first.others) >= len(names) - 1, what, names)

    def wait_for_names(self, names: tuple[str, ...]) -> None:
        """Wait until the first participant's page reports each of these names."""
        first = self.room.participants[0]
        awaited = set(names) - {first.name}
        if awaited:
            what = f"{', '.join(names)} in one call at {self.call.shown_url}"
            self.wait(lambda: awaited <= set(first.others), what, names)

    def wait_for_markers(self, names: tuple[str, ...]) -> None:
        """Wait a few seconds for everybody in the call to be identified; warn if anybody is not."""
        first = self.room.participants[0]
        awaited = set(names[1:])
        with contextlib.suppress(StepTimeout):
            self.room.wait_for(lambda: self.stop or awaited <= set(first.others), timeout=_IDENTIFIED_WITHIN)
        if not self.stop and (missing := [name for name in names[1:] if name not in first.others]):
            print_message(
                f"{', '.join(missing)} could not be identified in the call at {self.call.shown_url} within "
                f"{_IDENTIFIED_WITHIN:g} s; {first.name}'s page reports {', '.join(first.others)}. The command "
                "continues anyway. If these are the right participants, use --expect to specify who must be in the "
                "call."
            )

    def wait(self, condition: Callable[[], object], what: str, names: tuple[str, ...] = ()) -> None:
        """Wait until the condition is true; raises a StepTimeout that names the missing participants and the remedy."""
        try:
            self.room.wait_for(lambda: self.stop or condition(), timeout=_JOINED_WITHIN, what=what)
        except StepTimeout as error:
            parts = [str(error).rstrip(".")]
            if names:
                first = self.room.participants[0]
                found = [first.name, *first.others]
                missing = [name for name in names if name not in found]
                parts += [f"found {len(found)} ({', '.join(found)})", f"not found: {', '.join(missing)}"]
            message = f"{'; '.join(parts)}. {self._remedy()}"
            raise StepTimeout(message) from error

    def _remedy(self) -> str:
        consoles = " ".join(_console(participant) for participant in self.room.participants)
        if hint := certificate_error(consoles):
            return hint
        if self.problems:
            return self.problems[0]
        if self.call.script is None:
            return "If joining requires clicks or a form, give a --script that performs these steps."
        return "Check that the script joins the same call for every participant; use --headed to watch the pages."


def _console(participant: Participant) -> str:
    return " ".join(line.text for line in participant.console)


def requested_call(
    url: str | None,
    script: Path | None = None,
    options: ContextOptions | None = None,
    expected: tuple[str, ...] | None = None,
) -> ApplicationCall | None:
    """Return the call that the options specify, or None for our own room; raises ConfigError for invalid options."""
    options = options or ContextOptions()
    if url is None:
        if script or options or expected is not None:
            message = (
                "--script, --storage-state, --ignore-https-errors, --http-credentials, --header and --expect require "
                "--url; give the address of the application."
            )
            raise ConfigError(message)
        return None
    if urlsplit(url).scheme not in {"http", "https"} or not urlsplit(url).hostname:
        message = f"--url: {url!r} is not valid; give an address that begins with https:// or http://."
        raise ConfigError(message)
    return ApplicationCall(url=url, script=read_script(script) if script else None, options=options, expected=expected)


def parse_expected(given: str | None, names: tuple[str, ...]) -> tuple[str, ...] | None:
    """Parse names separated by commas, or "none". A name with a comma must be one of ``names``."""
    if given is None:
        return None
    if given in names:
        return (given,)
    return () if given == "none" else parse_names(given, option="--expect")


class _ScriptLoader(SourceFileLoader):
    """Loads a Python file; unlike Python itself, it can also read UTF-16 with a byte order mark."""

    def get_data(self, path: str) -> bytes:
        """Return the content of the file in an encoding that Python can read."""
        content = super().get_data(path)
        is_utf16 = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        return content.decode("utf-16").encode() if is_utf16 else content


def read_script(path: Path) -> JoinScript:
    """Load the function ``join(page, name)`` from a Python file; raises ConfigError if the file does not define it."""
    if not path.is_file():
        message = f"--script: {path} is not a file; give a Python file with a function join(page, name)."
        raise ConfigError(message)
    loader = _ScriptLoader("harness_script", str(path))
    spec = importlib.util.spec_from_file_location(loader.name, path, loader=loader) if path.suffix == ".py" else None
    if spec is None:
        message = f"--script: {path} is not a Python file; its name must end with .py."
        raise ConfigError(message)
    module = importlib.util.module_from_spec(spec)
    try:
        loader.exec_module(module)
    except Exception as error:
        raise ConfigError(_failure(path, error)) from error
    join = getattr(module, "join", None)
    if not callable(join):
        message = f"--script: {path} has no function join(page, name); define one that joins the call in the page."
        raise ConfigError(message)

    def join_call(page: Page, name: str) -> None:
        try:
            join(page, name)
        except HarnessError:
            raise
        except Exception as error:
            raise ConfigError(_failure(path, error, name)) from error

    return join_call


def _failure(path: Path, error: Exception, name: str | None = None) -> str:
    """Return one line of text with the reason why the script failed and the number of the line that failed."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    where = f"{path}:{lines[-1]}" if lines else str(path)
    participant = f" for {name}" if name else ""
    lines_of_error = str(error).strip().splitlines()
    reason = lines_of_error[0] if lines_of_error else "no reason given"
    return f"--script: {where} failed{participant}: {type(error).__name__}: {reason}"
