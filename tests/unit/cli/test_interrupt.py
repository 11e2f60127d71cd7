"""Test signals: Ctrl-C during startup prints no traceback, and SIGHUP ends the program like SIGTERM."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.support.program import PROGRAM, running_harness

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.parallel

SERVE = ("serve", "--port", "0")


@pytest.mark.parametrize(
    "module", ["logging", "typer.main", "rich.console", "harness.cli.main", "harness.launch", "aiohttp.web"]
)
def test_ctrl_c_during_imports_ends_the_program_quietly(tmp_path: Path, module: str) -> None:
    """After Ctrl-C, the exit code is 130, and no traceback is printed.

    In this test, ``-X importtime`` prints each import, so that Ctrl-C can be sent during a specific import.
    """
    program = subprocess.Popen(
        [sys.executable, "-X", "importtime", "-m", "harness", *SERVE],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert program.stderr is not None
    # The program prints a line that contains "Ctrl-C" once everything is imported.
    seen = next(line for line in program.stderr if line.split()[-1:] == [module] or "Ctrl-C" in line)
    program.send_signal(signal.SIGINT)
    _, complaints = program.communicate(timeout=30)

    assert "Ctrl-C" not in seen
    assert 130 == program.returncode, complaints
    assert "Traceback" not in complaints
    assert "KeyboardInterrupt" not in complaints


def test_ctrl_c_while_a_batch_worker_starts_is_quiet(tmp_path: Path) -> None:
    """While a worker starts, Ctrl-C reaches both the worker and its parent, but only the parent handles it."""
    (tmp_path / "scenario.toml").write_text('steps = [ { join = "alice" }, { start = "alice" } ]')
    program = subprocess.Popen(
        [sys.executable, "-X", "importtime", "-m", "harness", "run", "scenario.toml", "--executable", "/missing"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert program.stderr is not None
    modules = (line.split()[-1:] for line in program.stderr)
    # This module is imported by both the program and the worker.
    for _ in range(2):
        assert any(module == ["harness.recording.spool.recover"] for module in modules)
    os.killpg(program.pid, signal.SIGINT)
    _, complaints = program.communicate(timeout=30)

    assert 130 == program.returncode, complaints
    assert "Traceback" not in complaints


def _wait_until_it_serves(program: subprocess.Popen[str]) -> None:
    assert program.stderr is not None
    assert any("Ctrl-C" in line for line in program.stderr)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGHUP, 129), (signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signal_ends_serve_cleanly(tmp_path: Path, number: signal.Signals, code: int) -> None:
    """The exit code of ``harness serve`` shows which signal ended the program."""
    with running_harness(*SERVE, folder=tmp_path) as program:
        _wait_until_it_serves(program)
        os.killpg(program.pid, number)

        assert code == program.wait(20)


@pytest.mark.skipif(shutil.which("nohup") is None, reason="This system has no nohup.")
def test_sighup_stays_ignored_under_nohup(tmp_path: Path) -> None:
    """If SIGHUP is ignored, SIGTERM still ends the program with exit code 143."""
    program = subprocess.Popen(
        ["nohup", *PROGRAM, *SERVE],
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    _wait_until_it_serves(program)
    os.killpg(program.pid, signal.SIGHUP)
    os.killpg(program.pid, signal.SIGTERM)
    program.communicate(timeout=20)

    assert 143 == program.returncode
