"""Run a batch on this machine, with a worker process and a separate browser for each scenario."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import threading
import time
from collections import deque
from logging.handlers import QueueHandler
from multiprocessing import get_context, resource_tracker
from multiprocessing.connection import wait
from typing import TYPE_CHECKING, Final

from harness.batch.job import Job, RescueJob, ScenarioJob, scenario_job_of
from harness.browser.budget import fitting
from harness.errors import SetupError
from harness.scenario import Outcome, Progress, Scenario

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from multiprocessing.connection import Connection

    # A message from a worker: its progress, a warning, or the outcome of its job.
    Sent = Progress | logging.LogRecord | Outcome

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_POLL_INTERVAL: Final = 0.1
# How long it may take to notice that another process has ended, in seconds.
_NOTICED_WITHIN: Final = 0.5
# How long an idle worker may take to exit, in seconds.
_ENDED_WITHIN: Final = 5.0


def admitted(scenarios: Sequence[Scenario], workers: int) -> int:
    """Return how many scenarios this machine can run in parallel, at least 1 and at most ``workers``.

    The scenarios that need the most CPU time or memory limit the number, because they may run at the same time.
    """
    return max(1, min(workers, fitting(scenario.needs for scenario in scenarios)))


def run_batch(
    jobs: Sequence[ScenarioJob],
    *,
    workers: int = 1,
    on_progress: Callable[[int, Progress], None] = lambda _, __: None,
    on_outcome: Callable[[int, Outcome], None] = lambda _, __: None,
    interrupted: Callable[[], bool] = lambda: False,
) -> list[Outcome]:
    """Run every job, up to ``workers`` in parallel, and return the outcomes in the order of the jobs.

    ``on_progress`` is called with the job's number at each step of the job's scenario, and ``on_outcome`` with each
    outcome. Once ``interrupted()`` is true, recordings in progress are finished and no further job starts. A job that
    never started has no outcome.

    If a job fails, its outcome contains the reason, and the other jobs continue. If a worker process crashes, another
    worker finishes the recordings.
    """
    batch = _Batch(jobs, workers, on_progress, on_outcome)
    try:
        while batch.go_on(ending=interrupted()):
            pass
    finally:
        batch.close()
    return [batch.outcomes[job.number] for job in jobs if job.number in batch.outcomes]


class _Batch:
    """Sends jobs to workers, and collects the outcomes."""

    def __init__(
        self,
        jobs: Sequence[ScenarioJob],
        workers: int,
        on_progress: Callable[[int, Progress], None],
        on_outcome: Callable[[int, Outcome], None],
    ) -> None:
        self.outcomes: dict[int, Outcome] = {}
        self._waiting = deque(jobs)
        self._max_busy = workers
        self._on_progress = on_progress
        self._on_outcome = on_outcome
        self._idle: list[_Worker] = []
        self._busy: dict[Connection, _Worker] = {}
        self._ending = False

    def go_on(self, *, ending: bool) -> bool:
        """Send waiting jobs to workers, wait briefly for messages, and return whether any jobs remain."""
        if ending and not self._ending:
            self._ending = True
            self._waiting.clear()
            for worker in self._busy.values():
                worker.end_early()
        while self._waiting and len(self._busy) < self._max_busy:
            self._begin(self._waiting.popleft())
        for connection in wait(list(self._busy), timeout=_POLL_INTERVAL):
            self._receive(self._busy[connection])  # type: ignore[index]
        return bool(self._busy or self._waiting)

    def close(self) -> None:
        """End all workers, including busy ones."""
        for worker in self._busy.values():
            worker.kill()
        for worker in self._idle:
            worker.close()

    def _begin(self, job: Job) -> None:
        """Send a job to an idle worker, or to a new worker if all are busy."""
        try:
            worker = self._idle.pop() if self._idle else _Worker()
        except OSError as error:
            message = (
                f"A worker process can't be started: {error.strerror}. Close other programs, or run fewer scenarios."
            )
            self._finish(job, Outcome.failed(scenario_job_of(job).scenario, SetupError(message)))
            return
        self._busy[worker.connection] = worker
        if not worker.begin(job):
            self._on_crash(worker)

    def _receive(self, worker: _Worker) -> None:
        try:
            sent: Sent = worker.connection.recv()
        except (EOFError, OSError):
            self._on_crash(worker)
            return
        if isinstance(sent, logging.LogRecord):
            # This process logs a worker's warnings as if they were its own.
            logging.getLogger(sent.name).handle(sent)
        elif isinstance(sent, Progress):
            self._on_progress(scenario_job_of(worker.job).number, sent)
        else:
            del self._busy[worker.connection]
            self._idle.append(worker)
            self._finish(worker.job, sent)

    def _on_crash(self, worker: _Worker) -> None:
        """Make another worker finish a crashed worker's recordings, and report that the job failed."""
        del self._busy[worker.connection]
        reason = (
            f"The scenario's worker process ended unexpectedly ({worker.kill()}). The machine may be low on memory: "
            "run fewer scenarios in parallel (--workers 1), or check the system log."
        )
        if isinstance(job := worker.job, RescueJob):
            self._finish(job, Outcome.failed(job.scenario_job.scenario, job.reason, job.seconds))
        else:
            self._begin(RescueJob(job, reason, time.monotonic() - worker.began))

    def _finish(self, job: Job, outcome: Outcome) -> None:
        number = scenario_job_of(job).number
        self.outcomes[number] = outcome
        self._on_outcome(number, outcome)


class _Worker:
    """A process that runs one job at a time, and the connection to that process."""

    job: Job
    began: float

    def __init__(self) -> None:
        """Start the process; raises OSError if it can't be started."""
        context = get_context("spawn")
        self.connection, theirs = context.Pipe()
        self._process = context.Process(target=_work, args=(theirs,), name="harness worker")
        # Only the parent handles signals to the process group, so workers inherit a mask that blocks these signals.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        try:
            # Starting Python's resource tracker unblocks the signals, so they are blocked again afterwards.
            resource_tracker.ensure_running()
            signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
            self._process.start()
        except OSError:
            self.connection.close()
            raise
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            theirs.close()

    def begin(self, job: Job) -> bool:
        """Send a job to the process; return False if the process has ended."""
        self.job = job
        self.began = time.monotonic()
        try:
            self.connection.send(job)
        except OSError:
            return False
        return True

    def end_early(self) -> None:
        """Make the worker finish the recordings in progress without running further steps."""
        # If the process has ended, sending fails, but the next read from the connection reports the crash.
        with contextlib.suppress(OSError):
            self.connection.send(None)

    def close(self) -> None:
        """End the process, which is expected to be idle."""
        self.connection.close()
        self._process.join(_ENDED_WITHIN)
        self.kill()

    def kill(self) -> str:
        """End the process immediately, and return its signal or exit code as text."""
        self.connection.close()
        # Give a crashed process time to exit by itself, so that its own exit code is reported.
        self._process.join(_NOTICED_WITHIN)
        self._process.kill()
        self._process.join()
        code = self._process.exitcode or 0
        return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


def _work(connection: Connection) -> None:
    """Run the jobs that arrive on the connection until it is closed; this is a worker process's main function."""
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
    # A browser that outlives this process must not keep the connection open.
    os.set_inheritable(connection.fileno(), False)  # noqa: FBT003 - takes no keyword
    _end_with(os.getppid())
    parent = _Parent(connection)
    logging.basicConfig(format="%(message)s", level=logging.WARNING, handlers=[_ToParent(parent)])
    while (job := parent.next_job()) is not None:
        try:
            outcome = (
                job.rescue()
                if isinstance(job, RescueJob)
                else job.play(job.recordings, on_progress=parent.send, interrupted=parent.should_end)
            )
        except Exception as error:  # noqa: BLE001 - an error in one scenario must not stop the others
            outcome = Outcome.failed(scenario_job_of(job).scenario, error)
        parent.send(outcome)


def _end_with(parent: int) -> None:
    """Make this process end soon after its parent process has ended."""

    def watch() -> None:
        never = threading.Event()
        while os.getppid() == parent:
            never.wait(_NOTICED_WITHIN)
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=watch, name="watch the parent", daemon=True).start()


class _Parent:
    """The worker process's end of the connection to the parent process."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._ending = False
        # Warnings can be logged in any thread.
        self._lock = threading.Lock()

    def next_job(self) -> Job | None:
        """Wait for the next job and return it; return None if the parent closes the connection."""
        with contextlib.suppress(EOFError, OSError):
            while True:
                job: Job | None = self._connection.recv()
                if job is not None:
                    return job
        return None

    def should_end(self) -> bool:
        """Return whether the parent has asked the worker to finish its recordings in progress."""
        if not self._ending and self._connection.poll():
            # While a job runs, the parent sends no message other than this request.
            self._ending = True
            with contextlib.suppress(EOFError, OSError):
                self._connection.recv()
        return self._ending

    def send(self, sent: Sent) -> None:
        """Send a message to the parent; if the parent has ended, do nothing, because this process will end soon."""
        with self._lock, contextlib.suppress(OSError):
            self._connection.send(sent)


class _ToParent(QueueHandler):
    """A log handler that sends warnings to the parent process."""

    def __init__(self, parent: _Parent) -> None:
        super().__init__(parent)  # type: ignore[arg-type]

    def enqueue(self, record: logging.LogRecord) -> None:
        """Send a log record with its formatted message to the parent process."""
        self.queue.send(record)  # type: ignore[attr-defined]
