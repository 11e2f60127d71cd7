"""Server limits are parsed and documented correctly, and Rate accepts the right number of messages."""

from __future__ import annotations

import re
import time
from dataclasses import asdict
from pathlib import Path

import pytest

from harness.errors import ConfigError
from harness.server.access.limits import Rate, ServerLimits, is_too_deep

pytestmark = pytest.mark.parallel

DOCUMENT = Path(__file__).parents[3] / "docs" / "security.md"


def test_limits_are_parsed_from_names_and_numbers() -> None:
    """The name of a limit can contain dashes, and its value can have a suffix such as G."""
    limits = ServerLimits.parse(["participants=10", "recording-bytes=2G", "comes_back=2.5", "idle = 1k"])

    assert asdict(limits) == asdict(
        ServerLimits(participants=10, recording_bytes=2_000_000_000, comes_back=2.5, idle=1_000.0)
    )


def test_a_rate_allows_a_burst_of_twenty_seconds_after_a_silence() -> None:
    """After a silence, for example during a reconnect, a page may send 20 seconds' worth of messages at once."""
    now = 0.0
    rate = Rate(2, clock=lambda: now)

    at_once = sum(rate.accept() for _ in range(100))
    now = 1.5
    later = sum(rate.accept() for _ in range(100))
    now = 1_000_000.0
    much_later = sum(rate.accept() for _ in range(100))

    assert (at_once, later, much_later) == (40, 3, 40)


@pytest.mark.parametrize(
    ("text", "deep"),
    [
        ("[[[]]]", False),
        ("[[[[]]]]", True),
        ('{"a":{"b":{"c":{}}}}', True),
        ('{"a":[{}],"b":[{}],"c":[{}]}', False),
        ('{"a":"[[[[[[{{{{{{"}', False),
        (r'{"a":"\"[[[[[["}', False),
        ('{"a":"\\\\",' + '"b":[[[[]]]]}', True),
        ("[" * 100_000, True),
    ],
)
def test_nesting_is_counted_outside_of_strings(text: str, *, deep: bool) -> None:
    """Brackets inside JSON strings do not count as nesting."""
    assert is_too_deep(text, 3) == deep


@pytest.mark.parametrize("text", ["[" * 17 + '"' + '\\"' * 2_000_000, "[" * 17 + '"' * 2_000_001, "[" * 17 + '"\\'])
def test_nesting_is_measured_in_one_pass(text: str) -> None:
    """Measuring the nesting depth is fast even for millions of quotes and backslashes, or an unterminated string."""
    began = time.process_time()

    assert is_too_deep(text, 16)
    assert time.process_time() - began < 5


@pytest.mark.parametrize("given", ["participants=257", "name=201", "spool-message=5M"])
def test_limits_that_cannot_work_are_refused(given: str) -> None:
    """Some limits have a maximum, since layouts, timelines, aiohttp and the code that reads logs can't handle more."""
    with pytest.raises(ConfigError, match="at most"):
        ServerLimits.parse([given])


def test_each_limit_is_documented_with_its_default() -> None:
    """The documentation lists each limit under its command-line name."""
    documented = re.findall(r"^\| `([a-z-]+)` \| (\d+) \|", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE)

    assert [(name.replace("_", "-"), float(value)) for name, value in asdict(ServerLimits()).items()] == [
        (name, float(value)) for name, value in documented
    ]
