"""Implement ``harness serve``, which serves a room that anybody with a browser can join."""

from __future__ import annotations

import secrets
import ssl
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from harness.cli.interrupt import interruptible
from harness.cli.options import (
    DebugOption,
    IceServerOption,
    RecordingsOption,
    RelayOnlyOption,
    SfuOption,
    SfuRoomOption,
    debugging,
    print_message,
)
from harness.cli.output_streams import make_console
from harness.errors import ConfigError
from harness.recording.files.text import shown

if TYPE_CHECKING:
    from harness.recording.recording import Recording
    from harness.server.serve_options import ServeOptions

_POLL_INTERVAL: Final = 0.2
# Users read the join code on one screen and type it on another, so it contains no 0, O, 1 or I, which are easily
# confused.
_CODE_LETTERS: Final = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"


def serve(
    *,
    host: Annotated[
        str,
        typer.Option(envvar="HARNESS_HOST", help="Address to serve on. 0.0.0.0 means all addresses of this machine."),
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(envvar="HARNESS_PORT", help="Port to serve on. 0 chooses a free port.", min=0, max=65535)
    ] = 8080,
    cert: Annotated[
        Path | None,
        typer.Option(envvar="HARNESS_CERT", help="PEM file with the certificate for https.", metavar="FILE"),
    ] = None,
    key: Annotated[
        Path | None,
        typer.Option(
            envvar="HARNESS_KEY",
            help="PEM file with the private key of --cert, if it is not in the same file.",
            metavar="FILE",
        ),
    ] = None,
    insecure: Annotated[
        bool,
        typer.Option(
            "--insecure",
            envvar="HARNESS_INSECURE",
            help="Allow access from other machines without TLS, for use behind a proxy that adds TLS.",
        ),
    ] = False,
    origin: Annotated[
        list[str] | None,
        typer.Option(
            envvar="HARNESS_ORIGIN",
            help=(
                "Public address of the server behind a proxy, for example https://rooms.example.com. This option can "
                "be repeated."
            ),
            metavar="URL",
        ),
    ] = None,
    code: Annotated[
        str | None,
        typer.Option(
            envvar="HARNESS_CODE",
            help=(
                "Code that participants need to join. By default, a code is generated if --origin is "
                "given or other machines can reach --host; otherwise no code is needed."
            ),
        ),
    ] = None,
    view_code: Annotated[
        str | None,
        typer.Option(
            envvar="HARNESS_VIEW_CODE",
            help=(
                "Code for viewers, who can play and download recordings, but can't join the room or delete anything. "
                "By default, viewers need the join code."
            ),
        ),
    ] = None,
    limit: Annotated[
        list[str] | None,
        typer.Option(
            envvar="HARNESS_LIMIT",
            help="Change one of the server's limits, for example participants=10. This option can be repeated.",
            metavar="NAME=N",
        ),
    ] = None,
    recordings: RecordingsOption = Path("recordings"),
    sfu: SfuOption = None,
    sfu_room: SfuRoomOption = None,
    ice_server: IceServerOption = None,
    relay_only: RelayOnlyOption = False,
    debug: DebugOption = False,
) -> None:
    """Serve a room until Ctrl-C is pressed. With --host, participants can also join from other machines.

    Every recording is stored in the recordings folder and listed on the page, where participants can play, verify,
    download and delete it.

    For example:

    - harness serve
    - harness serve --host 0.0.0.0 --cert cert.pem --key key.pem
    - harness serve --origin https://rooms.example.com --limit participants=10
    """
    if debug:
        debugging(on=True)
    from harness.server.access.descriptors import raise_soft_limit
    from harness.server.access.limits import ServerLimits
    from harness.server.access.network import is_loopback, parse_host
    from harness.server.rooms.routes import Routes
    from harness.server.serve_options import ServeOptions

    host = parse_host(host)
    remote = not is_loopback(host)
    if remote and cert is None and not insecure:
        message = (
            f"--host: {host} is reached from other machines, which needs TLS: give --cert and --key. Without TLS, "
            "Chrome allows pages neither a camera nor recording; use --insecure only behind a proxy that adds TLS."
        )
        raise ConfigError(message)
    if code is None and (remote or origin):
        code = "-".join("".join(secrets.choice(_CODE_LETTERS) for _ in range(4)) for _ in range(3))
    options = ServeOptions(
        host=host,
        port=port,
        tls=_tls(cert, key),
        origins=tuple(origin or ()),
        join_code=code,
        view_code=view_code,
        limits=ServerLimits.parse(limit or ()),
        routes=Routes.parse(sfu=sfu, sfu_room=sfu_room, ice_servers=ice_server or (), relay_only=relay_only),
    )
    raise_soft_limit()
    raise typer.Exit(_serve_until_interrupted(options, recordings.absolute()))


def _serve_until_interrupted(options: ServeOptions, folder: Path) -> int:
    """Serve the room until a signal arrives, print each published recording, and return the signal's exit code."""
    from harness.launch import serve_public_room
    from harness.server.access.network import is_loopback

    console = make_console(stderr=True)

    def print_published(recording: Recording) -> None:
        console.print(shown(f"Saved {recording.path}"), markup=False, soft_wrap=True)

    with (
        # If the program is interrupted before the server runs, no cleanup is needed: the next start recovers
        # everything.
        serve_public_room(options, recordings=folder, on_published=print_published) as server,
        interruptible() as interruption,
    ):
        console.print(shown(_invitation(server.urls, folder, options)), markup=False, soft_wrap=True)
        if options.tls is None and not is_loopback(options.host):
            print_message("With --insecure, anybody on the network path can read and change the traffic.")
        never = threading.Event()
        while not interruption:
            never.wait(_POLL_INTERVAL)
        server.stop()
        for recording in server.publish(folder):
            print_published(recording)
    return interruption.exit_code or 0


def _tls(cert: Path | None, key: Path | None) -> ssl.SSLContext | None:
    """Return a TLS context for the given certificate, or None if no certificate is given."""
    if cert is None:
        if key is not None:
            message = f"--key: {key} has no effect without --cert; give the certificate as well."
            raise ConfigError(message)
        return None
    for option, path in (("--cert", cert), ("--key", key)):
        if path is not None and path.exists() and not path.is_file():
            message = f"{option}: {path} is not a file."
            raise ConfigError(message)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(cert, key)
    except FileNotFoundError as error:
        missing = next(path for path in (cert, key) if path is not None and not path.is_file())
        message = f"--cert and --key: {missing} does not exist."
        raise ConfigError(message) from error
    except (OSError, ssl.SSLError) as error:
        with_key = f" with {key}" if key else ""
        message = f"--cert: {cert}{with_key} is not a valid certificate with a private key: {error.strerror or error}."
        raise ConfigError(message) from error
    return context


def _invitation(urls: list[str], folder: Path, options: ServeOptions) -> str:
    """Return a message that explains who can join, how to record, and where recordings are stored."""
    from harness.server.access.network import is_loopback

    audience = "everybody on this machine, and nobody else"
    if not is_loopback(options.host):
        audience = "everybody who can reach this machine"
    elif options.origins:
        audience = "everybody on this machine, and everybody admitted by the proxy"
    code, view_code = options.join_code, options.view_code
    others = [url for url in urls[1:] if "//localhost" not in url]
    return "\n".join(
        (
            f"The room is at {urls[0]}",
            *(f"             and {url}" for url in others),
            f"  who can open it:   {audience}",
            *([f"  code for joining:  {code}"] if code else []),
            *([f"  code for viewing:  {view_code} (gives access only to the recordings)"] if view_code else []),
            "  to join:           open the address in Chrome and enter a name; use one window for each participant",
            "  to record:         press Start next to the tiles, and Stop at the end",
            f"  recordings:        stored in {folder}, and listed on the page with their results",
            "  to stop:           press Ctrl-C",
        )
    )
