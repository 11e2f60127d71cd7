"""Scenarios: what happens in a room, step by step, from a file to recordings and their verdicts."""

from harness.scenario.play import Outcome, Progress, play
from harness.scenario.read import read_scenario
from harness.scenario.steps import Scenario

__all__ = ["Outcome", "Progress", "Scenario", "play", "read_scenario"]
