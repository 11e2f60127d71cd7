"""``harness record --url`` records a call in an unmodified application from the command line."""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING

from tests.support.program import run_harness
from tests.support.reports import failed_findings
from tests.support.servers.guarded_site import HEADER, PASSWORD, USER, GuardedSite

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from tests.support.servers.application_site import Site


def test_record_command_records_the_call_of_an_application(site: Site, tmp_path: Path) -> None:
    """Two participants open the URL, and a script joins the call for them. The report lists both participants."""
    (tmp_path / "join.py").write_text(
        "def join(page, name):\n"
        "    page.get_by_role('heading', name='A call with simple-peer').wait_for()\n"
        "    assert 'somebody' == page.evaluate('() => localStorage.getItem(\"logged in\")')\n"
    )
    logged_in = [{"name": "logged in", "value": "somebody"}]
    state = {"cookies": [], "origins": [{"origin": site.url, "localStorage": logged_in}]}
    (tmp_path / "state.json").write_text(json.dumps(state))

    ran = run_harness(
        *("record", "alice", "bob", "--url", f"{site.url}/simple-peer.html?room=shell", "--script", "join.py"),
        *("--storage-state", "state.json"),
        *("--seconds", "3", "--name", "theirs", "--json"),
        folder=tmp_path,
    )

    answer = json.loads(ran.stdout)
    assert [] == failed_findings(answer), ran.stderr
    assert {"passed": 0, "failed": 1, "unverified": 4}[answer["result"]] == ran.returncode
    assert str(tmp_path / "recordings" / "theirs.webm") == answer["recordings"][0]["path"]
    assert ["alice", "bob"] == [one["name"] for one in answer["reports"][0]["participants"]]


def _storage_state(path: Path, login: str) -> str:
    """Write the storage state of a user who has logged in to the guarded site, and return the file's name."""
    cookie = {"name": "login", "value": login, "domain": "staging.localhost", "path": "/"}
    path.write_text(json.dumps({"cookies": [cookie | {"expires": -1}], "origins": []}))
    return path.name


def test_every_participant_logs_in_to_a_staging_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server has an untrusted certificate and requires a password, a header, and a login for each participant.

    Bob leaves the call early, so the report fails.
    """
    (tmp_path / "join.py").write_text(
        "def join(page, name):\n"
        "    if name == 'bob':\n"
        "        page.get_by_text('with 1').wait_for()\n"
        "        page.evaluate(\"() => void setTimeout(() => document.querySelector('#hang-up').click(), 6000)\")\n"
    )
    logins = [f"{name}={_storage_state(tmp_path / f'{name}.json', f'{name}-in')}" for name in ("alice", "bob")]
    monkeypatch.setenv("HARNESS_HTTP_CREDENTIALS", f"{USER}:{PASSWORD}")
    with GuardedSite(header="42") as site:
        ran = run_harness(
            *("record", "alice", "bob", "--url", f"{site.url}/simple-peer.html?room=shell", "--script", "join.py"),
            *("--storage-state", logins[0], "--storage-state", logins[1], "--ignore-https-errors"),
            *("--header", f"{HEADER}: 42", "--seconds", "8", "--json"),
            folder=tmp_path,
        )

    answer = json.loads(ran.stdout)
    assert {"alice-in", "bob-in"} == site.logins
    assert 1 == ran.returncode, ran.stderr
    (bob_left,) = [one["message"] for one in failed_findings(answer) if one["participant"] == "bob"]
    assert bob_left.startswith("bob was not in the call from")


def test_unreachable_address_is_reported(tmp_path: Path) -> None:
    """If the URL is unreachable, the error contains the address and the reason, without a traceback."""
    with socket.socket() as closed_port:
        closed_port.bind(("127.0.0.1", 0))
        url = f"https://localhost:{closed_port.getsockname()[1]}/"

        ran = run_harness("record", "alice", "--url", url, folder=tmp_path)

    assert 2 == ran.returncode
    assert f"--url: {url} can't be opened: net::ERR_CONNECTION_REFUSED" in ran.stderr
    assert "Traceback" not in ran.stderr
