"""Scenarios: what happens in a room, step by step, from a file to recordings and their verdicts."""

from harness.scenario.parser import read_scenario
from harness.scenario.runner import Outcome, Progress, play
from harness.scenario.steps import Scenario

__all__ = ["Outcome", "Progress", "Scenario", "play", "read_scenario"]
