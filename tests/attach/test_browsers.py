"""Record calls in browsers that the harness did not launch, so they have none of its command-line switches."""

from __future__ import annotations

import contextlib
import json
import subprocess
import threading
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import ProxyHandler, build_opener

import pytest

from harness import RecordingError, SetupError
from harness.browser.chrome import launch_options
from harness.browser.locate import locate
from tests.support.application_calls import SMALL, meet, record_call
from tests.support.reports import check_recording
from tests.support.servers.application_site import APPLICATIONS, NODE_MODULES, Site

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from playwright.sync_api import BrowserContext, BrowserType, Route

    from harness import Participant, Room

LAUNCHES = ("plain", "persistent", "cdp")


@pytest.fixture(scope="module")
def plain_site() -> Iterator[Site]:
    """Serve applications without the security headers that would isolate their pages."""
    if not (NODE_MODULES / "simple-peer").is_dir():
        pytest.skip("The libraries of the applications are not installed; run make setup-dev.")
    with Site(strict=False, tls=False) as site:
        yield site


@pytest.fixture(params=LAUNCHES)
def foreign_context(
    request: pytest.FixtureRequest, browser_type: BrowserType, browser_type_launch_args: dict[str, Any], tmp_path: Path
) -> Iterator[BrowserContext]:
    """Return a context in a browser that was not started the way the harness starts browsers.

    The profile is set up like a user's: it has its own download folder, and Chrome asks where to save each file.
    """
    options = {**browser_type_launch_args, "args": []}
    profile = tmp_path / "profile"
    (profile / "Default").mkdir(parents=True)
    downloads = {"default_directory": str(tmp_path / "downloads"), "prompt_for_download": True}
    (profile / "Default" / "Preferences").write_text(json.dumps({"download": downloads}), encoding="utf-8")
    if request.param == "plain":
        browser = browser_type.launch(**options)
        yield browser.new_context()
        browser.close()
    elif request.param == "persistent":
        context = browser_type.launch_persistent_context(profile, **options)
        yield context
        context.close()
    else:
        with started_chrome(profile) as (address, _):
            browser = browser_type.connect_over_cdp(address)
            yield browser.contexts[0]
            browser.close()


@contextlib.contextmanager
def started_chrome(profile: Path, *switches: str) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Start Chrome as a user does, without Playwright; yield the address of its debugging port, and its process."""
    found = locate()
    command = [str(found.executable), "--headless=new", "--remote-debugging-port=0", f"--user-data-dir={profile}"]
    if not launch_options(found)["chromium_sandbox"]:
        command.append("--no-sandbox")
    with subprocess.Popen(
        [*command, *switches, "about:blank"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            yield f"http://127.0.0.1:{_debugging_port(profile, process)}", process
        finally:
            process.terminate()


def _debugging_port(profile: Path, process: subprocess.Popen[bytes], seconds: float = 30) -> int:
    """Wait until Chrome has written its port into its profile and has opened its first page; return the port."""
    end = time.monotonic() + seconds
    file = profile / "DevToolsActivePort"
    port = 0
    while not (port and _has_page(port)):
        assert process.poll() is None, "Chrome has ended."
        assert time.monotonic() < end, "Chrome has opened no page."
        threading.Event().wait(0.05)
        if file.is_file() and "\n" in (text := file.read_text(encoding="utf-8")):
            port = int(text.split()[0])
    return port


def _has_page(port: int) -> bool:
    # The proxies that the environment specifies are not used.
    with build_opener(ProxyHandler({})).open(f"http://127.0.0.1:{port}/json/list") as answer:
        return any(target["type"] == "page" for target in json.load(answer))


@pytest.fixture
def join(room: Room, foreign_context: BrowserContext, plain_site: Site) -> Callable[[str], Participant]:
    """Return a function that attaches a participant's page in ``foreign_context`` and joins a call."""
    return lambda name: _join(room, foreign_context, plain_site, name)


def _join(room: Room, context: BrowserContext, site: Site, name: str) -> Participant:
    page = context.new_page()
    participant = room.attach(page, name)
    page.goto(f"{site.url}/simple-peer.html")
    return participant


def test_call_is_recorded_and_downloaded_twice(room: Room, join: Callable[[str], Participant]) -> None:
    """Without the harness's switches, the page uses fallbacks, and the manifest names them."""
    alice, bob = join("alice"), join("bob")
    meet(room, alice, bob)

    recording = record_call(room, alice)
    again = alice.download_media_recording()

    report = check_recording(recording)
    for name in ("alice", "bob"):
        assert report.participant(name).is_audible(0.5, 2.5)
    assert recording.path != again.path
    assert recording.sha256 == again.sha256
    manifest = json.loads(recording.manifest.read_text(encoding="utf-8"))
    # Audio requires a user action only if Playwright has not yet evaluated a script in the page.
    assert ["shared-memory", "gc"] == [one for one in manifest["fallbacks"] if one != "user-activation"]


def test_virtual_microphone_starts_on_a_page_that_nobody_has_clicked(
    room: Room, browser_type: BrowserType, browser_type_launch_args: dict[str, Any], plain_site: Site
) -> None:
    """Chrome plays no audio before the user interacts with the page, so Python simulates a user action."""
    script = """
        const isActive = () => navigator.userActivation.hasBeenActive;
        const before = isActive();
        navigator.mediaDevices.getUserMedia({ audio: true }).then(() => console.log([before, isActive()]));
    """
    browser = browser_type.launch(**{**browser_type_launch_args, "args": []})
    page = browser.new_page()
    alice = room.attach(page, "alice")
    page.add_init_script(script)

    # If the test evaluated a script, Chrome would also count that as a user action.
    page.goto(f"{plain_site.url}/empty.html", wait_until="commit")

    def states() -> list[str]:
        return [line.text for line in alice.console if line.kind == "log"]

    room.wait_for(states, what="the virtual microphone")
    assert ["[false, true]"] == states()
    browser.close()


def test_internet_page_reaches_this_machine(room: Room, foreign_context: BrowserContext) -> None:
    """A page may access this machine even in the browser's default context, which has no Playwright options."""
    answers = {"/": "text/html", "/alone.js": "text/javascript"}

    def answer(route: Route) -> None:
        path = urlsplit(route.request.url).path
        body = '<!doctype html><script src="/alone.js" type="module"></script>'
        if path != "/":
            body = (APPLICATIONS / path.removeprefix("/")).read_text(encoding="utf-8")
        route.fulfill(body=body, content_type=answers[path])

    foreign_context.route("https://app.example/**", answer)
    page = foreign_context.new_page()
    alice = room.attach(page, "alice")
    page.goto("https://app.example/")
    page.get_by_text("connected").wait_for()

    report = check_recording(record_call(room, alice, seconds=2.0, recorder="local"))

    assert report.participant("alice").is_audible(0.5, 1.5)


@pytest.mark.parametrize(
    ("switches", "reason"),
    [
        # The browser can't reach this machine's loopback address, as if the browser ran on another machine.
        (["--host-resolver-rules=MAP 127.0.0.1 ~NOTFOUND"], r"NAME_NOT_RESOLVED\).*expose_network"),
        (["--proxy-server=127.0.0.1:1", "--proxy-bypass-list=<-loopback>"], r"PROXY.*bypass the browser's proxy"),
    ],
    ids=["another machine", "proxy"],
)
def test_browser_that_cannot_reach_the_server_is_refused_with_the_remedy(
    room: Room, browser_type: BrowserType, tmp_path: Path, switches: list[str], reason: str
) -> None:
    """``attach`` refuses the page before the page loads anything, and the page stays usable."""
    with started_chrome(tmp_path / "profile", *switches) as (address, _):
        browser = browser_type.connect_over_cdp(address)
        page = browser.contexts[0].new_page()

        with pytest.raises(SetupError, match=reason):
            room.attach(page, "alice")

        assert 2 == page.evaluate("1 + 1")
        assert room.participants == []
        browser.close()


def test_call_is_recorded_in_a_chrome_with_a_dead_proxy_in_its_environment(
    room: Room, browser_type: BrowserType, plain_site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Chrome itself reaches loopback addresses without the proxy that the environment specifies."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with started_chrome(tmp_path / "profile") as (address, _):
        browser = browser_type.connect_over_cdp(address)
        alice, bob = (_join(room, browser.contexts[0], plain_site, name) for name in ("alice", "bob"))
        meet(room, alice, bob)

        report = check_recording(record_call(room, alice))
        browser.close()

    assert report.participant("bob").is_audible(0.5, 2.5)


@pytest.mark.thorough
def test_recording_is_saved_when_the_connected_browser_crashes(
    room: Room, browser_type: BrowserType, plain_site: Site, tmp_path: Path
) -> None:
    """As in a browser that the harness launched, the next wait raises an error that contains the recording."""
    with started_chrome(tmp_path / "profile") as (address, process):
        context = browser_type.connect_over_cdp(address).contexts[0]
        alice, bob = (_join(room, context, plain_site, name) for name in ("alice", "bob"))
        meet(room, alice, bob)
        alice.start_media_recording(record_config=SMALL)
        room.wait(seconds=2)
        process.kill()

        with pytest.raises(RecordingError, match="crashed") as caught:
            room.wait(seconds=30)

    recording = caught.value.recording
    assert recording is not None
    assert recording.duration > 1
