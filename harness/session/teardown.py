"""Teardown: every step is taken, whatever an earlier one raises."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


def take_every_step(steps: Iterable[Callable[[], object]]) -> None:
    """Take the steps in order, whatever one of them raises; then raise the first error."""
    first: BaseException | None = None
    for step in steps:
        try:
            step()
        except BaseException as error:  # noqa: BLE001 - it is raised below; Ctrl-C must lose no recording either
            first = first or error
    if first is not None:
        raise first
