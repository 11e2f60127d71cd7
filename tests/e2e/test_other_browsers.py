"""Chrome only: another browser is told so, in the page and in Python, before anything is lost."""

import asyncio
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from playwright.sync_api import Browser, BrowserContext, expect

from harness import NotSupportedError, RecordConfig, Room
from harness.server.room_server import RoomServer

REASON = "This browser can't record a room"

# What people see, what programs are answered, and whether every part of the page came up.
QUESTIONS = """
(async () => {
    const refusal = (call) => call.then(() => null, ({ name, code, message }) => ({ name, code, message }));
    const driven = await harness.call('startMediaRecording', {});
    return JSON.stringify({
        told: document.querySelector('#unsupported').innerText,
        page: await refusal(NERTC.createClient().startMediaRecording({})),
        driven: driven.error,
        name: document.querySelector('#join-name').checkVisibility(),
    });
})()
"""


async def ask(
    socket: aiohttp.ClientWebSocketResponse, number: int, method: str, **params: Any
) -> tuple[Any, list[Any]]:
    """Make one call of WebDriver BiDi; return its answer, and the events that came before it."""
    await socket.send_json({"id": number, "method": method, "params": params})
    events = []
    while (message := await socket.receive_json()).get("id") != number:
        events.append(message["params"])
    assert "success" == message["type"], message
    return message["result"], events


async def interview(address: str, url: str) -> dict[str, Any]:
    """Open the page in a Firefox that listens at ``address`` and return its answers, with what went wrong meanwhile."""
    async with aiohttp.ClientSession() as session, session.ws_connect(f"{address}/session") as socket:
        await ask(socket, 1, "session.new", capabilities={})
        tree, _ = await ask(socket, 2, "browsingContext.getTree")
        context = tree["contexts"][0]["context"]
        await ask(socket, 3, "session.subscribe", events=["log.entryAdded"])
        _, loading = await ask(socket, 4, "browsingContext.navigate", context=context, url=url, wait="complete")
        answer, asking = await ask(
            socket, 5, "script.evaluate", expression=QUESTIONS, target={"context": context}, awaitPromise=True
        )
        await ask(socket, 6, "browser.close")
    answers: dict[str, Any] = json.loads(answer["result"]["value"])
    errors = [entry["text"] for entry in loading + asking if entry["level"] == "error"]
    return {**answers, "errors": errors}


@pytest.fixture(scope="module")
def firefox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Run a Firefox and return where it listens for WebDriver BiDi."""
    program = shutil.which("firefox-esr") or shutil.which("firefox")
    if program is None:
        pytest.skip("Firefox is not installed (Debian: apt-get install firefox-esr).")
    home = tmp_path_factory.mktemp("firefox")
    command = [program, "--headless", "--remote-debugging-port=0", "--profile", str(home)]
    # Its home is a folder of its own: whoever runs the tests may have another Firefox open.
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env={**os.environ, "HOME": str(home)})
    assert process.stderr is not None
    try:
        said = []
        for line in process.stderr:
            said.append(line)
            if found := re.search(r"WebDriver BiDi listening on (ws://\S+)", line):
                yield found[1]
                break
        else:
            pytest.skip(f"{program} does not start: {''.join(said).strip()}")
    finally:
        process.kill()
        process.communicate()


@pytest.fixture(scope="module")
def answers(firefox: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return what the page is like in Firefox."""
    recordings = tmp_path_factory.mktemp("recordings")
    # Playwright runs a loop of its own in this thread.
    with RoomServer(recordings=recordings, versions={}, open_room="room") as server, ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, interview(firefox, server.url)).result(timeout=60)


def test_firefox_is_told_at_once_that_it_can_not_record(answers: dict[str, Any]) -> None:
    """The reason stands above the form, and everything else of the page is there."""
    assert answers["told"].startswith(REASON)
    assert "MediaStreamTrackProcessor" in answers["told"]
    assert answers["name"] is True
    assert [] == answers["errors"]


@pytest.mark.parametrize("asked", ["page", "driven"])
def test_start_answers_nertcs_10450_in_firefox(answers: dict[str, Any], asked: str) -> None:
    """Whoever calls, a program in the page or Python, the refusal has NERTC's code."""
    assert {"name": "NotSupportedError", "code": 10450, "message": answers["told"]} == answers[asked]


def refused(context: BrowserContext, room_server: RoomServer, recordings: Path) -> NotSupportedError:
    """Let somebody in whose browser is like ``context``, and return what a start is refused with."""
    with Room(server=room_server, new_context=lambda: context, recordings=recordings, name="others") as room:
        alice = room.join("alice")
        with pytest.raises(NotSupportedError, match=REASON) as refusal:
            alice.start_media_recording()
        assert "none" == alice.get_media_recording().state
    return refusal.value


@pytest.mark.parametrize(
    ("without", "lack"),
    [
        ("delete window.MediaStreamTrackProcessor;", "it has no MediaStreamTrackProcessor"),
        ("delete window.MediaStreamTrackGenerator;", "it has no MediaStreamTrackGenerator"),
        ("delete window.MediaRecorder;", "it has no MediaRecorder"),
        (
            "Object.defineProperty(navigator, 'userAgentData', { value: { brands: [{ brand: 'Another' }] } });",
            "it is not built on Chromium",
        ),
    ],
)
def test_a_chrome_without_what_the_mixer_needs_is_refused(
    browser: Browser, room_server: RoomServer, recordings: Path, without: str, lack: str
) -> None:
    """What the detection looks at decides: take it away, and start is refused in the page and in Python."""
    context = browser.new_context()
    context.add_init_script(without)

    error = refused(context, room_server, recordings)

    assert 10450 == error.code
    assert lack in str(error)


def test_a_chrome_without_the_codec_is_refused(browser: Browser, room_server: RoomServer, recordings: Path) -> None:
    """The message names what the browser can't write."""
    context = browser.new_context()
    context.add_init_script("MediaRecorder.isTypeSupported = () => false;")

    with Room(server=room_server, new_context=lambda: context, recordings=recordings, name="others") as room:
        alice = room.join("alice")
        with pytest.raises(NotSupportedError, match="video/webm;codecs=av1,opus") as refusal:
            alice.start_media_recording(record_config=RecordConfig(codec="av1"))

    assert 10450 == refusal.value.code


def test_a_chrome_is_told_nothing(browser: Browser, tmp_path: Path) -> None:
    """Where recording is possible there is nothing to say."""
    with RoomServer(recordings=tmp_path, versions={}, open_room="room") as server:
        page = browser.new_context().new_page()
        page.goto(server.url)

        expect(page.get_by_label("Your name")).to_be_visible()
        expect(page.locator("#unsupported")).to_be_hidden()
        page.context.close()
