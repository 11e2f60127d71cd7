"""``harness record --url`` refuses invalid options with a one-line error before it opens a page."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from harness.cli.application_call import ApplicationCall, read_script, requested_call
from harness.errors import ConfigError, StepTimeout

if TYPE_CHECKING:
    from pathlib import Path

    from harness import Room

pytestmark = pytest.mark.parallel


def test_record_without_an_address_uses_our_own_room() -> None:
    """Without --url, ``harness record`` records a call in the harness's own room, not another application's call."""
    assert requested_call(None, None, None) is None


def test_script_without_an_address_is_refused(tmp_path: Path) -> None:
    """A script without --url is refused, because it would have no effect."""
    with pytest.raises(ConfigError, match="require --url"):
        requested_call(None, tmp_path / "join.py", None)


@pytest.mark.parametrize("url", ["localhost:8443", "ftp://example.org", "https://", "room"])
def test_text_that_is_not_a_web_address_is_refused(url: str) -> None:
    """The value of --url must begin with http:// or https:// and contain a host."""
    with pytest.raises(ConfigError, match=r"--url: .* is not valid"):
        requested_call(url, None, None)


def test_missing_storage_state_is_refused(tmp_path: Path) -> None:
    """If the storage state file does not exist, the error explains how to create it."""
    with pytest.raises(ConfigError, match=r"storage_state\(path"):
        requested_call("https://localhost/", None, tmp_path / "state.json")


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


def test_failing_script_is_reported_with_the_participant(tmp_path: Path) -> None:
    """If a script fails for a participant, the error contains the participant's name and the line that failed."""
    path = tmp_path / "join.py"
    path.write_text("def join(page, name):\n    name.nothing()\n", encoding="utf-8")

    with pytest.raises(ConfigError, match=r"join.py:2 failed for alice: AttributeError"):
        # The page can be None, because this script does not use it.
        read_script(path)(cast("Any", None), "alice")


def test_incomplete_call_is_reported_with_the_participants_in_it() -> None:
    """The error for an incomplete call contains its address, the expected number of participants, and who joined."""
    url = "https://localhost:8443/room/1"
    page = SimpleNamespace(goto=lambda _: None)
    participants = [SimpleNamespace(name=name, others=["bob"], page=page) for name in ("alice", "bob", "carol")]

    def time_out(_: object, *, timeout: float, what: str) -> None:
        message = f"Timed out after {timeout:g} s waiting for {what}."
        raise StepTimeout(message)

    entering = iter(participants)
    room: Any = SimpleNamespace(participants=participants, enter=lambda *_, **__: next(entering), wait_for=time_out)

    with pytest.raises(StepTimeout) as raised:
        ApplicationCall(url, None, None).enter(cast("Room", room), ("alice", "bob", "carol"), "synthetic")

    expected = f"Timed out after 60 s waiting for 3 participants in one call at {url}; found 2 (alice, bob)."
    assert expected == str(raised.value)
