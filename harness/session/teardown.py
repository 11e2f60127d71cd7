"""Run all steps of a teardown, even if some of them raise exceptions."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


def run_every_step(steps: Iterable[Callable[[], object]]) -> None:
    """Run all steps in order, even if some of them raise exceptions, and raise the first exception at the end."""
    first: BaseException | None = None
    for step in steps:
        try:
            step()
        except BaseException as error:  # noqa: BLE001 - raised below; even Ctrl-C must not lose a recording
            first = first or error
    if first is not None:
        raise first
