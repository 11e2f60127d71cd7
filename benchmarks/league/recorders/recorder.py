"""What every recorder in the league has in common."""

from __future__ import annotations

import contextlib
import shutil
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Final

from tests.support.servers.janus import installed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from benchmarks.league.stage import Stage

ROOT: Final = Path(__file__).parents[3]


@dataclass(frozen=True, kw_only=True)
class Needs:
    """What a recorder needs: programs, each with its Debian package, a package from npm, or Janus as the call's SFU."""

    programs: tuple[tuple[str, str], ...] = ()
    npm: str | None = None
    janus: bool = False

    def missing(self, modules: Path | None) -> str | None:
        """Return what is missing and how to install it, or None; ``modules`` is the folder with npm's packages."""
        absent = [(program, package) for program, package in self.programs if shutil.which(program) is None]
        if absent:
            names = ", ".join(program for program, _ in absent)
            packages = " ".join(dict.fromkeys(package for _, package in absent))
            is_are = "is" if len(absent) == 1 else "are"
            return f"{names} {is_are} not installed. On Debian, install with: apt-get install {packages}"
        if self.janus and not installed():
            return "This machine has no network address except loopback, but Janus ignores loopback addresses."
        if self.npm and not (modules and (modules / self.npm.partition("@")[0]).is_dir()):
            return f"npm could not install {self.npm}."
        return None


@dataclass(frozen=True, kw_only=True)
class RecordedFile:
    """A file that a recorder left.

    ``zero_at`` is the Unix time at which the file begins, as far as it is known. ``participant`` is the only
    participant in the file, or None if the file has everybody.
    """

    path: Path
    zero_at: float
    participant: str | None = None


class Recorder(ABC):
    """A recorder, which is used in two processes.

    The process of a run calls ``environment``, ``begin`` and ``end``. After this process has ended, or was killed, the
    league's own process calls ``collect``.
    """

    key: ClassVar[str]
    """Short name for options and folders."""
    title: ClassVar[str]
    """Name on the page."""
    method: ClassVar[str]
    """One sentence on how the recorder records."""
    needs: ClassVar[Needs] = Needs()

    def __init__(self, modules: Path | None = None) -> None:
        """Create a recorder; ``modules`` is the folder with npm's packages."""
        self.modules = modules

    def missing(self) -> str | None:
        """Return why this recorder can't run on this machine, or None if it can."""
        return self.needs.missing(self.modules)

    @contextlib.contextmanager
    def environment(self, folder: Path) -> Iterator[None]:  # noqa: ARG002
        """Run everything that has to run before the browsers are started."""
        yield

    def prepare(self, stage: Stage) -> None:  # noqa: B027 - only Janus has to prepare anything
        """Do everything that has to be done after the browsers are started, but before anybody joins the call."""

    @abstractmethod
    def begin(self, stage: Stage) -> None:
        """Start the recording, and return once it is in progress."""

    @abstractmethod
    def end(self, stage: Stage) -> None:
        """Stop the recording, and return once its file is complete."""

    @abstractmethod
    def collect(self, folder: Path, began: dict[str, Any], *, killed: bool) -> list[RecordedFile]:
        """Return the files that the recorder left in a run's folder.

        ``began`` is what was known when the recording began: ``began_at``, the Unix time, and the stage's ``notes``. If
        ``killed`` is true, all processes of the run were killed during the recording.
        """

    def commands(self, began: dict[str, Any]) -> list[str]:
        """Return the commands, or the calls, with which a user would make the same recording."""
        return [str(one) for one in began.get("notes", {}).get("commands", [])]

    def versions(self) -> dict[str, str]:
        """Return the versions of the programs and packages that only this recorder uses."""
        return {}


class NoRecorder(Recorder):
    """Records nothing, so that the cost of the call itself is known."""

    key = "none"
    title = "no recorder"
    method = "The same call without a recording. Its cost is subtracted from the cost of every recorder."

    def begin(self, stage: Stage) -> None:
        """Do nothing."""

    def end(self, stage: Stage) -> None:
        """Do nothing."""

    def collect(self, folder: Path, began: dict[str, Any], *, killed: bool) -> list[RecordedFile]:  # noqa: ARG002
        """Return no files."""
        return []
