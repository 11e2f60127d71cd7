"""Run scenarios, which specify the steps that participants take in a room and what the recordings should contain.

Input: a TOML or YAML file.  Output: an outcome with recordings and their reports.
Called by ``harness run`` through ``harness.batch``.
"""

from harness.scenario.outcome import Outcome, Progress
from harness.scenario.parser import read_scenario
from harness.scenario.runner import play
from harness.scenario.steps import Scenario

__all__ = ["Outcome", "Progress", "Scenario", "play", "read_scenario"]
