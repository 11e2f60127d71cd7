"""A scenario's recordings are compared with strict limits, unless something makes these limits unfair."""

from pathlib import Path

import pytest

from harness.browser.budget import Budget, Need
from harness.errors import ConfigError
from harness.launch import room_profile
from harness.scenario.parser import read_scenario
from harness.server.rooms.routes import Routes
from harness.session.venue import Venue
from harness.verification import Limits
from harness.verification.values.profiles import STRICT_PROFILE

pytestmark = pytest.mark.parallel

STEPS = 'steps = [{ join = "alice" }, { start = "alice" }, { download = "alice"%s }]'


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (STEPS % "", ("strict", Limits.strict())),
        ('profile = "default"\n' + STEPS % "", ("default", Limits())),
        (STEPS % ", limits = { frozen = 1 }", ("custom", Limits.strict().model_copy(update={"frozen": 1}))),
        (
            'profile = "office"\n' + STEPS % "" + "\n[profiles.office]\nfrozen = 0.5",
            ("office", Limits(frozen=0.5)),
        ),
    ],
)
def test_limits_of_a_download_change_the_scenarios_profile(
    tmp_path: Path, text: str, expected: tuple[str, Limits]
) -> None:
    """A scenario can choose a profile, and a download can change single limits of this profile."""
    (tmp_path / "scenario.toml").write_text(text)
    scenario = read_scenario(tmp_path / "scenario.toml")

    profile = scenario.limits_of(scenario.steps[-1].limits, STRICT_PROFILE)  # type: ignore[union-attr]

    assert expected == (profile.name, profile.limits)


def test_unknown_profile_is_refused_with_its_line(tmp_path: Path) -> None:
    """The error names the line of the unknown profile, and lists the known profiles."""
    (tmp_path / "scenario.toml").write_text('title = "a"\nprofile = "lax"\n' + STEPS % "")

    with pytest.raises(ConfigError) as error:
        read_scenario(tmp_path / "scenario.toml")

    assert str(error.value).endswith(
        "scenario.toml:2: profile: There is no profile 'lax'; known profiles: default, strict."
    )


@pytest.mark.parametrize(
    ("steps", "undisturbed"),
    [
        ('{ join = "alice" }', True),
        ('{ join = "alice", media = "camera" }', False),
        ('{ join = "alice" }, { network = "alice", loss_percent = 5 }', False),
    ],
)
def test_scenario_with_other_media_or_a_bad_network_is_disturbed(
    tmp_path: Path, steps: str, *, undisturbed: bool
) -> None:
    """Strict limits apply only to synthetic media and a normal network."""
    (tmp_path / "scenario.toml").write_text(f'steps = [{steps}, {{ start = "alice" }}]')

    assert undisturbed == read_scenario(tmp_path / "scenario.toml").is_undisturbed


@pytest.mark.parametrize(
    ("venue", "synthetic", "busy", "profile"),
    [
        (Venue(), True, False, "strict"),
        (Venue(routes=Routes.parse()), True, False, "strict"),
        (Venue(), False, False, "default"),
        (Venue(), True, True, "default"),
        (Venue(connect=["ws://host:1"]), True, False, "default"),
        (Venue(routes=Routes.parse(sfu="janus=ws://host:1")), True, False, "default"),
        (Venue(routes=Routes.parse(ice_servers=["stun:host:1"])), True, False, "default"),
    ],
)
def test_strict_limits_need_synthetic_media_on_one_machine_that_is_not_busy(
    venue: Venue, profile: str, *, synthetic: bool, busy: bool
) -> None:
    """The strict limits were measured in rooms whose media does not leave the machine."""
    assert profile == room_profile(venue, synthetic=synthetic, busy=busy).name


def test_budget_reports_a_machine_that_was_too_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    """If other programs keep all processors busy, a recording that needs most of a processor is too much."""
    budget = Budget()
    monkeypatch.setattr(budget, "used_by_others", lambda: 1_000.0)

    assert budget.was_short(Need(processors=1_000.0, memory=0))
    assert not budget.was_short(Need(processors=0.0, memory=0))
