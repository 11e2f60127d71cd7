"""Many scenarios, one after the other or side by side: each in a worker process, with a browser of its own."""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import signal
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from logging.handlers import QueueHandler
from multiprocessing import get_context, resource_tracker
from multiprocessing.connection import wait
from typing import TYPE_CHECKING, Final

from harness.browser.cpu_budget import fitting
from harness.errors import ConfigError, RecordingError, SetupError
from harness.recording.recording import MANIFEST_SUFFIX, Manifest
from harness.recording.spool.folder import FOLDER, Folder
from harness.recording.spool.recover import recover
from harness.scenario import Outcome, Progress, Scenario, play
from harness.session.venue import Venue
from harness.verification.unreadable import report_on

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from multiprocessing.connection import Connection
    from pathlib import Path

    from harness.recording.recording import Recording

    # What a worker sends: how far it is, a warning, or what came of its order.
    Sent = Progress | logging.LogRecord | Outcome

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_LOOK_EVERY: Final = 0.1
# How soon, in seconds, a worker notices that its parent is gone.
_ALONE_WITHIN: Final = 0.5
# How long, in seconds, a worker that has nothing to do may take to end.
_ENDED_WITHIN: Final = 5.0
# How long, in seconds, another process may take to finish what a dead worker has recorded.
_RECOVERED_WITHIN: Final = 30.0


@dataclass(frozen=True, kw_only=True)
class Order:
    """One scenario to play, and where its recordings go; ``number`` tells it from the others of a batch.

    ``room`` is the name of its room, which no other one has: by it the manifests of its recordings are found.
    """

    number: int
    scenario: Scenario
    recordings: Path
    venue: Venue = field(default_factory=Venue)
    room: str = field(default_factory=lambda: secrets.token_urlsafe(16))

    def play(self, recordings: Path, *, tell: Callable[[Progress], None], interrupted: Callable[[], bool]) -> Outcome:
        """Play it where this runs; recordings go to that folder."""
        return play(
            self.scenario,
            recordings=recordings,
            # Each room of a batch begins with another browser.
            venue=self.venue.starting_at(self.number),
            room=self.room,
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

    ``tell`` is called at each step with the order's number, ``done`` with each outcome. Once ``interrupted()`` is true
    what is being recorded is finished, and nothing new begins; an order that never began has no outcome.

    An order that fails has an outcome that says why, and the others go on. Where a worker process dies, another one
    finishes what that had recorded.
    """
    batch = _Batch(orders, workers, tell, done)
    try:
        while batch.go_on(ending=interrupted()):
            pass
    finally:
        batch.close()
    return [batch.outcomes[order.number] for order in orders if order.number in batch.outcomes]


@dataclass(frozen=True)
class _Rescue:
    """To finish, in place of a dead worker, what it had recorded for an order."""

    order: Order
    reason: str
    seconds: float

    def do(self) -> Outcome:
        """Recover the recordings of the order's room and return them in an outcome that failed."""
        problems = _recover(self.order.recordings, self.order.room)
        found = _recordings_of(self.order.recordings, self.order.room)
        return Outcome(
            title=Outcome.failed(self.order.scenario, "").title,
            recordings=tuple(found),
            reports=tuple(report_on(recording) for recording in found),
            error=" ".join((self.reason, *problems)),
            seconds=round(self.seconds, 1),
        )


class _Batch:
    """Hands orders to workers, and collects what comes of them."""

    def __init__(
        self,
        orders: Sequence[Order],
        workers: int,
        tell: Callable[[int, Progress], None],
        done: Callable[[int, Outcome], None],
    ) -> None:
        self.outcomes: dict[int, Outcome] = {}
        self._waiting = deque(orders)
        self._most = workers
        self._tell = tell
        self._done = done
        self._idle: list[_Worker] = []
        self._busy: dict[Connection, _Worker] = {}
        self._ending = False

    def go_on(self, *, ending: bool) -> bool:
        """Hand out what there is to do, and wait a moment for news; return whether there is anything left."""
        if ending and not self._ending:
            self._ending = True
            self._waiting.clear()
            for worker in self._busy.values():
                worker.end_early()
        while self._waiting and len(self._busy) < self._most:
            self._begin(self._waiting.popleft())
        for line in wait(list(self._busy), timeout=_LOOK_EVERY):
            self._receive(self._busy[line])  # type: ignore[index]
        return bool(self._busy or self._waiting)

    def close(self) -> None:
        """End every worker, also one that still plays."""
        for worker in self._busy.values():
            worker.kill()
        for worker in self._idle:
            worker.close()

    def _begin(self, job: Order | _Rescue) -> None:
        """Give a job to a worker that is idle, or to a new one."""
        order = job.order if isinstance(job, _Rescue) else job
        try:
            worker = self._idle.pop() if self._idle else _Worker()
        except OSError as error:
            message = f"A worker process can't be started: {error.strerror}. Close other programs, or run fewer."
            self._finish(order, Outcome.failed(order.scenario, SetupError(message)))
            return
        self._busy[worker.line] = worker
        if not worker.begin(job):
            self._bury(worker)

    def _receive(self, worker: _Worker) -> None:
        try:
            sent: Sent = worker.line.recv()
        except (EOFError, OSError):
            self._bury(worker)
            return
        if isinstance(sent, logging.LogRecord):
            # As if it came from here.
            logging.getLogger(sent.name).handle(sent)
        elif isinstance(sent, Progress):
            self._tell(worker.order.number, sent)
        else:
            del self._busy[worker.line]
            self._idle.append(worker)
            self._finish(worker.order, sent)

    def _bury(self, worker: _Worker) -> None:
        """Charge the death of a worker to the one order that it played; another worker finishes its recordings."""
        del self._busy[worker.line]
        reason = (
            f"Its worker process died ({worker.kill()}), and the scenario with it. The machine may lack memory: run "
            "fewer at a time (--workers 1), or look into the system's log."
        )
        if isinstance(worker.job, _Rescue):
            self._finish(worker.order, Outcome.failed(worker.order.scenario, worker.job.reason, worker.job.seconds))
        else:
            self._begin(_Rescue(worker.order, reason, time.monotonic() - worker.began))

    def _finish(self, order: Order, outcome: Outcome) -> None:
        self.outcomes[order.number] = outcome
        self._done(order.number, outcome)


class _Worker:
    """A process that plays one order after the other, and the line to it."""

    job: Order | _Rescue
    began: float

    def __init__(self) -> None:
        """Start the process; raises OSError where that can't be done."""
        context = get_context("spawn")
        self.line, theirs = context.Pipe()
        self._process = context.Process(target=_work, args=(theirs,), name="harness worker")
        # The signals of the group are the parent's business; a process begins with its parent's mask.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        try:
            # Python's own helper process begins with the first of ours; starting it unblocks signals again.
            resource_tracker.ensure_running()
            signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
            self._process.start()
        except OSError:
            self.line.close()
            raise
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            theirs.close()

    @property
    def order(self) -> Order:
        """The order that it plays or played last."""
        return self.job.order if isinstance(self.job, _Rescue) else self.job

    def begin(self, job: Order | _Rescue) -> bool:
        """Hand a job over; return whether the process is there to take it."""
        self.job = job
        self.began = time.monotonic()
        try:
            self.line.send(job)
        except OSError:
            return False
        return True

    def end_early(self) -> None:
        """Let it finish what it records and play no more steps."""
        # One that is dead is noticed by the end of its line.
        with contextlib.suppress(OSError):
            self.line.send(None)

    def close(self) -> None:
        """End the process, which has nothing to do."""
        self.line.close()
        self._process.join(_ENDED_WITHIN)
        self.kill()

    def kill(self) -> str:
        """End the process at once, whatever it does; return how it ended."""
        self.line.close()
        # One that died by itself has a reason of its own.
        self._process.join(_ALONE_WITHIN)
        self._process.kill()
        self._process.join()
        code = self._process.exitcode or 0
        return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


def _work(line: Connection) -> None:
    """Play what comes over the line until it is closed: the life of a worker process."""
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
    # Browsers that outlive the process must not keep its line open.
    os.set_inheritable(line.fileno(), False)  # noqa: FBT003 - takes no keyword
    _end_with(os.getppid())
    parent = _Parent(line)
    logging.basicConfig(format="%(message)s", level=logging.WARNING, handlers=[_ToParent(parent)])
    while (job := parent.next_job()) is not None:
        try:
            outcome = (
                job.do()
                if isinstance(job, _Rescue)
                else job.play(job.recordings, tell=parent.send, interrupted=parent.wants_to_end)
            )
        except Exception as error:  # noqa: BLE001 - whatever is wrong with one scenario, the others go on
            order = job.order if isinstance(job, _Rescue) else job
            outcome = Outcome.failed(order.scenario, error)
        parent.send(outcome)


def _end_with(parent: int) -> None:
    """End this process soon after its parent: nobody waits for it any more."""

    def watch() -> None:
        never = threading.Event()
        while os.getppid() == parent:
            never.wait(_ALONE_WITHIN)
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=watch, name="watch the parent", daemon=True).start()


class _Parent:
    """The parent as its worker sees it."""

    def __init__(self, line: Connection) -> None:
        self._line = line
        self._ending = False
        # Warnings come from every thread.
        self._lock = threading.Lock()

    def next_job(self) -> Order | _Rescue | None:
        """Wait for a job; None where there will be none."""
        with contextlib.suppress(EOFError, OSError):
            while True:
                job: Order | _Rescue | None = self._line.recv()
                if job is not None:
                    return job
        return None

    def wants_to_end(self) -> bool:
        """Return whether what is being recorded should be finished now."""
        if not self._ending and self._line.poll():
            # While a job is done nothing else is sent.
            self._ending = True
            with contextlib.suppress(EOFError, OSError):
                self._line.recv()
        return self._ending

    def send(self, sent: Sent) -> None:
        """Send something to the parent; where that is gone, so is this process soon."""
        with self._lock, contextlib.suppress(OSError):
            self._line.send(sent)


class _ToParent(QueueHandler):
    """Sends warnings to the parent, which shows them as its own."""

    def __init__(self, parent: _Parent) -> None:
        super().__init__(parent)  # type: ignore[arg-type]

    def enqueue(self, record: logging.LogRecord) -> None:
        """Send a record, which is plain text by now."""
        self.queue.send(record)  # type: ignore[attr-defined]


def _recover(recordings: Path, room: str) -> list[str]:
    """Finish what was recorded in a room whose process is gone; return what can't be finished, and why."""
    end = time.monotonic() + _RECOVERED_WITHIN
    while True:
        lost = {one.folder: one.message for one in recover(recordings) if one.recording is None}
        spooled = list(_spooled(recordings, room))
        # The server of another scenario may have found one first, and finish it now.
        if set(spooled) <= set(lost) or time.monotonic() > end:
            return [lost.get(path, f"{path} is being finished by another process.") for path in spooled]
        threading.Event().wait(_LOOK_EVERY)


def _spooled(recordings: Path, room: str) -> Iterator[Path]:
    """Yield the folders in the spool that hold recordings of a room."""
    for path in sorted((recordings / FOLDER).glob("*")):
        # One that is being removed is none any more.
        with contextlib.suppress(RecordingError):
            if Folder(path).read_facts().room == room:
                yield path


def _recordings_of(recordings: Path, room: str) -> list[Recording]:
    """Return the finished recordings of a room, oldest first."""
    found = []
    for path in recordings.glob(f"*{MANIFEST_SUFFIX}"):
        # Whatever else is stored there is somebody else's.
        with contextlib.suppress(ConfigError):
            manifest = Manifest.read(path)
            if manifest.room == room and manifest.recording.path.is_file():
                found.append(manifest.recording)
    return sorted(found, key=lambda recording: recording.started_at)
