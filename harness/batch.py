"""Many scenarios, one after the other or side by side: each in a process of its own, with a browser of its own."""

from __future__ import annotations

import logging
import os
import signal
import threading
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from logging.handlers import QueueHandler
from multiprocessing import get_context
from queue import Empty
from typing import TYPE_CHECKING, Final

from harness.browser.load import fitting
from harness.errors import HarnessError
from harness.scenario import Outcome, Progress, Scenario, play

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Future
    from multiprocessing import Queue
    from multiprocessing.synchronize import Event

    # What a worker says: the number of an order and how far it is, or a warning.
    Said = tuple[int, Progress] | logging.LogRecord
    from pathlib import Path

    from harness.server.media import Routes

_LOOK_EVERY: Final = 0.1
# How soon, in seconds, a worker notices that its parent is gone.
_ALONE_WITHIN: Final = 0.5


@dataclass(frozen=True, kw_only=True)
class Order:
    """One scenario to play, and where its recordings go; ``number`` tells it from the others of a batch."""

    number: int
    scenario: Scenario
    recordings: Path
    executable: Path | None = None
    headed: bool = False
    routes: Routes | None = None
    connect: tuple[str, ...] = ()

    @property
    def endpoints(self) -> tuple[str, ...]:
        """Where its browsers are: each room of a batch begins with another one."""
        turn = self.number % max(1, len(self.connect))
        return self.connect[turn:] + self.connect[:turn]

    def play(self, recordings: Path, *, tell: Callable[[Progress], None], interrupted: Callable[[], bool]) -> Outcome:
        """Play it where this runs; recordings go to that folder."""
        return play(
            self.scenario,
            recordings=recordings,
            executable=self.executable,
            headed=self.headed,
            routes=self.routes,
            connect=self.endpoints,
            tell=tell,
            interrupted=interrupted,
        )


def admitted(scenarios: Sequence[Scenario], workers: int) -> int:
    """Return how many of these scenarios, the most expensive ones, this machine can play side by side, at least one."""
    needs = sorted((scenario.needs for scenario in scenarios), reverse=True)
    return max(1, fitting(needs[:workers]))


def run_batch(
    orders: Sequence[Order],
    *,
    workers: int = 1,
    tell: Callable[[int, Progress], None] = lambda _, __: None,
    done: Callable[[int, Outcome], None] = lambda _, __: None,
    interrupted: Callable[[], bool] = lambda: False,
) -> list[Outcome]:
    """Play every order, ``workers`` of them at a time, and return their outcomes in the order given.

    ``tell`` hears of each step with the order's number, ``done`` of each outcome. Once ``interrupted()`` is true what
    is being recorded is finished, and nothing new begins; what never began has no outcome.

    Raises HarnessError where a scenario could not even begin, as without a Chrome.
    """
    context = get_context("spawn")
    said: Queue[Said] = context.Queue()
    ending = context.Event()
    outcomes: dict[int, Outcome] = {}
    waiting = list(orders)
    running: dict[Future[Outcome], Order] = {}
    with ProcessPoolExecutor(workers, context, _prepare, (said, ending)) as pool:
        try:
            while running or (waiting and not ending.is_set()):
                while waiting and len(running) < workers and not ending.is_set():
                    order = waiting.pop(0)
                    running[pool.submit(_play, order)] = order
                ended, _ = wait(running, timeout=_LOOK_EVERY, return_when=FIRST_COMPLETED)
                _hear(said, tell)
                for future in ended:
                    order = running.pop(future)
                    outcomes[order.number] = future.result()
                    done(order.number, outcomes[order.number])
                if interrupted():
                    ending.set()
        except BrokenProcessPool as error:
            message = "A worker process died: the machine may lack memory. Run fewer at a time: --workers 1."
            raise HarnessError(message) from error
        finally:
            ending.set()
    return [outcomes[order.number] for order in orders if order.number in outcomes]


def _hear(said: Queue[Said], tell: Callable[[int, Progress], None]) -> None:
    """Pass on what workers said meanwhile: steps, and warnings, which are told here as if they came from here."""
    while True:
        try:
            one = said.get_nowait()
        except Empty:
            return
        if isinstance(one, logging.LogRecord):
            logging.getLogger(one.name).handle(one)
        else:
            tell(*one)


@dataclass
class _Worker:
    """What a worker process shares with its parent: where steps are told, and whether to end."""

    said: Queue[Said]
    ending: Event


_worker: _Worker


def _prepare(said: Queue[Said], ending: Event) -> None:
    """Make a process a worker: Ctrl-C is the parent's, which lets recordings be finished; without parent it ends."""
    global _worker  # noqa: PLW0603 - a pool's worker has no other place
    _worker = _Worker(said, ending)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    logging.basicConfig(format="%(message)s", level=logging.WARNING, handlers=[QueueHandler(said)])
    parent = os.getppid()

    def watch() -> None:
        never = threading.Event()
        while os.getppid() == parent:
            never.wait(_ALONE_WITHIN)
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=watch, name="watch the parent", daemon=True).start()


def _play(order: Order) -> Outcome:
    return order.play(
        order.recordings,
        tell=lambda progress: _worker.said.put((order.number, progress)),
        interrupted=_worker.ending.is_set,
    )
