"""Hostile names of files and of people: nothing is written elsewhere or over, and no script runs."""

from __future__ import annotations

import asyncio
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from random import Random
from typing import TYPE_CHECKING, Final
from xml.etree import ElementTree as ET

import pytest
from playwright.sync_api import expect

from harness.launch import open_door
from harness.recording.recording import Manifest, manifest_of
from harness.recording.text import printable
from harness.server.room_server import RoomServer
from harness.verification import verify
from harness.verification.junit import write_junit
from tests.e2e.people import join, tile
from tests.goals import FULL
from tests.media import Take, cast, film
from tests.program import harness
from tests.security.wire import CHUNK, SOUND, sockets

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import BrowserContext, Page

    from tests.goals import Goals

FILES: Final = 200 if FULL else 40
PEOPLE: Final = 100 if FULL else 20
# A file name has so many bytes at most on every system that people use.
LONGEST: Final = 255
_PARTS: Final = (
    *("..", "../", "..\\", "/etc/passwd", "C:\\", "//host/share/", "~", "~root/", "%2e%2e%2f", "....//", "a/../../b"),
    *(
        "\0",
        "\n",
        "\r\n",
        "\x1b[2J",
        "\u202e",
        "\u2066",
        "\u200b",
        "\ufeff",
        "\u2028",
        "e\u0301",
        "\ufb01",
        "\ud83d\ude00",
    ),
    *(
        "CON",
        "nul.webm",
        "COM1.txt",
        "aux",
        "-rf",
        "--",
        ".",
        ". ",
        ".hidden",
        "webm",
        ".webm.exe",
        ".json",
        ".stats.jsonl",
    ),
    *(
        "$(reboot)",
        "`reboot`",
        "; reboot",
        "|",
        "*",
        "?",
        "<script>",
        "'",
        '"',
        "&amp;",
        "%00",
        "%n%s",
        "{0}",
        "${HOME}",
    ),
    *("x" * 300, "\u00e4" * 200, "\u4f1a" * 120, "\U0001f469\u200d\U0001f4bb" * 40, "kept", "kept-2", " kept ", "KEPT"),
)
_SCRIPTS: Final = (
    "<script>window.pwned=1</script>",
    "<img src=x onerror=window.pwned=1>",
    "<svg/onload=window.pwned=1>",
    '"><script>window.pwned=1</script>',
    "' onmouseover='window.pwned=1",
    '" autofocus onfocus="window.pwned=1',
    "javascript:window.pwned=1",
    "</title><script>window.pwned=1</script>",
    "</script><script>window.pwned=1</script>",
    "<iframe srcdoc='<script>parent.pwned=1</script>'>",
    "{{constructor.constructor('window.pwned=1')()}}",
    "${window.pwned=1}",
    "{% raw %}{{ 7*7 }}",
    "<!--<script>window.pwned=1//-->",
    "]]><script>window.pwned=1</script>",
    "&lt;script&gt;window.pwned=1",
    "<style>*{background:url(javascript:window.pwned=1)}",
    "<a href=javascript:window.pwned=1>x</a>",
    "<base href=//evil.example>",
    "[red]window.pwned[/red] [link=file:///etc/passwd]x",
)


def hostile_files() -> list[str]:
    """Return names that would lead elsewhere, hide, or stand for something else."""
    random = Random(0)  # noqa: S311 - the same every time
    plain = random.sample(_PARTS, len(_PARTS))[:FILES]
    return plain + ["".join(random.choices(_PARTS, k=3)) for _ in range(FILES - len(plain))]


def hostile_people(count: int = PEOPLE) -> list[str]:
    """Return names that would run, were they not shown as text."""
    return [f"{_SCRIPTS[number % len(_SCRIPTS)]}{number:02}"[:64] for number in range(count)]


@pytest.mark.own_thread
def test_hostile_file_names_stay_in_their_folder(sound: bytes, tmp_path: Path, goals: Goals) -> None:
    """Each is recorded under, by the socket that pages have, and published: beside what is there already."""
    folder = tmp_path / "a" / "b" / "recordings"
    folder.mkdir(parents=True)
    (folder / "kept.webm").write_bytes(b"mine")
    outside = set(tmp_path.rglob("*"))

    async def record(server: RoomServer) -> int:
        refused = 0
        async with sockets(server) as wire:
            inside, welcome = await wire.enter("daily", "mallory")
            for name in hostile_files():
                spool = await wire.open("/spool")
                config = {"recordType": "audio", "recordName": name}
                await spool.send_json({**SOUND, "token": welcome["spool_token"], "config": config})
                if (await spool.receive_json(timeout=10))["type"] == "error":
                    refused += 1
                else:
                    await spool.send_bytes(CHUNK.pack(1, 0, 0) + sound)
                    await spool.send_json({"type": "end", "chunks": 1, "bytes": len(sound)})
                    while (await spool.receive_json(timeout=10))["type"] != "finished":
                        pass
                await spool.close()
            await inside.close()
        return refused

    with RoomServer(recordings=folder, versions={}) as server:
        refused = asyncio.run(record(server))
        kept = server.keep(folder)

    names = [recording.path.name for recording in kept]
    files = [path for recording in kept for path in recording.files if path.exists()]
    longest = max(len(path.name.encode()) for path in files)
    elsewhere = set(tmp_path.rglob("*")) - outside - set(files)
    assert not elsewhere
    assert len(set(names)) == len(names) == FILES - refused
    assert (folder / "kept.webm").read_bytes() == b"mine"
    assert all(path.parent == folder and not path.is_symlink() for path in files)
    assert [name for name in names if printable(name) != name or name[0] in ".- "] == []
    goals.measured(
        f"{FILES} hostile file names",
        bar=f"no escape, no overwrite, {LONGEST} bytes",
        figure=f"{len(names)} files, {refused} refused, {len(elsewhere)} elsewhere, {longest} bytes at most",
        met=longest <= LONGEST,
    )


def test_hostile_names_of_people_are_text_on_the_page(context: BrowserContext, tmp_path: Path, goals: Goals) -> None:
    """In tiles, and in what is announced."""
    names = hostile_people()
    with open_door(recordings=tmp_path, kept=lambda _: None) as server:
        page = context.new_page()
        said = watched(page)
        page.goto(server.url)
        join(page, "Alice")
        with ThreadPoolExecutor(1) as thread:
            for at in range(0, len(names), 40):
                some, there, leave = names[at : at + 40], threading.Event(), threading.Event()
                gone = thread.submit(visit, server, some, there, leave)
                assert there.wait(10)
                expect(tile(page, some[-1])).to_be_visible()
                expect(page.locator("#tiles").get_by_role("listitem")).to_have_count(1 + len(some))
                leave.set()
                gone.result()
        pwned = page.evaluate("'pwned' in window")

    assert (False, []) == (pwned, said)
    goals.measured(
        f"{PEOPLE} hostile names of people on the page", bar="no script runs", figure="none ran", met=not pwned
    )


def visit(server: RoomServer, names: list[str], there: threading.Event, leave: threading.Event) -> None:
    """Let people come, and go when it is time."""

    async def come_and_go() -> None:
        async with sockets(server) as wire:
            inside = []
            for name in names:
                socket = await wire.open("/signal")
                await socket.send_json({"type": "hello", "name": name, "media": "camera"})
                assert (await socket.receive_json(timeout=10))["name"] == name
                inside.append(socket)
            there.set()
            await asyncio.to_thread(leave.wait, 30)
            for socket in inside:
                await socket.send_json({"type": "bye"})
                await socket.close()

    asyncio.run(come_and_go())


def watched(page: Page) -> list[str]:
    """Collect dialogs, and complaints of the content policy."""
    said: list[str] = []

    def dismiss(dialog: object) -> None:
        said.append("a dialog")
        dialog.dismiss()  # type: ignore[attr-defined]

    page.on("dialog", dismiss)
    page.on("console", lambda told: said.append(told.text) if "Content Security Policy" in told.text else None)
    return said


@pytest.mark.parametrize("at", range(0, PEOPLE, 10))
def test_hostile_names_of_people_are_text_in_what_is_written(
    at: int, context: BrowserContext, tmp_path: Path, goals: Goals
) -> None:
    """In the report, the manifest, JUnit XML and the terminal."""
    names = hostile_people(at + 10)[at:]
    escape = f"\x1b]0;owned\x07{at}"
    recording = film(tmp_path / "call.webm", Take(people=cast(*names[:-1], escape), seconds=2.0))
    report = verify(recording)
    page = context.new_page()
    said = watched(page)
    page.goto(report.write_html(tmp_path / "call.html").as_uri())
    text = page.inner_text("body")
    pwned = page.evaluate("'pwned' in window")
    page.close()
    write_junit([report], tmp_path / "call.xml", broken={})
    shown = harness("verify", str(recording.path), folder=tmp_path)

    assert (False, []) == (pwned, said)
    assert [name for name in names[:-1] if name not in text] == []
    manifest = Manifest.read(manifest_of(recording.path))
    assert {member.name for member in manifest.timeline.members} == {*names[:-1], printable(escape)}
    assert json.loads(manifest_of(recording.path).read_text())
    assert ET.parse(tmp_path / "call.xml").getroot().tag == "testsuites"  # noqa: S314 - our own
    assert "\x1b" not in shown.stdout + shown.stderr
    goals.measured(
        "10 hostile names in report, manifest, JUnit", bar="no script runs", figure="none ran", met=not pwned
    )
