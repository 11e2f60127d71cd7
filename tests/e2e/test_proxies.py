"""The harness reaches its own server directly, whatever proxy the environment specifies for other hosts."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.support.program import run_harness
from tests.support.reports import failed_findings

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.parallel

# Nothing listens at this address.
DEAD_PROXY = "http://127.0.0.1:9"


@pytest.fixture(params=["HTTP_PROXY HTTPS_PROXY ALL_PROXY", "http_proxy https_proxy all_proxy"], ids=["upper", "lower"])
def _dead_proxy(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Set the uppercase or lowercase variables for proxies to an address at which nothing listens."""
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    for name in request.param.split():
        monkeypatch.setenv(name, DEAD_PROXY)


@pytest.mark.usefixtures("_dead_proxy")
def test_room_is_recorded_despite_a_dead_proxy(tmp_path: Path) -> None:
    """The pages, the downloads and the connections between Python and Chrome do not use the proxy."""
    result = run_harness("record", "alice", "bob", "--seconds", "2", "--name", "demo", "--json", folder=tmp_path)

    answer = json.loads(result.stdout)
    (recording,) = answer["recordings"]
    assert [] == failed_findings(answer), result.stderr
    assert recording["downloaded"] is True
    assert str(tmp_path / "recordings" / "demo.webm") == recording["path"]


@pytest.mark.usefixtures("_dead_proxy")
def test_other_hosts_are_reached_through_the_proxy(tmp_path: Path) -> None:
    """Chrome uses the proxy for all other hosts, and the error names the proxy."""
    result = run_harness("record", "alice", "--url", "http://application.example/", folder=tmp_path)

    assert 2 == result.returncode
    assert "net::ERR_PROXY_CONNECTION_FAILED: the proxy is not responding." in result.stderr
