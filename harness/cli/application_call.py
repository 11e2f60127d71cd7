"""``harness record --url``: people go into somebody else's application, by a script where an address won't do."""

from __future__ import annotations

import importlib.util
import traceback
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from harness.errors import ConfigError, HarnessError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from playwright.sync_api import Page

    from harness.session.room import Room

    Enter = Callable[[Page, str], Any]

# How long, in seconds, everybody may take to be in the call.
_TOGETHER_WITHIN: Final = 60.0
# Where certificates are one's own, and nobody vouches for them.
_HERE: Final = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class AppCall:
    """The call of an application: its address, what gets a page there into it, and what its browser remembers."""

    url: str
    script: Enter | None
    storage_state: Path | None

    def enter(self, room: Room, names: tuple[str, ...], media: str | Path) -> None:
        """Let everybody in; return once the first one sees all the others."""
        from playwright.sync_api import Error as PlaywrightError

        options: dict[str, Any] = {"ignore_https_errors": urlsplit(self.url).hostname in _HERE}
        if self.storage_state is not None:
            options["storage_state"] = str(self.storage_state)
        for name in names:
            participant = room.enter(name, media="own" if media == "camera" else media, **options)
            try:
                participant.page.goto(self.url)
            except PlaywrightError as error:
                said = error.message.splitlines()[0].removeprefix("Page.goto: ")
                message = f"--url: {self.url} can't be opened: {said}."
                raise ConfigError(message) from error
            if self.script:
                self.script(participant.page, name)
        first = room.participants[0]
        room.wait_for(
            lambda: len(first.others) >= len(names) - 1,
            timeout=_TOGETHER_WITHIN,
            what=f"{len(names)} people in one call at {self.url}",
        )


def asked(url: str | None, script: Path | None, storage_state: Path | None) -> AppCall | None:
    """Return what the options ask for, None for our own room; raises ConfigError for what can't be."""
    if url is None:
        if script or storage_state:
            message = "--script and --storage-state belong to --url; give the address of the application."
            raise ConfigError(message)
        return None
    if urlsplit(url).scheme not in {"http", "https"} or not urlsplit(url).hostname:
        message = f"--url: {url!r} is not possible; give an address that begins with https:// or http://."
        raise ConfigError(message)
    if storage_state is not None and not storage_state.is_file():
        message = (
            f"--storage-state: {storage_state} is no file; Playwright's context.storage_state(path=...) writes one."
        )
        raise ConfigError(message)
    return AppCall(url, read_script(script) if script else None, storage_state)


def read_script(path: Path) -> Enter:
    """Return the function ``join(page, name)`` of a Python file; raises ConfigError where there is none."""
    if not path.is_file():
        message = f"--script: {path} is no file; give a Python file with a function join(page, name)."
        raise ConfigError(message)
    spec = importlib.util.spec_from_file_location("harness_script", path)
    if spec is None or spec.loader is None:
        message = f"--script: {path} is no Python file; its name must end with .py."
        raise ConfigError(message)
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise ConfigError(_failed(path, error)) from error
    join = getattr(module, "join", None)
    if not callable(join):
        message = f"--script: {path} has no function join(page, name), which gets a page into the call."
        raise ConfigError(message)

    def enter(page: Page, name: str) -> None:
        try:
            join(page, name)
        except HarnessError:
            raise
        except Exception as error:
            raise ConfigError(_failed(path, error, name)) from error

    return enter


def _failed(path: Path, error: Exception, name: str | None = None) -> str:
    """Return where a script failed, and why, in one line."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    where = f"{path}:{lines[-1]}" if lines else str(path)
    whom = f" for {name}" if name else ""
    said = str(error).strip().splitlines()
    return f"--script: {where} failed{whom}: {type(error).__name__}: {said[0] if said else 'no reason given'}"
