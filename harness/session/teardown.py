"""Teardown: every step is done, even if an earlier one raises."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


def run_every_step(steps: Iterable[Callable[[], object]]) -> None:
    """Run the steps in order, even if one of them raises; then raise the first error."""
    first: BaseException | None = None
    for step in steps:
        try:
            step()
        except BaseException as error:  # noqa: BLE001 - it is raised below; Ctrl-C must not lose a recording either
            first = first or error
    if first is not None:
        raise first
