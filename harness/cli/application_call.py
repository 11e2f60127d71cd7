"""Implement ``harness record --url``: participants join another application's call, with a script if necessary."""

from __future__ import annotations

import importlib.util
import traceback
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from harness.errors import ConfigError, HarnessError, StepTimeout

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from playwright.sync_api import Page

    from harness.session.room import Room

    JoinScript = Callable[[Page, str], Any]

# Maximum time until all participants have joined the call, in seconds.
_JOINED_WITHIN: Final = 60.0
# Hosts whose certificates are usually self-signed.
_LOCAL_HOSTS: Final = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class ApplicationCall:
    """Another application's call: its address, the script that joins it, and Playwright's storage state."""

    url: str
    script: JoinScript | None
    storage_state: Path | None

    def enter(self, room: Room, names: tuple[str, ...], media: str | Path) -> None:
        """Make every participant join, and wait until the first participant's page reports all other participants."""
        from playwright.sync_api import Error as PlaywrightError

        options: dict[str, Any] = {"ignore_https_errors": urlsplit(self.url).hostname in _LOCAL_HOSTS}
        if self.storage_state is not None:
            options["storage_state"] = str(self.storage_state)
        for name in names:
            participant = room.enter(name, media="own" if media == "camera" else media, **options)
            try:
                participant.page.goto(self.url)
            except PlaywrightError as error:
                reason = error.message.splitlines()[0].removeprefix("Page.goto: ")
                message = f"--url: {self.url} can't be opened: {reason}."
                raise ConfigError(message) from error
            if self.script:
                self.script(participant.page, name)
        first = room.participants[0]
        try:
            room.wait_for(
                lambda: len(first.others) >= len(names) - 1,
                timeout=_JOINED_WITHIN,
                what=f"{len(names)} participants in one call at {self.url}",
            )
        except StepTimeout as error:
            found = [first.name, *first.others]
            message = f"{str(error).rstrip('.')}; found {len(found)} ({', '.join(found)})."
            raise StepTimeout(message) from error


def requested_call(url: str | None, script: Path | None, storage_state: Path | None) -> ApplicationCall | None:
    """Return the call that the options specify, or None for our own room; raises ConfigError for invalid options."""
    if url is None:
        if script or storage_state:
            message = "--script and --storage-state require --url; give the address of the application."
            raise ConfigError(message)
        return None
    if urlsplit(url).scheme not in {"http", "https"} or not urlsplit(url).hostname:
        message = f"--url: {url!r} is not valid; give an address that begins with https:// or http://."
        raise ConfigError(message)
    if storage_state is not None and not storage_state.is_file():
        message = (
            f"--storage-state: {storage_state} is not a file; create one with Playwright's "
            "context.storage_state(path=...)."
        )
        raise ConfigError(message)
    return ApplicationCall(url, read_script(script) if script else None, storage_state)


def read_script(path: Path) -> JoinScript:
    """Load the function ``join(page, name)`` from a Python file; raises ConfigError if the file does not define it."""
    if not path.is_file():
        message = f"--script: {path} is not a file; give a Python file with a function join(page, name)."
        raise ConfigError(message)
    spec = importlib.util.spec_from_file_location("harness_script", path)
    if spec is None or spec.loader is None:
        message = f"--script: {path} is not a Python file; its name must end with .py."
        raise ConfigError(message)
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
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
