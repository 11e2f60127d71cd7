"""Implement ``harness browser``, which installs a Chrome browser."""

from __future__ import annotations

import typer

from harness.cli.options import DebugOption, debugging

app = typer.Typer(help="Install a Chrome browser to record with.", no_args_is_help=True)


@app.callback()
def browser() -> None:
    """Install a Chrome browser to record with."""


@app.command()
def install(*, debug: DebugOption = False) -> None:
    """Install Playwright's Chromium, or Debian's ``chromium`` package, unless Chrome is already installed.

    For example:

    - harness browser install
    """
    if debug:
        debugging(on=True)
    from harness.browser.install import install as install_browser

    found = install_browser()
    typer.echo(f"{found.executable} {found.version} ({found.how_found})", err=True)
