"""``harness serve``: serves a room that anybody with a browser can join."""

from __future__ import annotations

import secrets
import ssl
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.console import Console

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
from harness.errors import ConfigError
from harness.recording.files.text import shown

if TYPE_CHECKING:
    from harness.recording.recording import Recording

_POLL_INTERVAL: Final = 0.2
# Codes are read from one screen and typed on another, so 0 and O, 1 and I are left out.
_CODE_LETTERS: Final = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
_SHORTEST_CODE: Final = 8


def serve(
    *,
    host: Annotated[
        str, typer.Option(envvar="HARNESS_HOST", help="Address to serve on. 0.0.0.0 is every address of this machine.")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(envvar="HARNESS_PORT", help="Port to serve on. 0 uses a free one.", min=0, max=65535)
    ] = 8080,
    cert: Annotated[
        Path | None, typer.Option(envvar="HARNESS_CERT", help="Certificate for https, as PEM.", metavar="FILE")
    ] = None,
    key: Annotated[
        Path | None, typer.Option(envvar="HARNESS_KEY", help="Its key, if it is in another file.", metavar="FILE")
    ] = None,
    insecure: Annotated[
        bool, typer.Option("--insecure", envvar="HARNESS_INSECURE", help="Serve other machines without TLS.")
    ] = False,
    origin: Annotated[
        list[str] | None,
        typer.Option(
            envvar="HARNESS_ORIGIN",
            help="Address at which a proxy makes the server reachable. Repeat for several.",
            metavar="URL",
        ),
    ] = None,
    code: Annotated[
        str | None,
        typer.Option(
            envvar="HARNESS_CODE", help="Code that participants need to join.", show_default="generated beyond loopback"
        ),
    ] = None,
    view_code: Annotated[
        str | None,
        typer.Option(
            envvar="HARNESS_VIEW_CODE",
            help="Code that shows the recordings, without delete, and admits nobody to the room.",
            show_default="the join code",
        ),
    ] = None,
    limit: Annotated[
        list[str] | None,
        typer.Option(
            envvar="HARNESS_LIMIT",
            help="Limit of the server, for example participants=10. Repeat for several.",
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
    """Serve a room until Ctrl-C: to participants on this machine, or on other machines with --host.

    Every recording is stored in the recordings folder and listed on the page, where it can be played, verified,
    downloaded and deleted.

    For example:

    - harness serve
    - harness serve --host 0.0.0.0 --cert cert.pem --key key.pem
    - harness serve --origin https://rooms.example.com --limit participants=10
    """
    if debug:
        debugging(on=True)
    from harness.launch import open_door
    from harness.server.access.descriptors import raise_soft_limit
    from harness.server.access.limits import Limits
    from harness.server.access.network import is_loopback, parse_host
    from harness.server.rooms.routes import Routes

    origins = [_origin(one) for one in origin or ()]
    host = parse_host(host)
    far = not is_loopback(host)
    if far and cert is None and not insecure:
        message = (
            f"--host: {host} is reached from other machines, which needs TLS: give --cert and --key. Chrome gives "
            "pages without it neither camera nor recording; --insecure is for a proxy in front that has it."
        )
        raise ConfigError(message)
    routes = Routes.parse(sfu=sfu, sfu_room=sfu_room, ice_servers=ice_server or (), relay_only=relay_only)
    limits = Limits.parse(limit or ())
    tls = _tls(cert, key)
    if code is None and (far or origins):
        code = "-".join("".join(secrets.choice(_CODE_LETTERS) for _ in range(4)) for _ in range(3))
    _check_codes(code, view_code)
    raise_soft_limit()
    console = Console(stderr=True, soft_wrap=True, highlight=False)
    folder = recordings.absolute()

    def kept(recording: Recording) -> None:
        console.print(shown(f"Kept {recording.path}"), markup=False)

    with (
        # Before it serves there is nothing to end properly: recovery begins anew the next time.
        open_door(
            recordings=folder,
            kept=kept,
            host=host,
            port=port,
            routes=routes,
            join_code=code,
            view_code=view_code,
            limits=limits,
            tls=tls,
            origins=origins,
        ) as server,
        interruptible() as interruption,
    ):
        invitation = _invitation(server.urls, folder, code=code, view_code=view_code, far=far, proxied=bool(origins))
        console.print(shown(invitation), markup=False)
        if far and tls is None:
            print_message("Everybody on the way can read and change what goes over this network: --insecure.")
        never = threading.Event()
        while not interruption:
            never.wait(_POLL_INTERVAL)
        server.stop()
        for recording in server.keep(folder):
            kept(recording)
    raise typer.Exit(interruption.exit_code or 0)


def _check_codes(code: str | None, view_code: str | None) -> None:
    """Raise ConfigError for codes that keep nobody out, or everybody."""
    from harness.server.access.tokens import LONGEST_CODE

    for option, given in (("--code", code), ("--view-code", view_code)):
        if given is not None and len(given) < _SHORTEST_CODE:
            message = f"{option}: {len(given)} characters can be guessed; use {_SHORTEST_CODE} or more."
            raise ConfigError(message)
        if given is not None and (len(given) > LONGEST_CODE or not given.isprintable()):
            message = f"{option}: nobody can type that; use {LONGEST_CODE} letters, digits and signs at most."
            raise ConfigError(message)
    if view_code is not None and code is None:
        message = "--view-code: without --code everybody joins, and sees the recordings; give one, too."
        raise ConfigError(message)
    if view_code is not None and code is not None and view_code.upper() == code.upper():
        message = "--view-code: it is the join code, which shows the recordings anyway; leave it out or give another."
        raise ConfigError(message)


def _origin(given: str) -> str:
    """Return an address as browsers say it in Origin: in lower case, and without the port that its scheme has."""
    if "@" in given:
        message = "--origin: browsers say no name and password before an '@'; leave them out."
        raise ConfigError(message)
    from harness.server.access.network import normal_origin

    origin = normal_origin(given.removesuffix("/"))
    if origin is None:
        message = f"--origin: {given!r} is no address of a server, as https://rooms.example.com is."
        raise ConfigError(message)
    return origin


def _tls(cert: Path | None, key: Path | None) -> ssl.SSLContext | None:
    """Return the TLS context of the certificate; None without one."""
    if cert is None:
        if key is not None:
            message = f"--key: {key} is of no use without --cert."
            raise ConfigError(message)
        return None
    for option, path in (("--cert", cert), ("--key", key)):
        if path is not None and path.exists() and not path.is_file():
            message = f"{option}: {path} is no file."
            raise ConfigError(message)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(cert, key)
    except FileNotFoundError as error:
        missing = next(path for path in (cert, key) if path is not None and not path.is_file())
        message = f"--cert and --key: there is no {missing}."
        raise ConfigError(message) from error
    except (OSError, ssl.SSLError) as error:
        with_key = f" with {key}" if key else ""
        message = f"--cert: {cert}{with_key} is no certificate with its key: {error.strerror or error}."
        raise ConfigError(message) from error
    return context


def _invitation(
    urls: list[str],
    folder: Path,
    *,
    code: str | None = None,
    view_code: str | None = None,
    far: bool = False,
    proxied: bool = False,
) -> str:
    """Return a text that explains who can join, how to record, and where recordings are stored."""
    audience = "everybody on this machine, and nobody else"
    if far:
        audience = "everybody who can reach this machine"
    elif proxied:
        audience = "everybody on this machine, and everybody whom the proxy admits"
    others = [url for url in urls[1:] if "//localhost" not in url]
    return "\n".join(
        (
            f"The room is at {urls[0]}",
            *(f"             and {url}" for url in others),
            f"  who can open it  {audience}",
            *([f"  code to join     {code}"] if code else []),
            *([f"  code to view     {view_code} only shows the recordings"] if view_code else []),
            "  to join          open it in Chrome and enter a name; use another window for a second participant",
            "  to record        press Start next to the tiles, later Stop",
            f"  recordings       are stored in {folder}, and listed on the page with their results",
            "  to stop          Ctrl-C",
        )
    )
