"""``harness record``: people join a room, the first one records, and the file is judged."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal, cast

import typer

from harness.cli import application_call
from harness.cli.interrupt import Interruption, interruptible
from harness.cli.options import (
    ConnectOption,
    DebugOption,
    ExecutableOption,
    HtmlOption,
    IceServerOption,
    JsonOption,
    RecordingsOption,
    RelayOnlyOption,
    Reports,
    SfuOption,
    SfuRoomOption,
    debugging,
    is_text,
    print_json,
    print_verdicts,
    progress,
    say,
    stdout,
    writable,
)
from harness.errors import ConfigError, HarnessError
from harness.recording.config import Codec, FrameRate, Layout, Quality, RecordConfig, Recorder, RecordType
from harness.recording.files.names import safe_stem
from harness.server.rooms.routes import Routes
from harness.session.media import MEDIA, media_of

if TYPE_CHECKING:
    from rich.progress import Progress

    from harness.cli.application_call import AppCall
    from harness.recording.recording import Recording
    from harness.session.participant import Participant
    from harness.session.room import Room
    from harness.verification import Report

DEFAULT_NAMES: Final = ("alice", "bob", "carol")
_STEP: Final = 0.25


def record(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="NAME", callback=is_text, help="Who takes part; the first one records."),
    ] = None,
    *,
    recorder: Annotated[
        Recorder, typer.Option(envvar="HARNESS_RECORDER", help="Record the first participant alone, or everybody.")
    ] = "all",
    record_type: Annotated[
        RecordType, typer.Option("--type", envvar="HARNESS_TYPE", help="Sound alone, or picture and sound.")
    ] = "video",
    quality: Annotated[Quality, typer.Option(envvar="HARNESS_QUALITY", help="640x360, 640x480 or 1280x720.")] = "360p",
    frame_rate: Annotated[
        Literal["15", "30"], typer.Option(envvar="HARNESS_FRAME_RATE", help="Frames a second.")
    ] = "15",
    seconds: Annotated[float, typer.Option(envvar="HARNESS_SECONDS", help="Recorded time.", metavar="S")] = 10.0,
    name: Annotated[
        str | None, typer.Option(envvar="HARNESS_NAME", help="Name of the file; by default who and when.")
    ] = None,
    recordings: RecordingsOption = Path("recordings"),
    codec: Annotated[Codec, typer.Option(envvar="HARNESS_CODEC", help="Codec of the picture.")] = "vp9",
    bitrate: Annotated[
        int | None,
        typer.Option(envvar="HARNESS_BITRATE", help="Of the picture; by size, rate and codec.", metavar="KBPS"),
    ] = None,
    layout: Annotated[Layout, typer.Option(envvar="HARNESS_LAYOUT", help="How tiles are arranged.")] = "grid",
    media: Annotated[
        str,
        typer.Option(
            envvar="HARNESS_MEDIA",
            help="Made pictures and tones (synthetic), the browser's devices (camera), or a film by its path.",
            metavar="synthetic|camera|FILE",
        ),
    ] = "synthetic",
    url: Annotated[
        str | None,
        typer.Option(
            envvar="HARNESS_URL", help="Somebody else's web application, in place of our room.", metavar="URL"
        ),
    ] = None,
    script: Annotated[
        Path | None,
        typer.Option(
            envvar="HARNESS_SCRIPT",
            help="Python file: join(page, name) gets a page at --url into the call.",
            metavar="FILE",
        ),
    ] = None,
    storage_state: Annotated[
        Path | None,
        typer.Option(
            envvar="HARNESS_STORAGE_STATE",
            help="Playwright's cookies and storage, for pages behind a login.",
            metavar="FILE",
        ),
    ] = None,
    connect: ConnectOption = None,
    sfu: SfuOption = None,
    sfu_room: SfuRoomOption = None,
    ice_server: IceServerOption = None,
    relay_only: RelayOnlyOption = False,
    headed: Annotated[bool, typer.Option("--headed", envvar="HARNESS_HEADED", help="Show the windows.")] = False,
    executable: ExecutableOption = None,
    html: HtmlOption = None,
    json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Record a room: everybody joins, the first one records, and the file is judged.

    With --url it is the call of a web application that uses WebRTC, which need not know of it: everybody opens the
    address in a page of their own, with a made picture and tone for a camera and a microphone.

    For example:

    - harness record
    - harness record alice bob --url https://localhost:8443/room/1 --script join.py
    - harness record alice bob --quality 720p --frame-rate 30 --seconds 10 --name standup
    """
    if debug:
        debugging(on=True)
    config = RecordConfig(
        record_type=record_type,
        record_name=name,
        record_video_quality=quality,
        record_video_frame=cast("FrameRate", int(frame_rate)),
        layout=layout,
        codec=codec,
        video_bits_per_second=None if bitrate is None else bitrate * 1000,
    )
    if not 0 < seconds < float("inf"):
        message = f"--seconds: {seconds:g} is not possible; give a number above 0."
        raise ConfigError(message)
    routes = Routes.parse(sfu=sfu, sfu_room=sfu_room, ice_servers=ice_server or (), relay_only=relay_only)
    brought = media_of(media, MEDIA, option="--media")
    call = application_call.asked(url, script, storage_state)
    if name is not None and safe_stem(name) != name:
        say(f"The file's name becomes {safe_stem(name)!r}; {name[:60]!r} would not be safe on every system.")

    if html:
        from harness.verification.report.target import check_targets

        with writable():
            check_targets(html=html)

    from harness.browser.cpu_budget import Load
    from harness.launch import open_room

    room: Room | None = None
    failure: HarnessError | None = None
    load = Load()
    with interruptible() as interruption:
        try:
            with (
                open_room(
                    recordings=recordings, executable=executable, headed=headed, routes=routes, connect=connect or ()
                ) as room,
                progress() as shown,
            ):
                everybody = tuple(names or DEFAULT_NAMES)
                # Who is not recorded sends nothing, and costs next to nothing.
                if shortage := load.shortage(len(everybody) if recorder == "all" else 1, config):
                    say(shortage)
                take = _Take(room, everybody, brought, shown, interruption)
                take.join(recorder, call)
                take.run(recorder, config, seconds)
        except HarnessError as error:
            failure = error
        # Closing the room keeps what was not downloaded.
        kept = room.recordings if room else []
        # Imported when there is something to judge: it takes as long as a page takes to open.
        from harness.verification.unreadable import report_on

        reports = [report_on(recording) for recording in kept]
    written = Reports()
    if html and reports:
        written.write(lambda: reports[-1].write_html(html))
    if failure is None or kept:
        _answer(kept, reports, json=json, error=str(failure) if failure else written.error)
    _end(interruption, failure, written)
    if not reports or not all(report.ok for report in reports):
        raise typer.Exit(1)


def _end(interruption: Interruption, failure: HarnessError | None, written: Reports) -> None:
    """End the program for an interruption, or for what failed besides checks."""
    if interruption:
        if said := str(failure) if failure else written.error:
            say(said)
        raise typer.Exit(interruption.exit_code or 0)
    if failure:
        raise failure
    written.raise_for_error()


class _Take:
    """One recording from join to clean, told on stderr; an interruption ends it early and properly."""

    def __init__(
        self,
        room: Room,
        names: tuple[str, ...],
        media: str | Path,
        shown: Progress,
        interruption: Interruption,
    ) -> None:
        self._room = room
        self._names = names
        self._media = media
        self._shown = shown
        self._interruption = interruption
        self._task = shown.add_task("Joining", total=None)

    def join(self, recorder: Recorder, call: AppCall | None) -> None:
        first = self._names[0]
        others = ", ".join(self._names[1:])
        self._tell(f"{first} joins" + (f" with {others}" if others else ""))
        if call is not None:
            call.enter(self._room, self._names, self._media)
            return
        subscriber = first if recorder == "all" else None
        self._room.join_all(*self._names, media=self._media, subscriber=subscriber)

    def run(self, recorder: Recorder, config: RecordConfig, seconds: float) -> None:
        recording = self._room.participants[0]
        if self._interruption:
            return
        self._tell("Starting to record")
        recording.start_media_recording(recorder=recorder, record_config=config)
        self._wait(recording, seconds)
        self._tell("Finishing")
        recording.stop_media_recording()
        recording.download_media_recording()
        recording.clean_media_recording()

    def _wait(self, participant: Participant, seconds: float) -> None:
        self._shown.update(self._task, description=f"{participant.name} records", total=seconds)
        while not self._interruption and (left := seconds - participant.elapsed) > 0:
            self._shown.update(self._task, completed=participant.elapsed)
            self._room.wait(seconds=min(left, _STEP))
        self._shown.update(self._task, completed=seconds)

    def _tell(self, what: str) -> None:
        self._shown.update(self._task, description=what)


def _answer(recordings: list[Recording], reports: list[Report], *, json: bool, error: str | None) -> None:
    """Print what was recorded and the verdicts."""
    if json:
        ok = bool(reports) and all(report.ok for report in reports)
        print_json(
            {
                "ok": ok,
                "recordings": [recording.as_json() for recording in recordings],
                "reports": [report.as_json() for report in reports],
            },
            error=error,
        )
        return
    print_verdicts(stdout(), recordings, reports)
    if not recordings:
        say("Nothing was recorded.")
