"""Scenarios with impossible expectations or waits are refused before the first participant joins."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest

from harness.errors import ConfigError, StepTimeout
from harness.scenario import Scenario, read_scenario
from harness.scenario.runner import _ScenarioRun
from harness.scenario.steps import Join, WaitExpectation

if TYPE_CHECKING:
    from pathlib import Path

    from harness.session.room import Room

pytestmark = pytest.mark.parallel

BEGIN = """steps = [
  { join = ["alice", "bob"] },
  { start = "alice" },
"""
LINE = 4
STEP = 3


def read(folder: Path, *steps: str, begin: str = BEGIN) -> None:
    """Read a scenario that consists of the opening lines in ``begin`` and the given steps."""
    path = folder / "scenario.toml"
    path.write_text(begin + "".join(f"  {{ {step} }},\n" for step in steps) + "]\n", encoding="utf-8")
    read_scenario(path)


def expecting(verb: str, what: str) -> str:
    """Return a step with one expectation."""
    return f"{verb}, expect = [{{ {what} }}]"


@pytest.mark.parametrize(
    ("steps", "reason"),
    [
        (
            [expecting("wait = 3", 'participant = "Bob", audible = true')],
            "Bob has not joined yet; participants so far: alice, bob",
        ),
        (
            [expecting('download = "alice"', 'participant = "Bob", visible = false')],
            "Bob has not joined yet; participants so far: alice, bob",
        ),
        (
            [expecting('download = "alice"', 'participant = "bob", visible = true, from = 1, to = 1.4')],
            "from 1 to 1.4 s is too short to determine",
        ),
        (
            [expecting('download = "alice", duration = 5', 'participant = "bob", visible = true, from = 30')],
            "an expectation for bob ends at 30 s, but the recording's expected length is 5 s",
        ),
        (
            ['pause = "alice"', expecting("wait = 3", 'participant = "bob", audible = true')],
            "there is an expectation, but no recording is in progress; the recording of alice is paused",
        ),
        (
            ['stop = "alice"', expecting("wait = 3", 'participant = "bob", audible = true')],
            "there is an expectation, but no recording is in progress",
        ),
        (
            ['download = "alice"', expecting("wait = 3", 'participant = "bob", audible = true')],
            "there is an expectation, but no recording is in progress",
        ),
        (
            ['start = "alice", recorder = "local"', expecting("wait = 3", 'participant = "bob", audible = true')],
            "there is an expectation for bob, but only a local recording of alice is in progress",
        ),
        (['wait_for = "alice", state = "paused"'], "alice's recording is not paused, so this state is never reached"),
        (
            ['wait_for = "alice", state = "cleaned"'],
            "there is no earlier 'clean' step for alice's recording, so this state is never reached",
        ),
        (
            ['wait_for = "alice", event = "downloaded"'],
            "alice has not downloaded this recording, so this event never occurs",
        ),
        (
            ['pause = "alice"', 'wait_for = "alice", state = "recording"'],
            "alice is not recording, so this state is never reached",
        ),
        (['crash = "alice"', 'wait_for = "alice", state = "stopped"'], "alice's page has crashed"),
        (['crash = "alice"', 'download = "alice"'], "alice's page has crashed"),
    ],
)
def test_impossible_expectation_is_refused_with_its_line(tmp_path: Path, steps: list[str], reason: str) -> None:
    """If the last step of a scenario is impossible, the error contains the line number of this step."""
    with pytest.raises(ConfigError) as refusal:
        read(tmp_path, *steps)

    place = f"scenario.toml:{LINE + len(steps) - 1}: step {STEP + len(steps) - 1}: "
    assert f"{place}{reason}" in str(refusal.value)


@pytest.mark.parametrize("seconds", [1.5, 1.9])
def test_wait_that_is_too_short_to_check_is_refused(tmp_path: Path, seconds: float) -> None:
    """The checked part of a wait must be more than twice as long as the longest absence that the limits allow."""
    with pytest.raises(ConfigError, match=r"must last longer than 1\.9 s"):
        read(tmp_path, expecting(f"wait = {seconds}", 'participant = "bob", audible = true'))


def test_possible_expectation_is_accepted(tmp_path: Path) -> None:
    """Earlier steps, such as a leave, a pause or a download, can make an expectation or a wait possible."""
    read(
        tmp_path,
        expecting("wait = 2", 'participant = "bob", audible = true'),
        'leave = "bob"',
        expecting("wait = 2", 'participant = "bob", audible = false'),
        'pause = "alice"',
        'wait_for = "alice", state = "paused"',
        'resume = "alice"',
        'wait_for = "alice", state = "recording"',
        'wait_for = "alice", elapsed = 4',
        'stop = "alice"',
        'wait_for = "alice", event = "stopped"',
        expecting('download = "alice", duration = 5', 'participant = "bob", visible = true, to = 2'),
        'wait_for = "alice", event = "downloaded"',
        'clean = "alice"',
        'wait_for = "alice", state = "cleaned"',
    )


@pytest.mark.parametrize(
    ("before", "after"),
    [({}, {}), ({"alice": ("one", 1.0)}, {}), ({"alice": ("one", 1.0)}, {"alice": ("two", 0.5)})],
)
def test_expectation_without_a_recording_fails_the_step(
    before: dict[str, tuple[str, float]], after: dict[str, tuple[str, float]]
) -> None:
    """A step that waits fails if no recording ran for the whole wait, for example because it ended unexpectedly."""
    run = _ScenarioRun(
        Scenario(steps=(Join(join="alice"),)), cast("Room", None), on_progress=lambda _: None, interrupted=lambda: False
    )
    run._recorders["alice"] = "all"

    with pytest.raises(StepTimeout, match="No recording that includes bob ran for the whole wait"):
        run._expect(WaitExpectation(participant="bob", audible=True), before, after)

    assert {} == run.requirements
