"""Implement ``harness browser``, which installs a Chrome browser and fonts."""

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

    As root on Debian or Ubuntu, also install fonts for Arabic, Chinese, Japanese, Korean and emoji, unless other
    fonts can already draw them. The package fonts-noto-cjk is about 60 MB.

    For example:

    - harness browser install
    """
    if debug:
        debugging(on=True)
    from harness.browser.install import install as install_browser
    from harness.browser.install import install_fonts

    found = install_browser()
    install_fonts(found)
    typer.echo(f"{found.executable} {found.version} ({found.how_found})", err=True)
