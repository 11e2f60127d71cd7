"""``python scripts/checks_docs.py``: writes docs/checks.md from the checks and limits; ``--check`` only compares it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from harness.verification.checks.catalogue import CHECKS, Check
from harness.verification.checks.descriptions import DESCRIPTIONS
from harness.verification.values.limits import Limits

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

PAGE: Final = Path(__file__).parents[1] / "docs" / "checks.md"
# The unit of a limit by the end of its name; all others are in seconds.
_UNITS: Final = {"_percent": "%", "_ms": "ms", "_ppm": "ppm", "_frames": "frames"}
HEAD: Final = """# Report and checks

A report is the result of verifying one file. `verify` and the fixture `verify_recording` return a report. `harness verify`,
`harness record`, `harness run` and `harness convert` print reports. A report can be written as
[HTML](output-files.md#html-report), [JUnit XML](output-files.md#junit-xml) and [JSON](output-files.md#report).
`python scripts/checks_docs.py` writes this page from the code of the checks.

## Result

A report consists of findings. Each finding is one result of a check, for the whole file or for one participant.

| result | meaning | in Python | exit code |
| --- | --- | --- | --- |
| passed | Every check that ran has passed. | `report.ok` is true | 0 |
| passed with warnings | Every check that ran has passed, and some findings are worth reading. `report.warnings` lists them. | `report.ok` is true | 0 |
| failed | At least one finding is a failure. `report.failures` lists them, and `report.raise_for_failures()` raises an error. | `report.ok` is false | 1 |

A warning means that something could not be examined, that a busy machine missed a few frames, or that the recording is
not complete. `complete=True` turns the warnings about an incomplete recording into failures.

A check lists at most eleven findings of one kind. The last finding gives the number of similar findings that were left out.

## Markers and manifest

A synthetic participant sends *markers*: a strip of cells in the video contains the participant's number, a counter and the
time of capture, and a tone with bursts in the audio identifies the participant. With markers the harness measures when
each participant is visible and audible, which frames are repeated or skipped, and the A/V offset. Participants with a
real camera or a video file have no markers; only the checks of the whole file apply to them, and the check `presence`
warns that they were not examined.

The *manifest* next to the file specifies what should be in it: participants, their times and tiles, size and frame rate.
Without a manifest, fewer checks run, and a warning lists the others.

## Numbers of a participant

The table in the terminal has one row for each synthetic participant. In Python, `report.participant("alice")` returns the
same numbers.

| column | in Python and JSON | unit | meaning |
| --- | --- | --- | --- |
| present | `present` | s | Total time in which the participant is visible or audible. |
| fps | `video.frame_rate` | fps | Number of different frames per second while the participant is visible. |
| repeated | <span class="variable">`video.repeated_percent`</span> | % | Share of the participant's frames that repeat the frame before, beyond an exact conversion of the frame rate. |
| skipped | <span class="variable">`video.skipped_percent`</span> | % | Frames of the sender that are missing in the file, relative to the frames in the file. |
| frozen | `video.frozen` | s | Total time of the intervals in which one frame is shown for longer than 0.2 s. |
| audible | `audio.audible` | s | Total time in which the participant's tone is in the audio. |
| A/V | `av_offset_ms` | ms | Median of audio minus video. Positive when the audio is late. |
| | `drift_ppm` | ppm | How fast the A/V offset grows, measured over at least a minute. |
| | `delay_ms` | ms | Time from the capture of a frame to its time in the file. |

A `-` means that there is nothing to show: the participant was not there, or the value could not be measured. In Python and
JSON, times are intervals with start and end. A participant who is not in a manifest is called `marker 5`, for example.

## Change limits

Each limit has a default, with its reason in the tables below. A larger limit is more tolerant.

In Python, pass [`Limits`](reference.md#harness.Limits):

```python
from harness import Limits, verify

report = verify("recordings/standup.webm", limits=Limits(av_offset_ms=120, repeated_percent=1))
```

On the command line and in pytest, write an expectations file. The file contains limits with the same names, a
duration, and [expectations](reference.md#harness.Expectation): which participants should be visible or audible, and when.

```toml
# expect.toml
duration = 30.0
complete = true

[limits]
av_offset_ms = 120
repeated_percent = 1

[[expect]]
participant = "bob"
audible = false
from = 5
to = 8
```

```sh
harness verify recordings/standup.webm --expect expect.toml
pytest --recordings-expect expect.toml
```

In a scenario, the step `download` has `duration`, `limits` and `expect` with the same keys: [Scenarios](scenarios.md).
"""  # noqa: E501 - rows of tables


def main() -> int:
    """Write the page, or compare it; exit 1 if it differs."""
    text = page()
    if sys.argv[1:] == ["--check"]:
        if text == PAGE.read_text(encoding="utf-8"):
            return 0
        sys.stderr.write(f"{PAGE.name} differs from the checks: run python scripts/checks_docs.py.\n")
        return 1
    PAGE.write_text(text, encoding="utf-8")
    return 0


def page() -> str:
    """Return the whole page."""
    return "\n".join((HEAD, *_overview(), *(line for check in CHECKS for line in _section(check)), *_all_limits()))


def _overview() -> Iterator[str]:
    yield from ("## Checks", "", "| check | question | limits |", "| --- | --- | --- |")
    for check in CHECKS:
        limits = ", ".join(f"`{name}`" for name in DESCRIPTIONS[check.name].limits)
        yield f"| [`{check.name}`](#{check.name}) | {check.question} | {limits} |"
    yield ""


def _section(check: Check) -> Iterator[str]:
    about = DESCRIPTIONS[check.name]
    yield from (f"### `{check.name}`", "", f"{about.measures} {about.needs}", "")
    yield from ("**Fails if:**", "", *(f"- {reason}" for reason in about.fails), "")
    if about.warns:
        yield from ("**Warns if:**", "", *(f"- {reason}" for reason in about.warns), "")
    if about.limits:
        yield from ("| limit | default | meaning |", "| --- | --- | --- |")
        yield from (
            f"| `{name}` | {_default(name)} | {Limits.model_fields[name].description} |" for name in about.limits
        )
        yield ""


def _all_limits() -> Iterator[str]:
    yield from ("## All limits", "", "| limit | default | used by |", "| --- | --- | --- |")
    for name in Limits.model_fields:
        yield f"| `{name}` | {_default(name)} | {', '.join(_users(name))} |"
    yield ""


def _users(limit: str) -> Sequence[str]:
    return [f"[`{check.name}`](#{check.name})" for check in CHECKS if limit in DESCRIPTIONS[check.name].limits]


def _default(name: str) -> str:
    unit = next((unit for end, unit in _UNITS.items() if name.endswith(end)), "s")
    return f"{Limits.model_fields[name].default:g} {unit}"


if __name__ == "__main__":
    sys.exit(main())
