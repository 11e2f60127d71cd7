"""Fixtures that open unmodified applications in attached pages."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.servers.application_site import NODE_MODULES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import BrowserContext

    from harness import Participant, Room


@pytest.fixture
def enter(room: Room, new_context: Callable[..., BrowserContext]) -> Callable[..., Participant]:
    """Return a function that attaches a participant's page and opens an application in it."""

    def enter(url: str, name: str, **options: Any) -> Participant:
        page = new_context(ignore_https_errors=True).new_page()
        participant = room.attach(page, name, **options)
        page.goto(url)
        return participant

    return enter


@pytest.fixture(scope="session")
def peer_server() -> Iterator[int]:
    """Run the PeerJS server, and yield its port."""
    script = """
      const { PeerServer } = require('peer');
      const server = PeerServer({ port: 0, host: '127.0.0.1', path: '/peers' }, (http) =>
        console.log(http.address().port));
    """
    with subprocess.Popen(
        ["node", "-e", script], cwd=NODE_MODULES.parent, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        yield int(process.stdout.readline())
        process.terminate()
