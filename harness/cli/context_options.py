"""Parse the options of ``harness record`` and ``observe`` that determine how an application's pages are opened."""

from __future__ import annotations

import contextlib
import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote, urlsplit

from harness.errors import ConfigError
from harness.recording.files.safe_reads import read_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

# Hosts whose certificates are usually self-signed.
_LOCAL_HOSTS: Final = ("localhost", "127.0.0.1", "::1")
# Maximum size of a file with cookies and local storage, in bytes. Chrome stores at most 10 MB for each site.
_LARGEST_STORAGE_STATE: Final = 200_000_000
# The characters that HTTP allows in a header's name, and those that it forbids in a header's value.
_HEADER_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_CONTROL: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


@dataclass(frozen=True, kw_only=True)
class ContextOptions:
    """The options that are used to create participants' browser contexts.

    ``storage_states`` contains Playwright's storage states by participant; the one with the key None applies to all
    other participants. ``credentials`` are a user name and a password for HTTP authentication.
    """

    storage_states: Mapping[str | None, dict[str, Any]] = field(default_factory=dict)
    ignore_https_errors: bool = False
    credentials: tuple[str, str] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.storage_states or self.ignore_https_errors or self.credentials or self.headers)

    def for_participant(self, name: str, url: str) -> dict[str, Any]:
        """Return Playwright's options for the context in which a participant opens the application at ``url``."""
        parts = urlsplit(url)
        options: dict[str, Any] = {"ignore_https_errors": self.ignore_https_errors or parts.hostname in _LOCAL_HOSTS}
        state = self.storage_states.get(name, self.storage_states.get(None))
        if state is not None:
            options["storage_state"] = state
        if credentials := self.credentials or _credentials_in(url):
            username, password = credentials
            # Without an origin, the browser would send the password to every server that asks for one.
            options["http_credentials"] = {"username": username, "password": password, "origin": _origin(url)}
        if self.headers:
            options["extra_http_headers"] = dict(self.headers)
        return options


def parse_context_options(
    names: Sequence[str],
    *,
    storage_states: Iterable[str],
    ignore_https_errors: bool,
    credentials: str | None,
    headers: Iterable[str],
) -> ContextOptions:
    """Parse the options that the commands accept; ``names`` are the participants. Raises ConfigError."""
    return ContextOptions(
        storage_states=parse_storage_states(storage_states, names),
        ignore_https_errors=ignore_https_errors,
        credentials=parse_credentials(credentials),
        headers=parse_headers(headers),
    )


def without_credentials(url: str) -> str:
    """Return an address without any user name and password that it contains."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def _origin(url: str) -> str:
    """Return an address's origin in the form that browsers use."""
    parts = urlsplit(without_credentials(url))
    host = parts.netloc.lower().removesuffix({"https": ":443", "http": ":80"}[parts.scheme])
    with contextlib.suppress(UnicodeError):
        host = host.encode("idna").decode("ascii")
    return f"{parts.scheme}://{host}"


def _credentials_in(url: str) -> tuple[str, str] | None:
    parts = urlsplit(url)
    return None if parts.username is None else (unquote(parts.username), unquote(parts.password or ""))


def parse_storage_states(given: Iterable[str], names: Sequence[str]) -> dict[str | None, dict[str, Any]]:
    """Parse values of the form FILE or NAME=FILE.

    A FILE without a NAME applies to every participant who has no separate file.

    Raises ConfigError if a name is not one of ``names``, if a participant has two files, or if a file is not a storage
    state.
    """
    states: dict[str | None, dict[str, Any]] = {}
    for text in given:
        name, path = _split(text, names)
        if name in states:
            whose = "all participants" if name is None else name
            message = f"--storage-state: {text} is the second file for {whose}; give one file."
            raise ConfigError(message)
        states[name] = _read_storage_state(path)
    return states


def _split(text: str, names: Sequence[str]) -> tuple[str | None, Path]:
    """Return the participant and the file; the participant is None if the file applies to everybody."""
    if Path(text).is_file() or "=" not in text:
        return None, Path(text)
    # A name can contain an equals sign, so the longest name that matches is the right one.
    for name in sorted(names, key=len, reverse=True):
        if text.startswith(f"{name}="):
            return name, Path(text.removeprefix(f"{name}="))
    name = text.partition("=")[0]
    message = (
        f"--storage-state: {text} is neither a file nor NAME=FILE with the name of a participant; no participant is "
        f"called {name!r}. The participants are {', '.join(names)}."
    )
    raise ConfigError(message)


def _read_storage_state(path: Path) -> dict[str, Any]:
    remedy = "create one with Playwright's context.storage_state(path=...)"
    if not path.is_file():
        message = f"--storage-state: {path} is not a file; {remedy}."
        raise ConfigError(message)
    try:
        state = json.loads(read_text(path, "a storage state", _LARGEST_STORAGE_STATE))
    except ConfigError as error:
        message = f"--storage-state: {error}"
        raise ConfigError(message) from error
    except (ValueError, RecursionError) as error:
        message = f"--storage-state: {path} is not valid JSON ({error}); {remedy}."
        raise ConfigError(message) from error
    if not isinstance(state, dict) or not {"cookies", "origins"} & state.keys():
        message = f"--storage-state: {path} contains neither cookies nor local storage of a browser; {remedy}."
        raise ConfigError(message)
    # Playwright requires both cookies and origins.
    return {"cookies": [], "origins": [], **state}


def parse_credentials(given: str | None) -> tuple[str, str] | None:
    """Parse USER:PASSWORD. The password can contain colons. Raises ConfigError without showing the password."""
    if given is None:
        return None
    user, colon, password = given.partition(":")
    if not user or not colon:
        message = (
            "--http-credentials: the value is not valid; give USER:PASSWORD, preferably in the environment variable "
            "HARNESS_HTTP_CREDENTIALS."
        )
        raise ConfigError(message)
    return user, password


def parse_headers(given: Iterable[str]) -> dict[str, str]:
    """Parse headers that each consist of a name and a value separated by a colon.

    Raises ConfigError without showing a value, which might be secret.
    """
    headers: dict[str, str] = {}
    for number, text in enumerate(given, 1):
        name, colon, value = text.partition(":")
        name, value = name.strip(), value.strip()
        if not colon or not _HEADER_NAME.fullmatch(name) or _CONTROL.search(value):
            message = f"--header: header {number} is not valid; give 'NAME: VALUE', for example 'X-Test-Run: 42'."
            raise ConfigError(message)
        if name.lower() in (known.lower() for known in headers):
            message = f"--header: {name} is given twice; give it once, with all values separated by commas."
            raise ConfigError(message)
        headers[name] = value
    return headers
