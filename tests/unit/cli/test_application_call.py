"""record --url: what it refuses before anybody goes anywhere, in one line that says what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harness.cli.application_call import read_script, requested_call
from harness.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.parallel


def test_without_an_address_it_is_our_own_room() -> None:
    """Nothing asked, nothing to enter."""
    assert requested_call(None, None, None) is None


def test_a_script_without_an_address_is_refused(tmp_path: Path) -> None:
    """It would do nothing."""
    with pytest.raises(ConfigError, match="belong to --url"):
        requested_call(None, tmp_path / "join.py", None)


@pytest.mark.parametrize("url", ["localhost:8443", "ftp://example.org", "https://", "room"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    """Only pages of the web are opened."""
    with pytest.raises(ConfigError, match=r"--url: .* is not possible"):
        requested_call(url, None, None)


def test_a_state_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """With where one comes from."""
    with pytest.raises(ConfigError, match=r"storage_state\(path"):
        requested_call("https://localhost/", None, tmp_path / "state.json")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("x = 1\n", r"has no function join\(page, name\)"),
        ("join = 3\n", r"has no function join\(page, name\)"),
        ("1 / 0\n", r"join.py:1 failed: ZeroDivisionError: division by zero"),
        ("def join(page\n", r"failed: SyntaxError"),
    ],
)
def test_a_script_that_can_not_be_used_says_where(tmp_path: Path, text: str, says: str) -> None:
    """By file, line and reason, and without a traceback."""
    path = tmp_path / "join.py"
    path.write_text(text, encoding="utf-8")

    with pytest.raises(ConfigError, match=says):
        read_script(path)


def test_a_script_that_fails_says_for_whom(tmp_path: Path) -> None:
    """In the line that failed."""
    path = tmp_path / "join.py"
    path.write_text("def join(page, name):\n    name.nothing()\n", encoding="utf-8")

    with pytest.raises(ConfigError, match=r"join.py:2 failed for alice: AttributeError"):
        read_script(path)(None, "alice")  # type: ignore[arg-type] - it looks at the name alone
