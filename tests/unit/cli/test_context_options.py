"""``harness record --url`` checks the options for an application's pages before it starts a browser."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from harness.cli.context_options import (
    ContextOptions,
    parse_credentials,
    parse_headers,
    parse_storage_states,
    without_credentials,
)
from harness.cli.main import app
from harness.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.parallel

NAMES = ("alice", "bob")
URL = "https://staging.example:8443/room/1"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the current folder, which contains several storage states. A cookie in each one contains its file name."""
    monkeypatch.chdir(tmp_path)
    for name in ("all.json", "a.json", "b=2.json", "alice=odd.json"):
        (tmp_path / name).write_text(json.dumps({"cookies": [{"name": name}], "origins": []}))
    return tmp_path


def login(options: ContextOptions, name: str) -> str | None:
    """Return the name of the storage state with which a participant opens the application."""
    state = options.for_participant(name, URL).get("storage_state")
    return state["cookies"][0]["name"] if state else None


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("given", "logins"),
    [
        ([], [None, None]),
        (["all.json"], ["all.json", "all.json"]),
        (["alice=a.json"], ["a.json", None]),
        (["alice=a.json", "bob=b=2.json"], ["a.json", "b=2.json"]),
        (["all.json", "bob=b=2.json"], ["all.json", "b=2.json"]),
        # Files whose names contain an equals sign.
        (["b=2.json"], ["b=2.json", "b=2.json"]),
        (["alice=odd.json"], ["alice=odd.json", "alice=odd.json"]),
        (["alice=alice=odd.json"], ["alice=odd.json", None]),
    ],
)
def test_every_participant_has_their_own_login(given: list[str], logins: list[str | None]) -> None:
    """A storage state applies to all participants, or to one participant if the option contains a name."""
    options = ContextOptions(storage_states=parse_storage_states(given, NAMES))

    assert logins == [login(options, name) for name in NAMES]


@pytest.mark.usefixtures("folder")
def test_names_may_contain_equals_signs() -> None:
    """If several participants' names match the option, the longest name is used."""
    options = ContextOptions(storage_states=parse_storage_states(["a=b=a.json"], ("a", "a=b")))

    assert [None, "a.json"] == [login(options, name) for name in ("a", "a=b")]


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (["carol=a.json"], "no participant is called 'carol'. The participants are alice, bob."),
        (["missing.json"], r"missing.json is not a file; create one with Playwright's context.storage_state\(path"),
        (["bob=missing.json"], "missing.json is not a file"),
        (["broken.json"], "broken.json is not valid JSON"),
        (["binary.json"], "binary.json:1 is not valid UTF-16-LE"),
        (["list.json"], "list.json contains neither cookies nor local storage"),
        (["other.json"], "other.json contains neither cookies nor local storage"),
        (["all.json", "a.json"], "a.json is the second file for all participants; give one file."),
        (["bob=all.json", "bob=a.json"], "bob=a.json is the second file for bob; give one file."),
    ],
)
def test_unusable_storage_state_is_refused(folder: Path, given: list[str], reason: str) -> None:
    """The error names the option, then the file or the participant, and states what to specify instead."""
    (folder / "broken.json").write_text('{"cookies": [')
    (folder / "binary.json").write_bytes(b"\xff\xfe\x00")
    (folder / "list.json").write_text("[]")
    (folder / "other.json").write_text('{"name": "package"}')

    with pytest.raises(ConfigError, match=rf"--storage-state: .*{reason}") as raised:
        parse_storage_states(given, NAMES)

    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_storage_state_with_a_byte_order_mark_is_read(folder: Path, encoding: str) -> None:
    """PowerShell writes JSON with a byte order mark."""
    (folder / "marked.json").write_bytes(json.dumps({"cookies": [{"name": "marked"}]}).encode(encoding))

    options = ContextOptions(storage_states=parse_storage_states(["marked.json"], NAMES))

    assert "marked" == login(options, "alice")


@pytest.mark.parametrize(
    ("url", "ignored", "accepted"),
    [(URL, False, False), (URL, True, True), ("https://localhost:8443/", False, True)],
)
def test_invalid_certificates_are_accepted_on_request(url: str, *, ignored: bool, accepted: bool) -> None:
    """Certificates of localhost are always accepted, because they are usually self-signed."""
    options = ContextOptions(ignore_https_errors=ignored).for_participant("alice", url)

    assert accepted is options["ignore_https_errors"]


@pytest.mark.parametrize(
    ("url", "given", "expected"),
    [
        (URL, "tester:a:b", ("tester", "a:b", "https://staging.example:8443")),
        ("https://Staging.example:443/x", "tester:", ("tester", "", "https://staging.example")),
        ("http://bücher.example/", "tester:x", ("tester", "x", "http://xn--bcher-kva.example")),
        ("https://tester:a%3Ab@staging.example/", None, ("tester", "a:b", "https://staging.example")),
    ],
)
def test_password_is_sent_only_to_the_server_of_the_address(
    url: str, given: str | None, expected: tuple[str, str, str]
) -> None:
    """The browser sends the password only to the origin of the address, however the user specifies the password."""
    options = ContextOptions(credentials=parse_credentials(given)).for_participant("alice", url)

    username, password, origin = expected
    credentials: dict[str, Any] = {"username": username, "password": password, "origin": origin}
    assert credentials == options["http_credentials"]


@pytest.mark.parametrize("given", ["", "tester", ":secret"])
def test_incomplete_credentials_are_refused_without_showing_them(given: str) -> None:
    """The message does not contain the option's value, because the value may be a password."""
    with pytest.raises(ConfigError, match="give USER:PASSWORD, preferably in the environment variable") as raised:
        parse_credentials(given)

    assert "secret" not in str(raised.value)


def test_password_in_the_address_is_not_shown() -> None:
    """Messages show an address without its user name and password."""
    assert "https://staging.example:8443/room" == without_credentials("https://a:b@staging.example:8443/room")


def test_headers_in_the_environment_can_come_from_a_file_with_a_byte_order_mark() -> None:
    """The first of two headers is accepted, although the text of the file begins with a byte order mark."""
    headers = "\ufeffX-Test-Run: 42\r\nnot a header\r\n"

    ran = CliRunner().invoke(app, ["record", "--url", URL], env={"HARNESS_HEADER": headers})

    assert "--header: header 2 is not valid" in str(ran.exception)


def test_headers_are_passed_to_the_browser() -> None:
    """The value of a header may contain colons and spaces."""
    headers = parse_headers(["X-Test-Run: 42", "Authorization: Bearer a:b c", "X-Empty:"])

    options = ContextOptions(headers=headers).for_participant("alice", URL)

    assert {"X-Test-Run": "42", "Authorization": "Bearer a:b c", "X-Empty": ""} == options["extra_http_headers"]


@pytest.mark.parametrize("given", ["X-Test", "X Test: 1", ": 1", "X-Test: a\nX-Other: secret"])
def test_invalid_header_is_refused_without_showing_its_value(given: str) -> None:
    """The message contains only the header's position, because the header's value may be secret."""
    with pytest.raises(ConfigError, match="--header: header 2 is not valid; give 'NAME: VALUE'") as raised:
        parse_headers(["X-First: 1", given])

    assert "secret" not in str(raised.value)


def test_header_given_twice_is_refused() -> None:
    """Header names are compared case-insensitively, as in HTTP."""
    with pytest.raises(ConfigError, match="--header: x-test is given twice"):
        parse_headers(["X-Test: 1", "x-test: 2"])
