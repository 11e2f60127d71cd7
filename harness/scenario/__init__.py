"""Run scenarios: the steps that participants take in a room, and what the recordings are expected to contain.

In: a TOML or YAML file.  Out: an outcome with recordings and their reports.
Called by ``harness run`` through ``harness.batch``.
"""

from harness.scenario.outcome import Outcome, Progress
from harness.scenario.parser import read_scenario
from harness.scenario.runner import play
from harness.scenario.steps import Scenario

__all__ = ["Outcome", "Progress", "Scenario", "play", "read_scenario"]
