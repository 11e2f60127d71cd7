"""Implement ``harness observe``: participants join another application's call, which another program records."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from harness.cli import application_call
from harness.cli.context_options import parse_context_options
from harness.cli.interrupt import Interruption, interruptible
from harness.cli.options import (
    DEFAULT_NAMES,
    ConnectOption,
    DebugOption,
    ExecutableOption,
    HeadedOption,
    HeaderOption,
    HttpCredentialsOption,
    IgnoreHttpsErrorsOption,
    JsonOption,
    MediaOption,
    RecordingsOption,
    ScriptOption,
    StorageStateOption,
    debugging,
    is_text,
    print_json,
    print_message,
    print_path,
    progress,
    stdout,
)
from harness.errors import ConfigError, HarnessError, InvalidStateError
from harness.session.media import MEDIA, media_of
from harness.session.venue import Venue

if TYPE_CHECKING:
    from harness.cli.application_call import ApplicationCall
    from harness.session.room import Room

# How often to update the progress bar and check for an interruption, in seconds.
_STEP: Final = 0.25


def observe(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="NAME",
            callback=is_text,
            help=(
                "Names of the participants. The first participant's page observes the call. The default is alice, bob "
                "and carol."
            ),
        ),
    ] = None,
    *,
    url: Annotated[
        str,
        typer.Option(
            envvar="HARNESS_URL", help="Address of the web application whose call is observed.", metavar="URL"
        ),
    ],
    seconds: Annotated[
        float, typer.Option(envvar="HARNESS_SECONDS", help="Duration of the observation, in seconds.", metavar="S")
    ] = 30.0,
    name: Annotated[
        str | None,
        typer.Option(
            envvar="HARNESS_NAME",
            help="Name of the manifest, without a suffix. The default consists of the participant's name and the time.",
        ),
    ] = None,
    recordings: RecordingsOption = Path("recordings"),
    media: MediaOption = "synthetic",
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
                "Participants who must be in the call before the observation starts, for example alice,bob. The "
                "default is every NAME."
            ),
            metavar="NAMES|none",
        ),
    ] = None,
    connect: ConnectOption = None,
    headed: HeadedOption = False,
    executable: ExecutableOption = None,
    json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Observe a call that another program records: synthetic participants join it, and a manifest is written.

    The manifest contains who was in the call, when, and with which markers. The call is not recorded. Afterwards,
    verify the other program's recording with the manifest: harness verify FILE --manifest NAME.manifest.json

    Every participant opens the address in a separate page, with synthetic video as the camera and a tone as the
    microphone. Ctrl-C ends the observation early; the manifest is still written.

    For example:

    - harness observe alice bob --url https://example.org/room/1 --seconds 30 --name call
    - harness observe alice bob --url https://localhost:8443/room/1 --script join.py
    """
    if debug:
        debugging(on=True)
    if not 0 < seconds < float("inf"):
        message = f"--seconds: {seconds:g} is not valid; give a number above 0."
        raise ConfigError(message)
    participants = tuple(names or DEFAULT_NAMES)
    source = media_of(media, MEDIA, option="--media")
    call = application_call.requested_call(
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
    if call is None:
        message = "--url: give the address of the application whose call is to be observed."
        raise ConfigError(message)
    venue = Venue(executable=executable, headed=headed, connect=connect or ())
    with interruptible() as interruption:
        run = _ObserveRun(call, participants, source, interruption)
        try:
            run.run(venue, recordings, name=name, seconds=seconds)
        except HarnessError as error:
            run.failure = error
    if run.manifest is not None:
        _print_result(run.manifest, json=json, error=str(run.failure) if run.failure else None)
    elif interruption:
        print_message("Nothing was observed.")
    if interruption:
        raise typer.Exit(interruption.exit_code or 0)
    if run.failure is not None:
        raise run.failure


class _ObserveRun:
    """Makes the participants join, and observes the call. ``manifest`` is set if the call was observed.

    An interruption ends the observation early; the manifest is still written.
    """

    def __init__(
        self, call: ApplicationCall, names: tuple[str, ...], media: str | Path, interruption: Interruption
    ) -> None:
        self.manifest: Path | None = None
        self.failure: HarnessError | None = None
        self._call = call
        self._names = names
        self._media = media
        self._interruption = interruption

    def run(self, venue: Venue, recordings: Path, *, name: str | None, seconds: float) -> None:
        """Open a room and observe the call. Raises HarnessError."""
        from harness.launch import open_room_at

        with open_room_at(venue, recordings=recordings) as room:
            try:
                self._observe(room, name, seconds)
            finally:
                for observation in room.observations:
                    try:
                        observation.stop()
                    finally:
                        # If a page was lost, stop raises an error, but the manifest has been written.
                        with contextlib.suppress(InvalidStateError):
                            self.manifest = observation.manifest

    def _observe(self, room: Room, name: str | None, seconds: float) -> None:
        with progress() as bar:
            task = bar.add_task(f"Joining: {', '.join(self._names)}", total=None)
            self._call.enter(room, self._names, self._media, self._interruption)
            if self._interruption:
                return
            self._call.start(room, lambda: room.observe(name), self._interruption)
            first = room.participants[0]
            print_message(f"Observing the call of {', '.join([first.name, *first.others])} for {seconds:g} s.")
            bar.update(task, description=f"{first.name} is observing", total=seconds)
            while room.observations and room.observations[0].running and not self._interruption:
                left = seconds - room.observations[0].elapsed
                bar.update(task, completed=seconds - left)
                if left <= 0:
                    return
                room.wait(seconds=min(left, _STEP))


def _print_result(manifest: Path, *, json: bool, error: str | None) -> None:
    """Print the path of the manifest, and what to do next."""
    from harness.recording.manifest import ObservationManifest

    observed = ObservationManifest.read(manifest)
    if json:
        members = [member.model_dump(mode="json") for member in observed.timeline.members]
        output: dict[str, Any] = {
            "ok": True,
            "manifest": str(manifest),
            "duration": observed.observation.duration,
            "participants": members,
            "alarms": list(observed.alarms),
        }
        print_json(output, error=error)
        return
    print_path(stdout(), manifest)
    names = ", ".join(member.name for member in observed.timeline.members)
    print_message(f"Observed {names} for {observed.observation.duration:.1f} s.")
    print_message(f"To verify a recording of the call, run: harness verify FILE --manifest {manifest}")
