"""``harness record --url`` refuses invalid options with a one-line error before it opens a page."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from harness.cli.application_call import ApplicationCall, parse_expected, read_script, requested_call
from harness.cli.context_options import ContextOptions
from harness.errors import ConfigError, InvalidStateError, StepTimeout

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness import Room
    from harness.recording.config import Recorder

pytestmark = pytest.mark.parallel


def test_record_without_an_address_uses_our_own_room() -> None:
    """Without --url, ``harness record`` records a call in the harness's own room, not another application's call."""
    assert requested_call(None) is None


@pytest.mark.parametrize(
    "given",
    [
        {"script": Path("join.py")},
        {"options": ContextOptions(ignore_https_errors=True)},
        {"options": ContextOptions(headers={"X-Test": "1"})},
        {"expected": ()},
    ],
)
def test_options_of_an_application_without_an_address_are_refused(given: dict[str, Any]) -> None:
    """Without --url, a script and the other options for applications are refused, because they would have no effect."""
    with pytest.raises(ConfigError, match="require --url"):
        requested_call(None, **given)


@pytest.mark.parametrize("url", ["localhost:8443", "ftp://example.org", "https://", "room"])
def test_text_that_is_not_a_web_address_is_refused(url: str) -> None:
    """The value of --url must begin with http:// or https:// and contain a host."""
    with pytest.raises(ConfigError, match=r"--url: .* is not valid"):
        requested_call(url)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (None, None),
        ("none", ()),
        ("bob", ("bob",)),
        ("alice, unidentified 1,alice", ("alice", "unidentified 1")),
        ("Smith, John", ("Smith, John",)),
    ],
)
def test_expected_participants_are_separated_by_commas(given: str | None, expected: tuple[str, ...] | None) -> None:
    """The name of a participant may contain a comma."""
    assert expected == parse_expected(given, ("alice", "bob", "Smith, John"))


@pytest.mark.parametrize("given", ["", "alice,", ","])
def test_empty_names_are_not_expected(given: str) -> None:
    """The error for an empty name contains the option and an example."""
    with pytest.raises(ConfigError, match=r"--expect: .* is not valid; give names separated by commas"):
        parse_expected(given, ("alice",))


@pytest.mark.parametrize(
    ("expected", "media", "recorder", "names"),
    [
        (None, "synthetic", "all", ("alice", "bob")),
        (None, "camera", "all", ("alice",)),
        (None, Path("call.webm"), "all", ("alice",)),
        (None, "synthetic", "local", ("alice",)),
        ((), "synthetic", "all", ()),
        (("bob",), "camera", "all", ("bob",)),
    ],
)
def test_participants_who_can_be_identified_are_expected(
    expected: tuple[str, ...] | None, media: str | Path, recorder: Recorder, names: tuple[str, ...]
) -> None:
    """By default, every participant who is in the recording and can be identified is expected."""
    call = ApplicationCall(url="https://localhost/", expected=expected)

    assert names == call.expected_participants(("alice", "bob"), media, recorder)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("x = 1\n", r"has no function join\(page, name\)"),
        ("join = 3\n", r"has no function join\(page, name\)"),
        ("1 / 0\n", r"join.py:1 failed: ZeroDivisionError: division by zero"),
        ("def join(page\n", r"failed: SyntaxError"),
    ],
)
def test_unusable_script_is_refused_with_its_line(tmp_path: Path, text: str, reason: str) -> None:
    """The error for an invalid script contains its file name, the line and the reason, but no traceback."""
    path = tmp_path / "join.py"
    path.write_text(text, encoding="utf-8")

    with pytest.raises(ConfigError, match=reason):
        read_script(path)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "latin-1"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"], ids=["LF", "CRLF"])
def test_any_editor_can_save_a_script(tmp_path: Path, encoding: str, line_end: str) -> None:
    """UTF-8 and UTF-16 with a byte order mark are accepted, and a comment can name any other encoding."""
    path = tmp_path / "join.py"
    text = "# coding: latin-1\n" if encoding == "latin-1" else ""
    text += 'def join(page, name):\n    page.append(f"é{name}")\n'
    path.write_bytes(text.replace("\n", line_end).encode(encoding))
    # The script uses this list instead of a page.
    joined: list[str] = []

    read_script(path)(cast("Any", joined), "alice")

    assert ["éalice"] == joined


def test_failing_script_is_reported_with_the_participant(tmp_path: Path) -> None:
    """If a script fails for a participant, the error contains the participant's name and the line that failed."""
    path = tmp_path / "join.py"
    path.write_text("def join(page, name):\n    name.nothing()\n", encoding="utf-8")

    with pytest.raises(ConfigError, match=r"join.py:2 failed for alice: AttributeError"):
        # The page can be None, because this script does not use it.
        read_script(path)(cast("Any", None), "alice")


URL = "https://tester:secret@localhost:8443/room/1"
CALL = "call at https://localhost:8443/room/1"
SCRIPT = "If joining requires clicks or a form, give a --script that performs these steps."
CERTIFICATE = (
    "Chrome rejected a server's certificate (net::ERR_CERT_AUTHORITY_INVALID). Use --ignore-https-errors to accept the "
    "certificate if you trust the server."
)


class FakeRoom:
    """A room whose first participant's page reports the given other participants, and whose waits never end."""

    def __init__(self, *others: str, console: str = "") -> None:
        self.participants: list[Any] = []
        self._others = others
        self._console = [SimpleNamespace(text=console)]

    def enter(self, name: str, **_: Any) -> Any:
        """Return a participant whose page can open any address, but never receives a response."""
        page = SimpleNamespace(on=lambda *_: None, remove_listener=lambda *_: None, goto=lambda *_, **__: None)
        self.participants.append(
            SimpleNamespace(name=name, others=[*self._others], page=page, console=self._console, alive=True)
        )
        return self.participants[-1]

    def wait_for(self, condition: Callable[[], object], *, timeout: float, what: str = "the condition") -> None:
        """Check the condition a few times, without waiting."""
        if not any(condition() for _ in range(3)):
            message = f"Timed out after {timeout:g} s waiting for {what}."
            raise StepTimeout(message)


def enter(room: FakeRoom, expected: tuple[str, ...] | None = None) -> None:
    """Let three participants join."""
    ApplicationCall(url=URL, expected=expected).enter(cast("Room", room), ("alice", "bob", "carol"), "synthetic")


@pytest.mark.parametrize(
    ("room", "expected", "message"),
    [
        (FakeRoom("bob"), None, f"3 participants in one {CALL}; found 2 (alice, bob); not found: carol. {SCRIPT}"),
        (
            FakeRoom("unidentified 1", "bob"),
            ("alice", "bob", "carol"),
            f"alice, bob, carol in one {CALL}; found 3 (alice, unidentified 1, bob); not found: carol. {SCRIPT}",
        ),
        (
            FakeRoom(console="WebSocket connection failed: net::ERR_CERT_AUTHORITY_INVALID"),
            None,
            f"3 participants in one {CALL}; found 1 (alice); not found: bob, carol. {CERTIFICATE}",
        ),
    ],
)
def test_incomplete_call_is_reported_with_the_missing_participants(
    room: FakeRoom, expected: tuple[str, ...] | None, message: str
) -> None:
    """The error names the address, the participants in the call, the missing participants and the remedy."""
    with pytest.raises(StepTimeout) as raised:
        enter(room, expected)

    assert f"Timed out after 60 s waiting for {message}" == str(raised.value)


@pytest.mark.parametrize("expected", [(), ("alice",), ("bob",), ("alice", "bob")])
def test_only_expected_participants_are_awaited(expected: tuple[str, ...]) -> None:
    """If the user specifies the expected participants, the recording does not wait for any others."""
    enter(FakeRoom("bob"), expected)


def test_unidentified_participants_are_reported_before_the_recording(capsys: pytest.CaptureFixture[str]) -> None:
    """If enough participants are in the call but some are unidentified, the recording starts with a warning."""
    enter(FakeRoom("bob", "unidentified 1"))

    assert "harness: carol could not be identified in the call" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("tries", "reason"), [(3, None), (4, f"Timed out after 60 s waiting for alice's page to join a {CALL}.")]
)
def test_recording_starts_as_soon_as_the_page_is_in_a_call(tries: int, reason: str | None) -> None:
    """A single participant waits for no others, but must wait until the page has joined the call."""
    room = FakeRoom()
    room.enter("alice")
    started: list[int] = []

    def start() -> None:
        started.append(1)
        if len(started) < tries:
            message = "This page is not in a call."
            raise InvalidStateError(message)

    with pytest.raises(StepTimeout, match=re.escape(reason)) if reason else contextlib.nullcontext():
        ApplicationCall(url=URL).start(cast("Room", room), start)

    assert 3 == len(started)
