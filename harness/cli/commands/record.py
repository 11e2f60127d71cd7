"""Implement ``harness record``: participants join a room, the first one records, and the file is verified."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, cast

import typer

from harness.cli import application_call
from harness.cli.context_options import parse_context_options
from harness.cli.exit_codes import exit_code
from harness.cli.interrupt import Interruption, interruptible
from harness.cli.options import (
    DEFAULT_NAMES,
    AllowUnverifiedOption,
    ConnectOption,
    DebugOption,
    ExecutableOption,
    HeadedOption,
    HeaderOption,
    HtmlOption,
    HttpCredentialsOption,
    IceServerOption,
    IgnoreHttpsErrorsOption,
    JsonOption,
    MediaOption,
    RecordingsOption,
    RelayOnlyOption,
    ReportFiles,
    ScriptOption,
    SfuOption,
    SfuRoomOption,
    StorageStateOption,
    debugging,
    is_text,
    print_json,
    print_message,
    print_reports,
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


def record(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="NAME",
            callback=is_text,
            help=(
                "Names of the participants. The first participant makes the recording. The default is alice, bob and "
                "carol."
            ),
        ),
    ] = None,
    *,
    recorder: Annotated[
        Recorder,
        typer.Option(envvar="HARNESS_RECORDER", help="Record only the first participant (local), or everybody (all)."),
    ] = "all",
    record_type: Annotated[
        RecordType,
        typer.Option("--type", envvar="HARNESS_TYPE", help="Record only audio, or video with audio."),
    ] = "video",
    quality: Annotated[
        Quality, typer.Option(envvar="HARNESS_QUALITY", help="Size of the video: 640x360, 640x480 or 1280x720.")
    ] = "360p",
    frame_rate: Annotated[
        Literal["15", "30"], typer.Option(envvar="HARNESS_FRAME_RATE", help="Frame rate of the video, in fps.")
    ] = "15",
    seconds: Annotated[
        float, typer.Option(envvar="HARNESS_SECONDS", help="Duration of the recording, in seconds.", metavar="S")
    ] = 10.0,
    name: Annotated[
        str | None,
        typer.Option(
            envvar="HARNESS_NAME",
            help="Name of the file, without a suffix. The default consists of the participant's name and the time.",
        ),
    ] = None,
    recordings: RecordingsOption = Path("recordings"),
    codec: Annotated[Codec, typer.Option(envvar="HARNESS_CODEC", help="Video codec.")] = "vp9",
    bitrate: Annotated[
        int | None,
        typer.Option(
            envvar="HARNESS_BITRATE",
            help="Video bitrate in kbps, from 100 to 50000. The default depends on size, frame rate and codec.",
            metavar="KBPS",
        ),
    ] = None,
    layout: Annotated[
        Layout,
        typer.Option(
            envvar="HARNESS_LAYOUT",
            help="Tile layout: equal sizes (grid), or a large tile for the speaker or the shared screen (speaker).",
        ),
    ] = "grid",
    media: MediaOption = "synthetic",
    url: Annotated[
        str | None,
        typer.Option(
            envvar="HARNESS_URL",
            help="Address of another web application, whose call is recorded instead of one in the harness's own room.",
            metavar="URL",
        ),
    ] = None,
    script: ScriptOption = None,
    storage_state: StorageStateOption = None,
    ignore_https_errors: IgnoreHttpsErrorsOption = False,
    http_credentials: HttpCredentialsOption = None,
    header: HeaderOption = None,
    expect: Annotated[
        str | None,
        typer.Option(
            envvar="HARNESS_EXPECT_PARTICIPANTS",
            help=(
                "Participants who must be in the call at --url for the whole recording, for example alice,bob. Use "
                "the names that appear in the report. The default is every NAME. With --recorder local, or if the "
                "media is not synthetic, the default is only the first NAME, because the others can't be identified."
            ),
            metavar="NAMES|none",
        ),
    ] = None,
    connect: ConnectOption = None,
    sfu: SfuOption = None,
    sfu_room: SfuRoomOption = None,
    ice_server: IceServerOption = None,
    relay_only: RelayOnlyOption = False,
    headed: HeadedOption = False,
    executable: ExecutableOption = None,
    allow_unverified: AllowUnverifiedOption = False,
    html: HtmlOption = None,
    json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Record a room: all participants join, the first one records, and the file is verified.

    With --url, record a call in another web application that uses WebRTC, without changing that application. Every
    participant opens the address in a separate page, with synthetic video as the camera and a tone as the microphone.

    The exit code is 4 if no check failed, but something could not be examined. Participants whose media you chose with
    --media camera or --media FILE can't be examined; this does not change the exit code.

    For example:

    - harness record
    - harness record alice bob --url https://localhost:8443/room/1 --script join.py
    - harness record alice bob --url https://example.org/room/1 --storage-state alice=a.json --storage-state bob=b.json
    - harness record alice bob --quality 720p --frame-rate 30 --seconds 10 --name standup
    """
    if debug:
        debugging(on=True)
    participants = tuple(names or DEFAULT_NAMES)
    source = media_of(media, MEDIA, option="--media")
    application = application_call.requested_call(
        url,
        script,
        parse_context_options(
            participants,
            storage_states=storage_state or (),
            ignore_https_errors=ignore_https_errors,
            credentials=http_credentials,
            headers=header or (),
        ),
        application_call.parse_expected(expect, participants),
    )
    order = RecordOrder(
        names=participants,
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
        media=source,
        application=application,
        expected=(
            application.expected_participants(participants, source, recorder)
            if application
            else participants[: 1 if recorder == "local" else None]
        ),
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
    report_files = ReportFiles()
    if html and result.reports:
        report_files.write(lambda: result.reports[-1].write_html(html))
    if result.failure is None or result.recordings:
        _print_result(result, json=json, error=str(result.failure) if result.failure else report_files.error)
    _raise_for_failure(interruption, result.failure, report_files)
    allowed = allow_unverified or result.is_unverified_only_for(order.without_markers)
    raise typer.Exit(exit_code(result.result, allow_unverified=allowed))


def _raise_for_failure(interruption: Interruption, failure: HarnessError | None, report_files: ReportFiles) -> None:
    """End the program if it was interrupted, or if the run failed for a reason other than a failed check."""
    if interruption:
        if reason := str(failure) if failure else report_files.error:
            print_message(reason)
        raise typer.Exit(interruption.exit_code or 0)
    if failure:
        raise failure
    report_files.raise_for_error()


def _print_result(result: RecordResult, *, json: bool, error: str | None) -> None:
    """Print the recordings and their reports."""
    if json:
        print_json(
            {
                "result": result.result,
                "ok": result.result == "passed",
                "recordings": [recording.as_json() for recording in result.recordings],
                "reports": [report.as_json() for report in result.reports],
            },
            error=error,
        )
        return
    print_reports(stdout(), result.recordings, result.reports)
    if not result.recordings:
        print_message("Nothing was recorded.")
