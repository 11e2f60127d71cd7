"""An attached page from the internet can reach the harness's server on this machine, but not the local network."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect

from harness import (
    NotSupportedError,
    Participant,
)
from harness.browser.pages.application_page import ApplicationPage
from tests.support.application_calls import record_call
from tests.support.reports import check_recording
from tests.support.servers.application_site import APPLICATIONS

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import BrowserContext, Page, Route

    from harness import Room
    from tests.support.servers.application_site import Site

    Enter = Callable[..., Participant]


_PERMISSION_STATE = "async (name) => (await navigator.permissions.query({ name })).state"


# The responses of the simulated internet sites, keyed by path.
_RESPONSES = {
    "/": '<!doctype html><script src="/alone.js" type="module"></script><script>window.lax = true</script>',
    "/embeds": '<!doctype html><iframe src="https://call.example/" allow="camera; microphone"></iframe>',
    "/alone.js": (APPLICATIONS / "alone.js").read_text(encoding="utf-8"),
}


def _serve_internet_sites(context: BrowserContext) -> None:
    """Simulate the site app.localhost and all sites under .example, with a content security policy."""

    def answer(route: Route) -> None:
        path = urlsplit(route.request.url).path
        kind = "text/javascript" if path.endswith(".js") else "text/html"
        rules = {"Content-Security-Policy": "script-src 'self'"}
        route.fulfill(body=_RESPONSES[path], content_type=kind, headers=rules)

    for sites in ("https://*.example/**", "https://app.localhost/**"):
        context.route(sites, answer)


@pytest.mark.parametrize(
    "granted", ["origin", *(pytest.param(one, marks=pytest.mark.thorough) for one in ("nothing", "everywhere"))]
)
def test_internet_page_reaches_only_this_machine(room: Room, page: Page, granted: str) -> None:
    """Only the attached site may access this machine, whatever other permissions the page's owner grants."""
    context = page.context
    _serve_internet_sites(context)
    alice = room.attach(page, "alice")
    if granted != "nothing":
        context.grant_permissions(["camera"], origin="https://app.example" if granted == "origin" else None)
    page.goto("https://app.example/")
    page.get_by_text("connected").wait_for()
    other = context.new_page()
    other.goto("https://other.example/")

    report = check_recording(record_call(room, alice, seconds=2.0, recorder="local"))

    assert report.participant("alice").is_audible(0.5, 1.5)
    assert page.evaluate(_PERMISSION_STATE, "loopback-network") == "granted"
    assert page.evaluate(_PERMISSION_STATE, "local-network") != "granted"
    assert other.evaluate(_PERMISSION_STATE, "loopback-network") != "granted"


@pytest.mark.thorough
def test_internet_page_is_recorded_after_its_owner_grants_another_permission(room: Room, page: Page) -> None:
    """Granting another permission revokes the page's access to this machine, and the next recording restores it."""
    _serve_internet_sites(page.context)
    alice = room.attach(page, "alice")
    page.goto("https://app.example/")
    page.get_by_text("connected").wait_for()
    page.context.grant_permissions(["camera"], origin="https://app.example")
    assert page.evaluate(_PERMISSION_STATE, "loopback-network") == "denied"

    check_recording(record_call(room, alice, seconds=2.0, recorder="local"))


@pytest.mark.thorough
def test_page_with_a_local_name_reaches_this_machine(room: Room, page: Page) -> None:
    """A page on app.localhost can be recorded, even if the test itself answers the page's requests."""
    _serve_internet_sites(page.context)
    alice = room.attach(page, "alice")
    page.goto("https://app.localhost/")
    page.get_by_text("connected").wait_for()

    check_recording(record_call(room, alice, seconds=2.0, recorder="local"))


def test_call_in_an_internet_frame_reaches_this_machine(room: Room) -> None:
    """A frame uses the permission of the page that contains it, even if that page belongs to another site."""
    alice = room.enter("alice")
    _serve_internet_sites(alice.page.context)
    alice.page.goto("https://app.example/embeds")
    alice.page.frame_locator("iframe").get_by_text("connected").wait_for()

    check_recording(record_call(room, alice, seconds=2.0, recorder="local"))


@pytest.mark.thorough
def test_page_waits_for_its_permission_while_python_is_busy(room: Room, page: Page) -> None:
    """The page does not open its camera until Python has granted the permission to access this machine."""
    _serve_internet_sites(page.context)
    alice = room.attach(page, "alice")
    page.goto("https://app.example/", wait_until="commit")

    threading.Event().wait(2)
    page.get_by_text("connected").wait_for()

    check_recording(record_call(room, alice, seconds=2.0, recorder="local"))


# JavaScript that looks for four traces of the harness in the page, and checks whether the page's content security
# policy is bypassed.
_TRACES = """() => [
  Symbol.for('recording-harness') in window,
  ...['harnessEvent', 'harnessMayReach', 'harnessActivate', 'lax'].map((name) => name in window),
]"""


def test_released_page_contains_no_trace_of_the_harness(room: Room, page: Page) -> None:
    """The call continues.

    After a reload, Chrome enforces the security policy, and only permissions granted by the owner remain.
    """
    _serve_internet_sites(page.context)
    alice = room.attach(page, "alice")
    page.context.grant_permissions(["camera", "microphone"])
    page.goto("https://app.example/")
    page.get_by_text("connected").wait_for()
    assert [True] * 5 == page.evaluate(_TRACES)

    room.close()
    page.evaluate("console.log('afterwards')")
    lines = [line.text for line in alice.console]

    expect(page.get_by_text("connected")).to_be_visible()
    for address in ("https://app.example/", "https://other.example/"):
        page.goto(address)
        assert [False] * 5 == page.evaluate(_TRACES)
        assert page.evaluate(_PERMISSION_STATE, "loopback-network") != "granted"
        assert page.evaluate(_PERMISSION_STATE, "camera") == "granted"
    assert "afterwards" not in lines


def test_page_over_plain_http_is_refused_with_the_reason(room: Room, page: Page) -> None:
    """On pages loaded over plain HTTP, Chrome does not provide the APIs that recording requires."""
    alice = room.attach(page, "alice")
    alice.page.route("http://application.test/", lambda route: route.fulfill(body="<h1>An application</h1>"))
    alice.page.goto("http://application.test/")

    with pytest.raises(NotSupportedError, match="https or from localhost"):
        alice.start_media_recording()


def test_page_that_cannot_reach_the_server_is_refused_with_the_remedy(
    room: Room, new_context: Callable[..., BrowserContext], site: Site
) -> None:
    """The error gives both possible reasons, namely that Chrome blocks local connections or that no server answers."""
    server = room._server
    script = server.attach(room.name, "alice", "synthetic").replace(server.url, "http://127.0.0.1:9")
    page = ApplicationPage(new_context(ignore_https_errors=True).new_page(), server.url, script)
    page.page.goto(f"{site.url}/empty.html")

    with pytest.raises(NotSupportedError, match="can't reach the harness's server"):
        page.call("getParticipants")
