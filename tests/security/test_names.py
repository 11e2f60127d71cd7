"""Hostile file and participant names can't overwrite files, escape from their folder, or run scripts."""

from __future__ import annotations

import asyncio
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from random import Random
from typing import TYPE_CHECKING, Any, Final
from xml.etree import ElementTree as ET

import pytest
from playwright.sync_api import expect

from harness.cli.options import print_json
from harness.launch import serve_public_room
from harness.recording.files.names import manifest_of
from harness.recording.files.text import printable
from harness.recording.manifest import Manifest
from harness.server.access.limits import ServerLimits
from harness.server.room_server import RoomServer
from harness.server.serve_options import ServeOptions
from harness.verification import verify
from harness.verification.report.junit import write_junit
from tests.support.goals import FULL
from tests.support.media.recording_file import write_recording
from tests.support.media.scene import Scene, participants
from tests.support.page_actions import join, tile
from tests.support.program import run_harness
from tests.support.sockets import AUDIO_HELLO, CHUNK, sockets

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import BrowserContext, Dialog, Page

    from tests.support.goals import Goals

pytestmark = pytest.mark.parallel

FILES: Final = 200 if FULL else 40
PARTICIPANTS: Final = 100 if FULL else 20
# Maximum length of a file name, in bytes, on common file systems.
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
        ".manifest.json",
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
    """Return file names that try to escape from their folder, to hide, or to imitate other files."""
    random = Random(0)  # noqa: S311 - the sequence must be reproducible
    plain = random.sample(_PARTS, len(_PARTS))[:FILES]
    return plain + ["".join(random.choices(_PARTS, k=3)) for _ in range(FILES - len(plain))]


def hostile_participants(count: int = PARTICIPANTS) -> list[str]:
    """Return participant names that would run as scripts if they were not shown as text."""
    return [f"{_SCRIPTS[number % len(_SCRIPTS)]}{number:02}"[:64] for number in range(count)]


@pytest.mark.own_thread
def test_hostile_file_names_stay_in_their_folder(audio_bytes: bytes, tmp_path: Path, goals: Goals) -> None:
    """Recordings with hostile names, made through a page's socket, are published without overwriting existing files."""
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
                await spool.send_json({**AUDIO_HELLO, "token": welcome["spool_token"], "config": config})
                if (await spool.receive_json(timeout=10))["type"] == "error":
                    refused += 1
                else:
                    await spool.send_bytes(CHUNK.pack(1, 0, 0) + audio_bytes)
                    await spool.send_json({"type": "end", "chunks": 1, "bytes": len(audio_bytes)})
                    while (await spool.receive_json(timeout=10))["type"] != "finished":
                        pass
                await spool.close()
            await inside.close()
        return refused

    # Allow one recording for each name, because this test is not about the rate limit.
    with RoomServer(recordings=folder, versions={}, options=ServeOptions(limits=ServerLimits(begins=FILES))) as server:
        refused = asyncio.run(record(server))
        published = server.publish(folder)

    names = [recording.path.name for recording in published]
    files = [path for recording in published for path in recording.files if path.exists()]
    longest = max(len(path.name.encode()) for path in files)
    outside_files = set(tmp_path.rglob("*")) - outside - set(files)
    assert not outside_files
    assert len(set(names)) == len(names) == FILES - refused
    assert (folder / "kept.webm").read_bytes() == b"mine"
    assert all(path.parent == folder and not path.is_symlink() for path in files)
    assert [name for name in names if printable(name) != name or name[0] in ".- "] == []
    goals.measured(
        f"{FILES} hostile file names",
        bar=f"none outside or overwritten, <= {LONGEST} bytes",
        figure=f"{len(names)} files, {refused} refused, {len(outside_files)} outside, at most {longest} bytes",
        met=longest <= LONGEST,
    )


_ESCAPE: Final = "\x1b]0;owned\x07"
_OWNED: Final = frozenset("\x1b\x07\x9b\u202e")


def codec_change(codec: str) -> dict[str, Any]:
    """Return a manifest change that replaces the codec."""
    return {"recording": {"codec": codec}}


@pytest.mark.parametrize(
    "change",
    [
        codec_change(_ESCAPE),
        codec_change("\x9b31m"),
        codec_change("\u202e"),
        {_ESCAPE: 1},
        {_ESCAPE * 100_000: 1},
        {"versions": {"harness": 1, _ESCAPE: 1}},
        {"timeline": {"members": [{"name": "alice", "marker": 1, _ESCAPE: 1}]}},
    ],
    ids=range(7),
)
def test_manifest_contents_are_printed_without_control_characters(
    change: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Control characters in a manifest are never printed, and errors about a manifest's contents stay short."""
    recording = write_recording(tmp_path / "call.webm", Scene(participants=participants("alice"), seconds=1.0))
    content = json.loads(recording.manifest.read_text())
    inner = change.get("recording", {})
    recording.manifest.write_text(json.dumps({**content, **change, "recording": {**content["recording"], **inner}}))

    report = verify(recording.path)
    print_json(report.as_json())

    output = str(report) + capsys.readouterr().out
    assert not report.ok
    assert not _OWNED & set(output)
    assert len(output) < 20_000
    assert all(len(finding.message) < 1_000 for finding in report.findings)


@pytest.mark.parametrize(
    "name",
    [_ESCAPE, *(pytest.param(one, marks=pytest.mark.thorough) for one in ("\x9b31m", "\u202egnp.")), "\udcff"],
    ids=ascii,
)
def test_file_names_are_printed_without_control_characters(name: str, tmp_path: Path) -> None:
    """The terminal output contains no control characters, but the JSON report contains the exact file name."""
    good = write_recording(tmp_path / "call.webm", Scene(participants=participants("alice"), seconds=1.0))
    path, bad = tmp_path / f"good{name}.webm", tmp_path / f"bad{name}.webm"
    good.path.rename(path)
    bad.write_bytes(b"")

    everything = ("--json", "--html", "report.html", "--junit", "report.xml")
    for file, form, code in ((path, everything, 4), (bad, (), 1), (tmp_path / f"gone{name}", (), 2)):
        ran = run_harness("verify", str(file), *form, folder=tmp_path)

        assert (code, False) == (ran.returncode, "Traceback" in ran.stderr)
        assert not _OWNED & set(ran.stdout + ran.stderr)
        if form:
            assert str(file) == json.loads(ran.stdout)["reports"][0]["path"]


def test_expectations_are_printed_without_control_characters(tmp_path: Path) -> None:
    """Control characters in expected names and limits are not printed, but the names still match the manifest."""
    recording = write_recording(
        tmp_path / "call.webm", Scene(participants=participants("alice", f"bob{_ESCAPE}"), seconds=1.0)
    )
    expected = tmp_path / "expected.toml"
    names = json.dumps(f"bob{_ESCAPE}"), json.dumps(_ESCAPE)
    for text, code in (
        (f"[[expect]]\nparticipant = {names[0]}\nvisible = true\n", 0),
        (f"[[expect]]\nparticipant = {names[1]}\nvisible = true\n", 1),
        (f"[limits]\n{names[1]} = 1\n", 2),
        (f"{names[1]} = 1\n", 2),
    ):
        expected.write_text(text)
        ran = run_harness("verify", str(recording.path), "--expect", str(expected), folder=tmp_path)

        assert code == ran.returncode, ran.stdout + ran.stderr
        assert not _OWNED & set(ran.stdout + ran.stderr)


def test_hostile_participant_names_are_text_on_the_page(context: BrowserContext, tmp_path: Path, goals: Goals) -> None:
    """The page's tiles and announcements show hostile names as text."""
    names = hostile_participants()
    with serve_public_room(ServeOptions(), recordings=tmp_path, on_published=lambda _: None) as server:
        page = context.new_page()
        problems = watched(page)
        page.goto(server.url)
        join(page, "Alice")
        with ThreadPoolExecutor(1) as thread:
            for at in range(0, len(names), 40):
                group, joined, leave = names[at : at + 40], threading.Event(), threading.Event()
                left = thread.submit(visit, server, group, joined, leave)
                assert joined.wait(10)
                expect(tile(page, group[-1])).to_be_visible()
                expect(page.locator("#tiles").get_by_role("listitem")).to_have_count(1 + len(group))
                leave.set()
                left.result()
        pwned = page.evaluate("'pwned' in window")

    assert (False, []) == (pwned, problems)
    goals.measured(
        f"{PARTICIPANTS} hostile participant names on the page", bar="no script runs", figure="none ran", met=not pwned
    )


def visit(server: RoomServer, names: list[str], joined: threading.Event, leave: threading.Event) -> None:
    """Join under each of the given names and then set ``joined``; leave when ``leave`` is set."""

    async def join_and_leave() -> None:
        async with sockets(server) as wire:
            inside = []
            for name in names:
                socket = await wire.open("/signal")
                await socket.send_json({"type": "hello", "name": name, "media": "camera"})
                assert (await socket.receive_json(timeout=10))["name"] == name
                inside.append(socket)
            joined.set()
            await asyncio.to_thread(leave.wait, 30)
            for socket in inside:
                await socket.send_json({"type": "bye"})
                await socket.close()

    asyncio.run(join_and_leave())


def watched(page: Page) -> list[str]:
    """Return a list that collects the dialogs and the content security policy violations that occur."""
    problems: list[str] = []

    def dismiss(dialog: Dialog) -> None:
        problems.append("a dialog")
        dialog.dismiss()

    page.on("dialog", dismiss)
    page.on(
        "console", lambda message: problems.append(message.text) if "Content Security Policy" in message.text else None
    )
    return problems


@pytest.mark.parametrize("at", range(0, PARTICIPANTS, 10))
def test_hostile_participant_names_are_text_in_written_files(
    at: int, context: BrowserContext, tmp_path: Path, goals: Goals
) -> None:
    """The report, the manifest, JUnit XML and the terminal show hostile names as text."""
    names = hostile_participants(at + 10)[at:]
    escape = f"\x1b]0;owned\x07{at}"
    recording = write_recording(
        tmp_path / "call.webm", Scene(participants=participants(*names[:-1], escape), seconds=2.0)
    )
    report = verify(recording)
    page = context.new_page()
    problems = watched(page)
    page.goto(report.write_html(tmp_path / "call.html").as_uri())
    text = page.inner_text("body")
    pwned = page.evaluate("'pwned' in window")
    page.close()
    write_junit([report], tmp_path / "call.xml", broken={})
    shown = run_harness("verify", str(recording.path), folder=tmp_path)

    assert (False, []) == (pwned, problems)
    assert [name for name in names[:-1] if name not in text] == []
    manifest = Manifest.read(manifest_of(recording.path))
    assert {member.name for member in manifest.timeline.members} == {*names[:-1], printable(escape)}
    assert json.loads(manifest_of(recording.path).read_text())
    assert ET.parse(tmp_path / "call.xml").getroot().tag == "testsuites"  # noqa: S314 - our own
    assert "\x1b" not in shown.stdout + shown.stderr
    goals.measured(
        "10 hostile names in report, manifest and JUnit XML", bar="no script runs", figure="none ran", met=not pwned
    )
