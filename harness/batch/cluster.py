"""A batch on a Dask cluster (https://distributed.dask.org): as many scenarios at a time as its workers have browsers.

Each scenario is one task that takes one ``browser`` of its worker's resources. Its recordings are fetched from its
worker's disk in pieces, one after the other: however many end at once, no memory holds them. A scenario whose worker
dies is played again by another one; what the dead one had recorded is fetched at the end from the folder where it lies,
if its machine still has a worker.
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
from harness.recording.recording import SUFFIX, Manifest, Recording, manifest_of
from harness.recording.spool.folder import FOLDER as SPOOL
from harness.recording.spool.folder import FOLDER_MODE
from harness.recording.spool.publish import publish
from harness.recording.spool.recover import recover
from harness.scenario import Outcome, Progress
from harness.scenario.runner import reason_of
from harness.scenario.steps import Join
from harness.session.media import MEDIA

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from concurrent.futures import Future

    from distributed import Client

    from harness.batch.processes import Order

_log = logging.getLogger(__name__)

# What a worker has so many of as it can play scenarios side by side.
RESOURCE: Final = "browser"
_CONNECTED_WITHIN: Final = 5
_LOOK_EVERY: Final = 0.25
# What a recording is carried in, in bytes.
_PIECE: Final = 8 * 1024 * 1024
_ATTEMPTS: Final = 3
_FOLDER: Final = "harness-batch-"
# In the folder of an order: rooms make it themselves, with the mode that the umask gives.
_RECORDINGS: Final = "recordings"

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Played:
    """What came of an order, and the worker at which the recordings lie, in ``folder``."""

    outcome: Outcome
    worker: str
    folder: Path


@dataclass(frozen=True)
class _Rescued:
    """What a dead worker left, finished now, in ``folder``; ``problems`` says what can't be finished, and why."""

    recordings: tuple[Recording, ...]
    folder: Path
    problems: tuple[str, ...]


def run_on_cluster(
    orders: Sequence[Order],
    address: str,
    *,
    tell: Callable[[int, Progress], None] = lambda _, __: None,
    done: Callable[[int, Outcome], None] = lambda _, __: None,
    interrupted: Callable[[], bool] = lambda: False,
    rescued: Callable[[Recording], None] = lambda _: None,
) -> list[Outcome]:
    """Play every order on the cluster whose scheduler is at ``address``; return their outcomes in the order given.

    ``tell`` hears of each step, ``done`` of each outcome, ``rescued`` of what a worker had recorded that died. Once
    ``interrupted()`` is true what is being recorded is finished, and nothing new begins.

    Raises SetupError where the cluster can't be used, ConfigError for a scenario that it can't play.
    """
    _check_films(orders)
    outcomes: dict[int, Outcome] = {}

    def ended(order: Order, outcome: Outcome) -> None:
        outcomes[order.number] = outcome
        done(order.number, outcome)

    with _client(address) as client:
        _check_workers(client)
        batch = f"{_FOLDER}{secrets.token_hex(8)}"
        client.subscribe_topic(batch, lambda event: tell(event[1][0], Progress(*event[1][1])))
        try:
            _run(client, orders, batch, ended, interrupted)
        except OSError as error:
            # What is here already stays.
            for order in orders:
                if order.number not in outcomes:
                    ended(order, _failed(order, f"the scheduler at {address} does not answer any more: {error}"))
        finally:
            with contextlib.suppress(OSError):
                client.unsubscribe_topic(batch)
            _bring_leftovers(client, batch, orders[0].recordings, rescued)
    return [outcomes[order.number] for order in orders if order.number in outcomes]


def _run(
    client: Client,
    orders: Sequence[Order],
    batch: str,
    ended: Callable[[Order, Outcome], None],
    interrupted: Callable[[], bool],
) -> None:
    from distributed import Event

    ending = Event(batch, client=client)
    executor = client.get_executor(resources={RESOURCE: 1}, pure=False)
    running: dict[Future[_Played | None], Order] = {executor.submit(_play, order, batch): order for order in orders}
    answers: deque[tuple[Order, _Played | Outcome | None]] = deque()
    lost: Counter[int] = Counter()
    while running or answers:
        answers.extend(_ended(running, within=0 if answers else _LOOK_EVERY))
        if answers:
            order, answer = answers.popleft()
            try:
                outcome = _brought(client, order, answer) if isinstance(answer, _Played) else answer
            except _LostError:
                lost[order.number] += 1
                if lost[order.number] < _ATTEMPTS:
                    running[executor.submit(_play, order, batch)] = order
                    continue
                outcome = _failed(order, f"its worker was gone before its recordings were here, {_ATTEMPTS} times")
            except Exception as error:  # noqa: BLE001 - whatever is wrong with one scenario's files, the others go on
                outcome = _failed(order, f"its recordings could not be fetched: {reason_of(error)}")
            if outcome is not None:
                ended(order, outcome)
        if interrupted() and not ending.is_set():
            # Workers hear of it: what runs there is finished, what waits never begins.
            ending.set()


def _ended(
    running: dict[Future[_Played | None], Order], within: float
) -> Iterator[tuple[Order, _Played | Outcome | None]]:
    """Take out what has ended, and yield what its worker answers: an outcome that failed, None for what never began.

    No future is held any longer: Dask would play again what died with its worker, although its answer is here.
    """
    from distributed.scheduler import KilledWorker

    for future in wait(running, timeout=within, return_when=FIRST_COMPLETED).done:
        order = running.pop(future)
        try:
            yield order, future.result()
        except KilledWorker as error:
            reason = f"its worker died, {error.allowed_failures + 1} times: the machine may lack memory"
            yield order, _failed(order, reason)
        except CancelledError:
            yield order, _failed(order, "the scheduler is gone, and the scenario with it")
        except Exception as error:  # noqa: BLE001 - whatever is wrong with one scenario, the others go on
            yield order, _failed(order, error)


def _brought(client: Client, order: Order, played: _Played) -> Outcome:
    """Return the outcome with its recordings where they belong."""
    recordings = _bring(client, played.worker, played.outcome.recordings, order.recordings)
    _clear(client, played.worker, played.folder)
    reports = tuple(
        report.model_copy(update={"path": recording.path})
        for report, recording in zip(played.outcome.reports, recordings, strict=True)
    )
    return replace(played.outcome, recordings=recordings, reports=reports)


def _clear(client: Client, worker: str, folder: Path) -> None:
    """Remove the folder of an order at a worker, whose recordings are here; what is unfinished in it stays."""
    if not _ask(client, worker, _forget, folder):
        message = "%s: what could not be finished there stays in %s; 'harness recover' there tries again."
        _log.warning(message, worker, folder / _RECORDINGS)


class _LostError(Exception):
    """A worker is gone, and what lay there with it."""


def _bring(client: Client, worker: str, recordings: Sequence[Recording], home: Path) -> tuple[Recording, ...]:
    """Publish in ``home`` recordings that are stored at a worker.

    Raises _LostError where that worker does not answer any more.
    """
    brought = []
    for recording in recordings:
        home.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".incoming-", dir=home) as incoming:
            path = Path(incoming) / recording.path.name
            here = recording.at(path)
            for there, target in zip(recording.files, here.files, strict=True):
                _fetch(client, worker, there, target)
            manifest = Manifest.read(here.manifest)
            brought.append(publish(manifest.model_copy(update={"recording": here}), path, home))
    return tuple(brought)


def _fetch(client: Client, worker: str, source: Path, target: Path) -> None:
    """Copy a file of a worker, where there is one."""
    piece = _ask(client, worker, _piece, source, 0)
    if piece is None:
        return
    with room_for("a recording of a worker", target), target.open("xb") as file:
        while piece:
            file.write(piece)
            piece = _ask(client, worker, _piece, source, file.tell()) if len(piece) == _PIECE else None


def _ask(client: Client, worker: str, function: Callable[..., Any], *arguments: Any) -> Any:
    """Return what a function answers at a worker."""
    try:
        return client.run(function, *arguments, workers=[worker])[worker]
    except (OSError, KeyError) as error:
        raise _LostError(worker) from error


def _failed(order: Order, error: Exception | str) -> Outcome:
    return Outcome.failed(order.scenario, error)


def _client(address: str) -> Client:
    try:
        from distributed import Client
        from distributed.comm.addressing import get_address_host_port
    except ImportError as error:
        message = "--dask: Dask is not installed: pip install 'recording-harness[dask]'."
        raise SetupError(message) from error
    try:
        # A client that is given what is no address takes ten seconds to be gone again, and complains.
        get_address_host_port(address)
        return Client(address, timeout=_CONNECTED_WITHIN, set_as_default=False)
    except (OSError, ValueError) as error:
        message = f"--dask: no scheduler answers at {address}: {error}. Start one with 'dask scheduler'."
        raise SetupError(message) from error


def _check_workers(client: Client) -> None:
    workers = client.scheduler_info(n_workers=-1)["workers"]
    if not any(RESOURCE in worker["resources"] for worker in workers.values()):
        message = (
            f"--dask: none of the {len(workers)} workers has a {RESOURCE}. Start them with as many as each can hold: "
            f"dask worker ADDRESS --nthreads 2 --resources '{RESOURCE}=2'."
        )
        raise SetupError(message)
    ours = _version()
    try:
        theirs = client.run(_version)
    except ModuleNotFoundError as error:
        message = "--dask: the workers have no recording-harness: install it where they run."
        raise SetupError(message) from error
    if different := {worker: version for worker, version in theirs.items() if version != ours}:
        worker, version = next(iter(different.items()))
        message = f"--dask: recording-harness is {version} at {worker}, and {ours} here; install the same on both."
        raise SetupError(message)


def _check_films(orders: Sequence[Order]) -> None:
    """Raise ConfigError for what only lies on this machine."""
    for order in orders:
        for number, step in enumerate(order.scenario.steps, start=1):
            if isinstance(step, Join) and step.media not in MEDIA:
                message = (
                    f"--dask: {order.scenario.title}: step {number} brings {step.media}, which workers don't have."
                )
                raise ConfigError(message)


def _version() -> str:
    return metadata.version("recording-harness")


def _folder(batch: str) -> Path:
    return Path(tempfile.gettempdir()) / batch


def _play(order: Order, batch: str) -> _Played | None:
    """Play an order where this runs: on a worker, in a folder of its own; None when all is to end."""
    from distributed import Event, get_worker

    worker = get_worker()
    ending = Event(batch)
    if ending.is_set():
        return None
    folder = _private_folder(batch, order)
    outcome = order.play(
        folder / _RECORDINGS,
        tell=lambda progress: worker.log_event(batch, (order.number, (progress.step, progress.steps, progress.text))),
        interrupted=ending.is_set,
    )
    return _Played(outcome, worker.address, folder)


def _private_folder(batch: str, order: Order) -> Path:
    """Make a folder for an order that no other user of this machine can enter, and return it.

    Raises SetupError where the batch's folder belongs to somebody else, or can't be made.
    """
    above = _folder(batch)
    folder = above / f"{order.number} {secrets.token_hex(4)}"
    try:
        while True:
            above.mkdir(mode=FOLDER_MODE, exist_ok=True)
            # Another worker may have made it, with another mode, or removes it just now, as it was the last one there.
            with contextlib.suppress(FileNotFoundError):
                if above.is_symlink() or above.stat().st_uid != os.getuid():
                    message = f"{above} belongs to another user; remove it, or set TMPDIR to a folder of your own."
                    raise SetupError(message)
                above.chmod(FOLDER_MODE)
                folder.mkdir(mode=FOLDER_MODE)
                return folder
    except OSError as error:
        message = f"{folder} can't take recordings: {error.strerror}. Make room there, or set TMPDIR to another folder."
        raise SetupError(message) from error


def _piece(path: Path, offset: int) -> bytes | None:
    """Read so much of a file as is carried at a time; None where there is no such file."""
    try:
        with path.open("rb") as file:
            file.seek(offset)
            return file.read(_PIECE)
    except FileNotFoundError:
        return None


def _forget(folder: Path) -> bool:
    """Remove the folder of an order; return False, and leave it, where the spool in it still holds a recording."""
    if any((folder / _RECORDINGS / SPOOL).glob("*")):
        return False
    shutil.rmtree(folder, ignore_errors=True)
    # The batch's own folder goes with the last of them.
    with contextlib.suppress(OSError):
        folder.parent.rmdir()
    return True


def _bring_leftovers(client: Client, batch: str, home: Path, rescued: Callable[[Recording], None]) -> None:
    """Publish what died with its worker, from every machine that still has one."""
    # Workers of one machine find the same; the first one that asks takes it.
    try:
        found = client.run(_rescue, batch, on_error="ignore")
    except OSError as error:
        _log.warning("What workers that died had recorded can't be fetched: %s.", error)
        return
    for worker, left in found.items():
        for one in left:
            try:
                for recording in _bring(client, worker, one.recordings, home):
                    rescued(recording)
                for problem in one.problems:
                    _log.warning("At the worker %s: %s", worker, problem)
                _clear(client, worker, one.folder)
            except (OSError, HarnessError, _LostError) as error:
                # The others are fetched all the same.
                _log.warning("%s: what a worker that died had recorded stays in %s: %s", worker, one.folder, error)


def _rescue(batch: str) -> tuple[_Rescued, ...]:
    """Finish what a dead worker left in the folders of a batch."""
    rescued: list[_Rescued] = []
    for folder in sorted(_folder(batch).glob("*")):
        try:
            mine = folder.rename(folder.with_name(f"{folder.name} {secrets.token_hex(4)} taken"))
        except OSError:
            continue
        recordings = mine / _RECORDINGS
        problems = tuple(one.message for one in recover(recordings) if one.recording is None)
        there = []
        for path in sorted(recordings.glob(f"*{SUFFIX}")):
            # A name that was reserved before its manifest was written is no recording.
            with contextlib.suppress(ConfigError):
                there.append(Manifest.read(manifest_of(path)).recording.at(path))
        if there or problems:
            rescued.append(_Rescued(tuple(there), mine, problems))
        else:
            _forget(mine)
    return tuple(rescued)
