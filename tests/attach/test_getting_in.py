"""An attached page can load the harness's code and reach its server, whatever the test or the application does."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING

import pytest

from harness import InvalidStateError, NotSupportedError, Participant, SetupError
from tests.support.application_calls import SMALL, meet, record_call
from tests.support.media.recording_file import write_recording
from tests.support.media.scene import Scene, participants
from tests.support.reports import check_recording
from tests.support.servers.application_site import APPLICATIONS, Site

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from playwright.sync_api import BrowserContext, Route, WebSocketRoute

    from harness import Room

    Enter = Callable[..., Participant]

# A proxy to which nothing can connect. Only requests to the application's site bypass it.
_DEAD_PROXY = "http://127.0.0.1:9"


def _join(alice: Participant, url: str) -> Participant:
    """Open a page that calls itself, and wait until the page is in the call."""
    alice.page.goto(url)
    alice.page.get_by_text("connected").wait_for()
    return alice


def _check_call(room: Room, alice: Participant) -> None:
    """Record for a while, and check the recording that the room saves when it closes."""
    alice.start_media_recording(recorder="local", record_config=SMALL)
    room.wait(seconds=1.5)
    alice.stop_media_recording()
    room.close()
    assert check_recording(room.recordings[0]).participant("alice").is_audible(0.3, 1.2)


def test_call_in_a_context_with_unusual_options_is_recorded(room: Room, site: Site) -> None:
    """Every request has the extra headers, credentials and user agent, including requests to the harness's server."""
    alice = room.enter(
        "alice",
        ignore_https_errors=True,
        extra_http_headers={"x-test-run": "42", "authorization": "Bearer 42"},
        http_credentials={"username": "alice", "password": "secret"},
        user_agent="Mozilla/5.0 (iPhone) Test/1.0",
        locale="ar-EG",
        service_workers="block",
        offline=False,
    )

    _check_call(room, _join(alice, f"{site.url}/alone.html"))


def test_video_file_is_played_in_a_context_with_extra_headers(room: Room, site: Site, tmp_path: Path) -> None:
    """Because of the extra headers, Chrome sends the harness's server a preflight request before loading the file."""
    clip = tmp_path / "clip.webm"
    write_recording(clip, Scene(participants=participants("alice")))
    alice = room.enter("alice", media=clip, ignore_https_errors=True, extra_http_headers={"x-test-run": "42"})

    _join(alice, f"{site.url}/alone.html")

    assert record_call(room, alice, seconds=1.5, recorder="local").duration > 1


def _abort_foreign(site: Site) -> Callable[[Route], None]:
    return lambda route: route.continue_() if route.request.url.startswith(site.url) else route.abort()


def test_call_is_recorded_while_the_test_aborts_requests_to_other_hosts(
    room: Room, new_context: Callable[..., BrowserContext], site: Site, tmp_path: Path
) -> None:
    """The harness is not affected by routes of the context or the page, whether added before or after attaching."""
    har = tmp_path / "nothing.har"
    har.write_text(json.dumps({"log": {"version": "1.2", "creator": {"name": "", "version": ""}, "entries": []}}))
    context = new_context(ignore_https_errors=True)
    context.route("**/*", _abort_foreign(site))
    page = context.new_page()
    page.route("**/*", _abort_foreign(site))
    alice = room.attach(page, "alice")
    page.route_from_har(har, not_found="abort")
    page.route("**/*", _abort_foreign(site))

    _check_call(room, _join(alice, f"{site.url}/alone.html"))


@pytest.mark.parametrize("first", ["route", "attach"])
def test_call_is_recorded_while_the_test_mocks_all_web_sockets(
    room: Room, new_context: Callable[..., BrowserContext], site: Site, first: str
) -> None:
    """If the mock was added before attaching, the harness opens its sockets in a worker, which has no mock."""
    mocked: list[str] = []

    def mock(socket: WebSocketRoute) -> None:
        mocked.append(socket.url)

    page = new_context(ignore_https_errors=True).new_page()
    if first == "route":
        page.context.route_web_socket("**", mock)
    alice = room.attach(page, "alice")
    if first == "attach":
        page.route_web_socket("**", mock)

    _check_call(room, _join(alice, f"{site.url}/alone.html"))

    assert [] == mocked


def test_call_in_a_page_with_a_service_worker_is_recorded(room: Room) -> None:
    """The application's service worker refuses requests to other hosts."""
    with Site(strict=False, tls=False) as site:
        alice = _join(room.enter("alice"), f"{site.url}/service-worker.html")

        _check_call(room, alice)


def test_call_in_a_page_patched_by_zone_js_is_recorded(room: Room, enter: Enter, site: Site) -> None:
    """Angular's zone.js replaces promises, timers and event listeners."""
    alice, bob = (enter(f"{site.url}/zone.html", name) for name in ("alice", "bob"))
    meet(room, alice, bob)

    report = check_recording(record_call(room, alice))

    assert report.participant("bob").is_audible(0.5, 2.5)
    assert "ZoneAwarePromise" == alice.page.evaluate("Promise.name")


def test_call_in_a_page_that_replaces_the_browsers_functions_is_recorded(room: Room, enter: Enter, site: Site) -> None:
    """The harness calls the browser's original functions, which it stores before the page's own scripts run."""
    alice = enter(f"{site.url}/patched.html", "alice")
    alice.page.get_by_text("connected").wait_for()

    _check_call(room, alice)


def test_call_is_recorded_while_the_pages_clock_stands_still(
    room: Room, new_context: Callable[..., BrowserContext], site: Site
) -> None:
    """Playwright's clock replaces the page's timers."""
    page = new_context(ignore_https_errors=True).new_page()
    alice = room.attach(page, "alice")
    page.clock.install(time="2030-01-01")
    _join(alice, f"{site.url}/alone.html")
    page.clock.pause_at("2030-01-02")

    _check_call(room, alice)


def _proxy(site: Site) -> dict[str, str]:
    return {"server": _DEAD_PROXY, "bypass": f"<-loopback>,{site.url.removeprefix('https://')}"}


def test_entered_page_reaches_the_server_past_a_proxy(room: Room, site: Site) -> None:
    """``Room.enter`` excludes only the harness's server from the proxy of the context."""
    alice = room.enter("alice", ignore_https_errors=True, proxy=_proxy(site))

    _check_call(room, _join(alice, f"{site.url}/alone.html"))


def _refusal(alice: Participant) -> str:
    with pytest.raises(NotSupportedError) as raised:
        alice.start_media_recording()
    message = str(raised.value)
    assert "\n" not in message
    return message


def test_page_behind_a_proxy_is_refused_with_the_remedy(
    room: Room, new_context: Callable[..., BrowserContext], site: Site
) -> None:
    """The test created the context, so only the test can change the proxy of the context."""
    page = new_context(ignore_https_errors=True, proxy=_proxy(site)).new_page()

    with pytest.raises(SetupError, match=r'bypass the browser.s proxy.*"bypass": "127.0.0.1"'):
        room.attach(page, "alice", media="own")


def test_page_that_is_offline_is_refused_with_the_remedy(enter: Enter, site: Site) -> None:
    """Chrome refuses connections from an offline context."""
    alice = enter(f"{site.url}/empty.html", "alice", media="own")
    alice.page.context.set_offline(True)

    assert "the browser context is offline" in _refusal(alice)


def test_page_without_java_script_is_refused_with_the_remedy(room: Room, site: Site) -> None:
    """If JavaScript is disabled in a context, not even the harness's own scripts run."""
    alice = room.enter("alice", ignore_https_errors=True, java_script_enabled=False)
    alice.page.goto(f"{site.url}/empty.html")

    assert "java_script_enabled=False" in _refusal(alice)


def test_frame_whose_security_policy_applies_is_refused_with_the_remedy(enter: Enter, site: Site) -> None:
    """``attach`` can't bypass the content security policy of a frame from another site."""
    alice = enter(f"{site.url}/frames/other-site.html", "alice", media="own")
    enter(f"{site.url}/simple-peer.html", "bob", media="own")
    alice.page.frame_locator("iframe").get_by_text("with 1").wait_for()

    message = _refusal(alice)

    assert "content security policy" in message
    assert "bypass_csp=True" in message


def test_call_in_a_sandboxed_frame_is_recorded(room: Room, site: Site) -> None:
    """The sandbox gives the frame an opaque origin, so the frame belongs to no site."""
    alice = room.enter("alice", ignore_https_errors=True)
    script = (APPLICATIONS / "alone.js").read_text(encoding="utf-8")
    for path, body in {
        "outer": '<iframe src="/inner.html" sandbox="allow-scripts" allow="camera; microphone"></iframe>',
        "inner": f'<body><script type="module">{script}</script></body>',
    }.items():
        alice.page.route(f"**/{path}.html", partial(_fulfill, body))
    alice.page.goto(f"{site.url}/outer.html")
    alice.page.frame_locator("iframe").get_by_text("connected").wait_for()

    _check_call(room, alice)


def _fulfill(body: str, route: Route) -> None:
    route.fulfill(body=body, content_type="text/html")


def test_sandboxed_frame_without_a_call_is_named(enter: Enter, site: Site) -> None:
    """The sandboxed frame can't load the modules of its own site, so the frame can't join a call."""
    alice = enter(f"{site.url}/frames/sandboxed.html", "alice")

    with pytest.raises(InvalidStateError, match=r"simple-peer\.html is sandboxed.*allow-same-origin"):
        alice.start_media_recording()
