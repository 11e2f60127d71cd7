"""A batch on a Dask cluster (https://distributed.dask.org): as many scenarios at a time as its workers have browsers.

Each scenario is one task that takes one ``browser`` of its worker's resources. Recordings come back with its outcome.
A task whose worker dies is played again by another one; what the dead one had recorded is fetched at the end from the
folder where it lies, if the machine is still there.
"""

from __future__ import annotations

import contextlib
import secrets
import shutil
import tempfile
from concurrent.futures import FIRST_COMPLETED, wait
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Final

from harness.errors import ConfigError, HarnessError, SetupError
from harness.recording.publish import publish
from harness.recording.recording import SUFFIX, Manifest, Recording, manifest_of, statistics_of
from harness.recording.recover import recover
from harness.scenario import Outcome, Progress
from harness.scenario.steps import Join
from harness.session.media import MEDIA

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Future

    from distributed import Client

    from harness.batch import Order

# What a worker has so many of as it can play scenarios side by side.
RESOURCE: Final = "browser"
_CONNECTED_WITHIN: Final = 5
_LOOK_EVERY: Final = 0.25
_FOLDER: Final = "harness-batch-"


@dataclass(frozen=True)
class Film:
    """A recording on its way: its name, its bytes, and what lay beside it."""

    stem: str
    data: bytes
    manifest: bytes
    statistics: bytes | None

    @classmethod
    def pack(cls, path: Path) -> Film:
        """Read a finished recording."""
        beside = statistics_of(path)
        statistics = beside.read_bytes() if beside.exists() else None
        return cls(path.stem, path.read_bytes(), manifest_of(path).read_bytes(), statistics)

    def unpack(self, folder: Path) -> Recording:
        """Publish it in a folder, under the first free name."""
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".incoming-", dir=folder) as incoming:
            path = Path(incoming) / f"{self.stem}{SUFFIX}"
            path.write_bytes(self.data)
            manifest_of(path).write_bytes(self.manifest)
            if self.statistics is not None:
                statistics_of(path).write_bytes(self.statistics)
            manifest = Manifest.read(manifest_of(path))
            moved = manifest.recording.model_copy(update={"path": path, "manifest": manifest_of(path)})
            return publish(manifest.model_copy(update={"recording": moved}), path, folder)


@dataclass(frozen=True)
class _Played:
    """What a worker answers: the outcome, and the films of its recordings in the same order."""

    outcome: Outcome
    films: tuple[Film, ...]


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
    with _client(address) as client:
        _check_workers(client)
        batch = f"{_FOLDER}{secrets.token_hex(8)}"
        client.subscribe_topic(batch, lambda event: tell(event[1][0], Progress(*event[1][1])))
        try:
            return _run(client, orders, batch, done, interrupted)
        finally:
            client.unsubscribe_topic(batch)
            for films in _leftovers(client, batch):
                for film in films:
                    rescued(film.unpack(orders[0].recordings))


def _run(
    client: Client,
    orders: Sequence[Order],
    batch: str,
    done: Callable[[int, Outcome], None],
    interrupted: Callable[[], bool],
) -> list[Outcome]:
    from distributed import Event

    ending = Event(batch, client=client)
    executor = client.get_executor(resources={RESOURCE: 1}, pure=False)
    running: dict[Future[_Played | None], Order] = {executor.submit(_play, order, batch): order for order in orders}
    outcomes: dict[int, Outcome] = {}
    while running:
        ended, _ = wait(running, timeout=_LOOK_EVERY, return_when=FIRST_COMPLETED)
        for future in ended:
            order = running.pop(future)
            outcome = _outcome(future, order)
            if outcome is not None:
                outcomes[order.number] = outcome
                done(order.number, outcome)
        if interrupted() and not ending.is_set():
            # Workers hear of it: what runs there is finished, what waits never begins.
            ending.set()
    return [outcomes[order.number] for order in orders if order.number in outcomes]


def _outcome(future: Future[_Played | None], order: Order) -> Outcome | None:
    """Return what came of an order, with its films where they belong here; None for what never began."""
    from distributed.scheduler import KilledWorker

    try:
        played = future.result()
    except KilledWorker as error:
        return _failed(order, f"its worker died, {error.allowed_failures + 1} times: the machine may lack memory")
    except HarnessError as error:
        return _failed(order, str(error))
    if played is None:
        return None
    recordings = tuple(film.unpack(order.recordings) for film in played.films)
    reports = tuple(
        report.model_copy(update={"path": recording.path})
        for report, recording in zip(played.outcome.reports, recordings, strict=True)
    )
    return replace(played.outcome, recordings=recordings, reports=reports)


def _failed(order: Order, reason: str) -> Outcome:
    title = order.scenario.title or "scenario"
    return Outcome(title=title, recordings=(), reports=(), error=reason, seconds=0.0)


def _client(address: str) -> Client:
    try:
        from distributed import Client
    except ImportError as error:
        message = "--dask: Dask is not installed: pip install 'recording-harness[dask]'."
        raise SetupError(message) from error
    try:
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
    folder = _folder(batch) / f"{order.number} {secrets.token_hex(4)}"
    ending = Event(batch)
    if ending.is_set():
        return None
    outcome = order.play(
        folder,
        tell=lambda progress: worker.log_event(batch, (order.number, (progress.step, progress.steps, progress.text))),
        interrupted=ending.is_set,
    )
    films = tuple(Film.pack(recording.path) for recording in outcome.recordings)
    shutil.rmtree(folder, ignore_errors=True)
    return _Played(outcome, films)


def _leftovers(client: Client, batch: str) -> list[tuple[Film, ...]]:
    """Return what died with its worker, from every machine that still has one."""
    # Workers of one machine find the same; the first one that asks takes it.
    with contextlib.suppress(OSError):
        return list(client.run(_rescue, batch, on_error="ignore").values())
    return []


def _rescue(batch: str) -> tuple[Film, ...]:
    """Finish what a dead worker left in the folders of a batch, and take it away."""
    films: list[Film] = []
    for folder in sorted(_folder(batch).glob("*")):
        try:
            mine = folder.rename(folder.with_name(f"{folder.name} {secrets.token_hex(4)} taken"))
        except OSError:
            continue
        recover(mine)
        films += [Film.pack(path) for path in sorted(mine.glob(f"*{SUFFIX}"))]
        shutil.rmtree(mine, ignore_errors=True)
    shutil.rmtree(_folder(batch), ignore_errors=True)
    return tuple(films)
