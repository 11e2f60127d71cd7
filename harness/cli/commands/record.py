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
    say,
    stdout,
    writable,
)
from harness.cli.record_run import RecordOrder, RecordResult, record_and_verify
from harness.recording.config import Codec, FrameRate, Layout, Quality, RecordConfig, Recorder, RecordType
from harness.server.rooms.routes import Routes
from harness.session.media import MEDIA, media_of
from harness.session.venue import Venue

if TYPE_CHECKING:
    from harness.errors import HarnessError

DEFAULT_NAMES: Final = ("alice", "bob", "carol")


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
    order = RecordOrder(
        names=tuple(names or DEFAULT_NAMES),
        recorder=recorder,
        config=RecordConfig(
            record_type=record_type,
            record_name=name,
            record_video_quality=quality,
            record_video_frame=cast("FrameRate", int(frame_rate)),
            layout=layout,
            codec=codec,
            video_bits_per_second=None if bitrate is None else bitrate * 1000,
        ),
        seconds=seconds,
        media=media_of(media, MEDIA, option="--media"),
        application=application_call.asked(url, script, storage_state),
        recordings=recordings,
        venue=Venue(
            executable=executable,
            headed=headed,
            connect=connect or (),
            routes=Routes.parse(sfu=sfu, sfu_room=sfu_room, ice_servers=ice_server or (), relay_only=relay_only),
        ),
    )
    order.warn_of_unsafe_name()
    if html:
        from harness.verification.report.target import check_targets

        with writable():
            check_targets(html=html)

    with interruptible() as interruption:
        result = record_and_verify(order, interruption)
    written = Reports()
    if html and result.reports:
        written.write(lambda: result.reports[-1].write_html(html))
    if result.failure is None or result.recordings:
        _print_result(result, json=json, error=str(result.failure) if result.failure else written.error)
    _raise_for_failure(interruption, result.failure, written)
    if not result.ok:
        raise typer.Exit(1)


def _raise_for_failure(interruption: Interruption, failure: HarnessError | None, written: Reports) -> None:
    """End the program if it was interrupted, or if something failed besides checks."""
    if interruption:
        if reason := str(failure) if failure else written.error:
            say(reason)
        raise typer.Exit(interruption.exit_code or 0)
    if failure:
        raise failure
    written.raise_for_error()


def _print_result(result: RecordResult, *, json: bool, error: str | None) -> None:
    """Print the recordings and their reports."""
    if json:
        print_json(
            {
                "ok": result.ok,
                "recordings": [recording.as_json() for recording in result.recordings],
                "reports": [report.as_json() for report in result.reports],
            },
            error=error,
        )
        return
    print_verdicts(stdout(), result.recordings, result.reports)
    if not result.recordings:
        say("Nothing was recorded.")
