"""A server that other machines can reach uses HTTPS and a join code, and refuses invalid options."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import trustme
from playwright.sync_api import expect

from harness.server.access.network import is_loopback, names_of
from tests.support.page_actions import button, join, wait_until_recorded
from tests.support.program import run_harness, running_harness
from tests.support.reports import check_recording

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from playwright.sync_api import BrowserContext

pytestmark = pytest.mark.parallel

CODE = "correct horse"


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """Return the paths of a certificate for this machine and of its private key."""
    issued = trustme.CA().issue_cert("127.0.0.1", "localhost")
    issued.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    issued.private_key_pem.write_to_path(tmp_path / "key.pem")
    return tmp_path / "cert.pem", tmp_path / "key.pem"


def test_a_room_is_served_by_https_with_a_code(
    certificate: tuple[Path, Path], new_context: Callable[..., BrowserContext], tmp_path: Path
) -> None:
    """A wrong code is refused with an error, and a participant with the correct code can record as usual."""
    cert, key = certificate
    arguments = ("--port", "0", "--cert", str(cert), "--key", str(key), "--code", CODE)
    with running_harness("serve", *arguments, folder=tmp_path) as process:
        assert process.stderr is not None
        url = next(line for line in process.stderr if "The room is at" in line).split()[-1]
        assert url.startswith("https://127.0.0.1:")
        page = new_context(ignore_https_errors=True).new_page()
        page.goto(url)
        page.get_by_label("Your name").fill("Alice")
        page.get_by_label("Synthetic video and audio").check()
        page.get_by_label("Code", exact=True).fill("wrong horse")
        button(page, "Join").click()
        expect(page.get_by_text("code")).not_to_have_count(0)
        expect(button(page, "Leave")).not_to_be_visible()

        page.get_by_label("Code", exact=True).fill(CODE)
        join(page, "Alice")
        page.get_by_label("File name").fill("far")
        button(page, "Start").click()
        wait_until_recorded(page, seconds=2)
        button(page, "Stop").click()
        expect(button(page, "Download")).to_be_enabled()
        published = tmp_path / "recordings" / "far.webm"
        expect(page.get_by_role("region", name="Recordings in this room").get_by_text("360p")).to_be_visible()

    check_recording(published)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--host", "0.0.0.0"), "0.0.0.0 is reached from other machines, which needs TLS"),  # noqa: S104 - refused
        (("--host", "127.0.0.1:8080"), "'127.0.0.1:8080' is not an address: it has a port"),
        (("--host", "http://localhost"), "'http://localhost' is not an address: it has a scheme"),
        (("--key", "key.pem"), "key.pem has no effect without --cert"),
        (("--cert", "nowhere.pem"), "nowhere.pem does not exist"),
        (("--cert", "scenario.toml"), "scenario.toml is not a valid certificate with a private key"),
        (("--code", "1234"), "a code of 4 characters is too easy to guess"),
        (("--code", "x" * 129), "invalid code; use at most 128"),
        (("--code", "12345678\x1b[31m"), "invalid code"),
        (("--cert", "."), "--cert: . is not a file"),
        (("--view-code", "12345678"), "without --code, everybody can join"),
        (("--code", "12345678", "--view-code", "1234"), "--view-code: a code of 4 characters is too easy to guess"),
        (("--code", "12345678", "--view-code", "12345678"), "this is the join code"),
        (("--code", "ABCD-EFGH", "--view-code", "abcd-efgh"), "this is the join code"),
        (("--origin", "rooms.example.com"), "'rooms.example.com' is not the address of a server"),
        (("--origin", "https://rooms.example.com/x"), "is not the address of a server"),
        (("--limit", "people=3"), "'people' is not a limit; choose from signal-message"),
        (("--limit", "rooms=many"), "rooms must be a whole number greater than 0"),
        (("--limit", "rooms=-1"), "rooms must be a whole number greater than 0"),
        (("--limit", f"rooms={'9' * 400}"), "rooms must be a whole number greater than 0"),
        (("--limit", "idle=0"), "idle must be a number greater than 0"),
    ],
)
def test_invalid_options_are_refused(arguments: tuple[str, ...], message: str, tmp_path: Path) -> None:
    """If an option is invalid, the command exits with a one-line error before the server starts to listen."""
    (tmp_path / "scenario.toml").write_text("steps = []")

    ran = run_harness("serve", "--port", "0", *arguments, folder=tmp_path)

    assert ran.returncode == 2, ran.stderr
    assert message in ran.stderr
    assert ran.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        *((host, True) for host in ("127.0.0.1", "127.8.8.8", "::1", "localhost")),
        *((host, False) for host in ("0.0.0.0", "::", "192.0.2.1", "rooms.example.com", "")),  # noqa: S104 - a name
    ],
)
def test_loopback_addresses_are_recognized(host: str, *, loopback: bool) -> None:
    """Only loopback addresses count as unreachable from other machines."""
    assert is_loopback(host) == loopback


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", ["127.0.0.1", "localhost"]),
        ("::1", ["[::1]", "localhost"]),
        ("192.0.2.1", ["192.0.2.1"]),
        ("0.0.0.0", ["127.0.0.1", "localhost"]),  # noqa: S104 - nothing listens
    ],
)
def test_server_accepts_the_names_of_its_address(host: str, expected: list[str]) -> None:
    """A server accepts every host name that can appear in the URL of its page."""
    assert set(expected) <= set(names_of(host))
