"""Run a batch on a Dask cluster (https://distributed.dask.org).

Each scenario is one Dask task, which takes one unit of its worker's Dask resource ``browser``. The process that runs
the batch fetches the recordings from the workers' disks one at a time and in pieces, to limit its memory use. If a
worker crashes, another worker runs the same scenario again. A crashed worker's recordings are fetched at the end of the
batch, if another worker is still running on the same machine.
"""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import shutil
import tempfile
from collections import Counter, deque
from concurrent.futures import FIRST_COMPLETED, CancelledError, wait
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from harness.errors import ConfigError, HarnessError, SetupError
from harness.recording.files.disk import room_for
from harness.recording.files.names import SUFFIX, manifest_of
from harness.recording.manifest import Manifest
from harness.recording.spool.folder import FOLDER as SPOOL
from harness.recording.spool.folder import FOLDER_MODE
from harness.recording.spool.publish import publish
from harness.recording.spool.recover import recover
from harness.scenario import Outcome, Progress
from harness.scenario.outcome import reason_of
from harness.scenario.steps import Join
from harness.session.media import MEDIA

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from concurrent.futures import Future

    from distributed import Client

    from harness.batch.job import ScenarioJob
    from harness.recording.recording import Recording

_log = logging.getLogger(__name__)

# The Dask resource that specifies how many scenarios a worker can run in parallel.
RESOURCE: Final = "browser"
_CONNECTED_WITHIN: Final = 5
_POLL_INTERVAL: Final = 0.25
# Recordings are fetched in pieces of this many bytes.
_PIECE: Final = 8 * 1024 * 1024
_ATTEMPTS: Final = 3
_FOLDER: Final = "harness-batch-"
# Name of the recordings folder in a job's folder. A room creates this folder with default permissions, which depend on
# the umask.
_RECORDINGS: Final = "recordings"


@dataclass(frozen=True)
class _Played:
    """A job's outcome, the worker that ran the job, and the job's ``folder`` on that worker."""

    outcome: Outcome
    worker: str
    folder: Path


@dataclass(frozen=True)
class _Rescued:
    """A crashed worker's finished recordings in ``folder``, and the reasons why other recordings can't be finished."""

    recordings: tuple[Recording, ...]
    folder: Path
    problems: tuple[str, ...]


def run_on_cluster(
    jobs: Sequence[ScenarioJob],
    address: str,
    *,
    on_progress: Callable[[int, Progress], None] = lambda _, __: None,
    on_outcome: Callable[[int, Outcome], None] = lambda _, __: None,
    interrupted: Callable[[], bool] = lambda: False,
    on_rescued: Callable[[Recording], None] = lambda _: None,
) -> list[Outcome]:
    """Run every job on the cluster whose scheduler is at ``address``, and return the outcomes in the order of the jobs.

    ``on_progress`` is called at each step of a scenario, ``on_outcome`` with each outcome, and ``on_rescued`` with each
    recording that a crashed worker left behind. Once ``interrupted()`` is true, recordings in progress are finished and
    no further job starts.

    Raises SetupError if the cluster can't be used, and ConfigError if it can't run one of the scenarios.
    """
    _check_video_files(jobs)
    outcomes: dict[int, Outcome] = {}

    def on_end(job: ScenarioJob, outcome: Outcome) -> None:
        outcomes[job.number] = outcome
        on_outcome(job.number, outcome)

    with _client(address) as client:
        _check_workers(client)
        batch = f"{_FOLDER}{secrets.token_hex(8)}"
        client.subscribe_topic(batch, lambda event: on_progress(event[1][0], Progress(*event[1][1])))
        try:
            _run(client, jobs, batch, on_end, interrupted)
        except OSError as error:
            # Scenarios whose recordings have already been fetched keep their outcomes.
            for job in jobs:
                if job.number not in outcomes:
                    on_end(job, _failed(job, f"The scheduler at {address} no longer responds: {error}."))
        finally:
            with contextlib.suppress(OSError):
                client.unsubscribe_topic(batch)
            _fetch_rescued(client, batch, jobs[0].recordings, on_rescued)
    return [outcomes[job.number] for job in jobs if job.number in outcomes]


def _run(
    client: Client,
    jobs: Sequence[ScenarioJob],
    batch: str,
    on_end: Callable[[ScenarioJob, Outcome], None],
    interrupted: Callable[[], bool],
) -> None:
    from distributed import Event

    ending = Event(batch, client=client)
    executor = client.get_executor(resources={RESOURCE: 1}, pure=False)
    running: dict[Future[_Played | None], ScenarioJob] = {executor.submit(_play, job, batch): job for job in jobs}
    results: deque[tuple[ScenarioJob, _Played | Outcome | None]] = deque()
    lost: Counter[int] = Counter()
    while running or results:
        results.extend(_ended(running, within=0 if results else _POLL_INTERVAL))
        if results:
            job, result = results.popleft()
            try:
                outcome = _with_recordings(client, job, result) if isinstance(result, _Played) else result
            except _LostError:
                lost[job.number] += 1
                if lost[job.number] < _ATTEMPTS:
                    running[executor.submit(_play, job, batch)] = job
                    continue
                outcome = _failed(job, f"The worker exited {_ATTEMPTS} times before its recordings were fetched.")
            except Exception as error:  # noqa: BLE001 - an error with one scenario's files must not stop the others
                outcome = _failed(job, f"The recordings could not be fetched: {reason_of(error)}")
            if outcome is not None:
                on_end(job, outcome)
        if interrupted() and not ending.is_set():
            # Workers check this event; once it is set, they finish their recordings and start no further job.
            ending.set()


def _ended(
    running: dict[Future[_Played | None], ScenarioJob], within: float
) -> Iterator[tuple[ScenarioJob, _Played | Outcome | None]]:
    """Remove the jobs that have ended, and yield each with its result, which is None if the job never started.

    The ended jobs' Dask futures are released, because Dask would otherwise run a finished job again if its worker
    crashed later.
    """
    from distributed.scheduler import KilledWorker

    for future in wait(running, timeout=within, return_when=FIRST_COMPLETED).done:
        job = running.pop(future)
        try:
            yield job, future.result()
        except KilledWorker as error:
            reason = f"The worker crashed {error.allowed_failures + 1} times; the machine may be low on memory."
            yield job, _failed(job, reason)
        except CancelledError:
            yield job, _failed(job, "The scheduler ended before the scenario finished.")
        except Exception as error:  # noqa: BLE001 - an error in one scenario must not stop the others
            yield job, _failed(job, error)


def _with_recordings(client: Client, job: ScenarioJob, played: _Played) -> Outcome:
    """Fetch a job's recordings to this machine, and return the outcome with the recordings' new paths."""
    recordings = _fetch_recordings(client, played.worker, played.outcome.recordings, job.recordings)
    _clear(client, played.worker, played.folder)
    reports = tuple(
        report.model_copy(update={"path": recording.path})
        for report, recording in zip(played.outcome.reports, recordings, strict=True)
    )
    return replace(played.outcome, recordings=recordings, reports=reports)


def _clear(client: Client, worker: str, folder: Path) -> None:
    """Remove a job's folder on a worker after its recordings have been fetched, but keep unfinished recordings."""
    if not _call(client, worker, _remove_folder, folder):
        message = "%s: unfinished recordings remain on this worker in %s; run 'harness recover' there to finish them."
        _log.warning(message, worker, folder / _RECORDINGS)


class _LostError(Exception):
    """Raised if a worker ended before its recordings were fetched."""


def _fetch_recordings(
    client: Client, worker: str, recordings: Sequence[Recording], home: Path
) -> tuple[Recording, ...]:
    """Fetch recordings from a worker, and publish them in the folder ``home`` on this machine.

    Raises _LostError if the worker no longer responds.
    """
    fetched = []
    for recording in recordings:
        home.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".incoming-", dir=home) as incoming:
            path = Path(incoming) / recording.path.name
            copy = recording.at(path)
            for source, target in zip(recording.files, copy.files, strict=True):
                _fetch_file(client, worker, source, target)
            manifest = Manifest.read(copy.manifest)
            fetched.append(publish(manifest.model_copy(update={"recording": copy}), path, home))
    return tuple(fetched)


def _fetch_file(client: Client, worker: str, source: Path, target: Path) -> None:
    """Copy a file from a worker, if the file exists."""
    piece = _call(client, worker, _read_piece, source, 0)
    if piece is None:
        return
    with room_for("a worker's recording", target), target.open("xb") as file:
        while piece:
            file.write(piece)
            piece = _call(client, worker, _read_piece, source, file.tell()) if len(piece) == _PIECE else None


def _call(client: Client, worker: str, function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a function on a worker, and return its result; raises _LostError if the worker does not respond."""
    try:
        return client.run(function, *arguments, workers=[worker])[worker]
    except (OSError, KeyError) as error:
        raise _LostError(worker) from error


def _failed(job: ScenarioJob, error: Exception | str) -> Outcome:
    return Outcome.failed(job.scenario, error)


def _client(address: str) -> Client:
    try:
        from distributed import Client
        from distributed.comm.addressing import get_address_host_port
    except ImportError as error:
        message = "--dask: Dask is not installed: pip install 'recording-harness[dask]'."
        raise SetupError(message) from error
    try:
        # Check the address first, because a client with an invalid address logs errors for ten seconds.
        get_address_host_port(address)
        return Client(address, timeout=_CONNECTED_WITHIN, set_as_default=False)
    except (OSError, ValueError) as error:
        message = f"--dask: no scheduler responds at {address}: {error}. Start one with 'dask scheduler'."
        raise SetupError(message) from error


def _check_workers(client: Client) -> None:
    workers = client.scheduler_info(n_workers=-1)["workers"]
    if not any(RESOURCE in worker["resources"] for worker in workers.values()):
        message = (
            f"--dask: none of the {len(workers)} workers has the resource '{RESOURCE}'. Start each worker with the "
            f"number of browsers that it can run: dask worker ADDRESS --nthreads 2 --resources '{RESOURCE}=2'."
        )
        raise SetupError(message)
    ours = _version()
    try:
        theirs = client.run(_version)
    except ModuleNotFoundError as error:
        message = "--dask: recording-harness is not installed on the workers; install the package on each of them."
        raise SetupError(message) from error
    if different := {worker: version for worker, version in theirs.items() if version != ours}:
        worker, version = next(iter(different.items()))
        message = (
            f"--dask: recording-harness is {version} on the worker {worker}, and {ours} here; install the same version "
            "on both."
        )
        raise SetupError(message)


def _check_video_files(jobs: Sequence[ScenarioJob]) -> None:
    """Raise ConfigError if a scenario uses a video file, because the workers don't have the file."""
    for job in jobs:
        for number, step in enumerate(job.scenario.steps, start=1):
            if isinstance(step, Join) and step.media not in MEDIA:
                message = (
                    f"--dask: {job.scenario.title}: step {number} uses the video file {step.media}, which workers "
                    "don't have."
                )
                raise ConfigError(message)


def _version() -> str:
    return metadata.version("recording-harness")


def _batch_folder(batch: str) -> Path:
    return Path(tempfile.gettempdir()) / batch


def _play(job: ScenarioJob, batch: str) -> _Played | None:
    """Run a job in a separate folder on the current Dask worker; return None if the batch was interrupted."""
    from distributed import Event, get_worker

    worker = get_worker()
    ending = Event(batch)
    if ending.is_set():
        return None
    folder = _private_folder(batch, job)
    outcome = job.play(
        folder / _RECORDINGS,
        on_progress=lambda now: worker.log_event(batch, (job.number, (now.step, now.steps, now.text))),
        interrupted=ending.is_set,
    )
    return _Played(outcome, worker.address, folder)


def _private_folder(batch: str, job: ScenarioJob) -> Path:
    """Create a job's folder, which other users of this machine can't access, and return the folder.

    Raises SetupError if the batch's folder belongs to another user, or can't be created.
    """
    above = _batch_folder(batch)
    folder = above / f"{job.number} {secrets.token_hex(4)}"
    try:
        while True:
            above.mkdir(mode=FOLDER_MODE, exist_ok=True)
            # Another worker may have created the batch's folder with different permissions, or may be removing it.
            with contextlib.suppress(FileNotFoundError):
                if above.is_symlink() or above.stat().st_uid != os.getuid():
                    message = f"{above} belongs to another user; remove it, or set TMPDIR to one of your own folders."
                    raise SetupError(message)
                above.chmod(FOLDER_MODE)
                folder.mkdir(mode=FOLDER_MODE)
                return folder
    except OSError as error:
        message = f"Recordings can't be stored in {folder}: {error.strerror}. Free some space, or change TMPDIR."
        raise SetupError(message) from error


def _read_piece(path: Path, offset: int) -> bytes | None:
    """Return the piece of a file that starts at ``offset``, or None if the file does not exist."""
    try:
        with path.open("rb") as file:
            file.seek(offset)
            return file.read(_PIECE)
    except FileNotFoundError:
        return None


def _remove_folder(folder: Path) -> bool:
    """Remove a job's folder and return True; return False if the folder's spool still contains a recording."""
    if any((folder / _RECORDINGS / SPOOL).glob("*")):
        return False
    shutil.rmtree(folder, ignore_errors=True)
    # Removing the batch's folder fails unless this was its last job folder.
    with contextlib.suppress(OSError):
        folder.parent.rmdir()
    return True


def _fetch_rescued(client: Client, batch: str, home: Path, on_rescued: Callable[[Recording], None]) -> None:
    """Fetch and publish crashed workers' recordings from every machine on which a worker is still running."""
    # Workers on the same machine find the same folders. The first worker to find a folder renames it, so the others
    # skip it.
    try:
        found = client.run(_rescue, batch, on_error="ignore")
    except OSError as error:
        _log.warning("Recordings of crashed workers can't be fetched: %s.", error)
        return
    for worker, rescued in found.items():
        for one in rescued:
            try:
                for recording in _fetch_recordings(client, worker, one.recordings, home):
                    on_rescued(recording)
                for problem in one.problems:
                    _log.warning("On the worker %s: %s", worker, problem)
                _clear(client, worker, one.folder)
            except (OSError, HarnessError, _LostError) as error:
                # Continue with the recordings of other crashed workers.
                _log.warning("%s: recordings of a crashed worker remain in %s: %s", worker, one.folder, error)


def _rescue(batch: str) -> tuple[_Rescued, ...]:
    """Finish the recordings that crashed workers left behind in a batch's folders, and return them."""
    rescued: list[_Rescued] = []
    for folder in sorted(_batch_folder(batch).glob("*")):
        try:
            claimed = folder.rename(folder.with_name(f"{folder.name} {secrets.token_hex(4)} taken"))
        except OSError:
            continue
        recordings = claimed / _RECORDINGS
        problems = tuple(one.message for one in recover(recordings) if one.recording is None)
        finished = []
        for path in sorted(recordings.glob(f"*{SUFFIX}")):
            # A file without a manifest is not a recording; it only reserves a name for one.
            with contextlib.suppress(ConfigError):
                finished.append(Manifest.read(manifest_of(path)).recording.at(path))
        if finished or problems:
            rescued.append(_Rescued(tuple(finished), claimed, problems))
        else:
            _remove_folder(claimed)
    return tuple(rescued)
