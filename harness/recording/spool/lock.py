"""FolderLock marks a recording's folder as in use, even on disks that do not support locks."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import socket
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import psutil
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from harness.errors import recording_error
from harness.recording.files.capabilities import lock

if TYPE_CHECKING:
    from types import TracebackType
    from typing import BinaryIO, Self

_OWNER: Final = re.compile(r"owner-([1-9]\d{0,8})")
# Maximum size of an owner file, in bytes.
_LARGEST_OWNER: Final = 10_000
_TRIES: Final = 100
_BETWEEN_TRIES: Final = 0.01
_BREATH: Final = threading.Event()
_BOOT: Final = Path("/proc/sys/kernel/random/boot_id")
_PROCESSES: Final = Path("/proc/self/ns/pid")


class _Owner(BaseModel):
    """The process that uses a folder.

    ``processes`` identifies the running system and the container in which ``pid`` is valid. ``started`` is when the
    process started, because a later process can have the same ID, especially in a restarted container. ``host`` is only
    shown to users, because several machines and containers can have the same name.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    pid: Annotated[int, Field(gt=0, lt=1 << 31)]
    started: str
    host: str
    processes: str


class FolderLock:
    """The lock of a recording's folder, held until ``close`` is called or the process ends.

    On disks that support locks, the folder's file ``lock`` is locked. On other disks, the process that uses the folder
    writes its process ID into a file ``owner-N``. Only the file with the highest N is valid. If its process has ended,
    the next process creates ``owner-N+1``, which only one process can do. No file is replaced, so no process can remove
    another process's file by mistake.
    """

    def __init__(self, path: Path, file: BinaryIO, owner: Path | None) -> None:
        self._path = path
        self._file = file
        self._owner = owner

    @classmethod
    def acquire(cls, path: Path, *, new: bool = False) -> Self:
        """Lock the folder of the lock file ``path``; ``new`` creates this file.

        Raises BlockingIOError if another process holds the lock, FileNotFoundError if the lock file does not exist, and
        RecordingError if the lock may be held by a process on another machine or in another container.
        """
        file = _open(path, new=new)
        owner: Path | None = None
        with contextlib.ExitStack() as undo:
            undo.enter_context(file)
            supported = lock(file)
            # For another process, the same disk may not support locks, so always look for an owner file.
            number = _check_owner(path.parent)
            if not supported:
                owner = _write_owner(path.parent / f"owner-{number + 1}")
                undo.callback(owner.unlink, missing_ok=True)
            # Before this process got the lock, another may have removed the folder, and a third may have created it
            # again.
            if not os.path.samestat(os.fstat(file.fileno()), path.stat()):
                raise FileNotFoundError(path)
            undo.pop_all()
        return cls(path, file, owner)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def closed(self) -> bool:
        """Whether the lock has been released."""
        return self._file.closed

    def close(self) -> None:
        """Release the lock, and remove the folder if it is empty. Safe to call more than once."""
        if self._file.closed:
            return
        if self._owner is not None:
            with contextlib.suppress(OSError):
                self._owner.unlink(missing_ok=True)
        self._file.close()
        # NFS and FUSE keep a removed file in its folder under another name until the file is closed, so the folder
        # can't be removed earlier.
        with contextlib.suppress(OSError):
            self._path.parent.rmdir()


def owner_files(folder: Path) -> list[Path]:
    """Return the files with which processes claim a recording's folder on a disk without locks, oldest first."""
    numbered = [(int(found[1]), path) for path in folder.iterdir() if (found := _OWNER.fullmatch(path.name))]
    return [path for _, path in sorted(numbered)]


def _open(path: Path, *, new: bool) -> BinaryIO:
    try:
        # NFS locks a file only if it is open for writing.
        return path.open("ab" if new else "r+b")
    except OSError as error:
        if new or error.errno != errno.EROFS:
            raise
        # Recovery into another folder only reads this one.
        return path.open("rb")


def _check_owner(folder: Path) -> int:
    """Return the number of the folder's last owner file, or 0 if there is none.

    Raises BlockingIOError if the owner is running, and RecordingError if this is unknown.
    """
    files = owner_files(folder)
    if not files:
        return 0
    path = files[-1]
    owner = _read_owner(path)
    if owner is None and not os.path.lexists(path):
        # The owner has just released the lock.
        raise _blocked(path)
    if owner is None:
        message = f"{path} is damaged. If no program is recording into this folder, remove this file."
        raise recording_error(message)
    if owner.processes != _process_table():
        message = (
            f"process {owner.pid} on {owner.host} may still be recording into this folder. If that program has ended, "
            f"remove {path}."
        )
        raise recording_error(message)
    if _start_of(owner.pid) == owner.started:
        raise _blocked(path)
    return int(path.name.removeprefix("owner-"))


def _read_owner(path: Path) -> _Owner | None:
    """Return the content of an owner file, or None if it is damaged or missing."""
    try:
        # A pipe or a huge file could block this process.
        if path.is_symlink() or not path.is_file() or path.stat().st_size > _LARGEST_OWNER:
            return None
        for _ in range(_TRIES):
            if content := path.read_bytes():
                return _Owner.model_validate_json(content)
            # Another process has just created the file, and has not written to it yet.
            _BREATH.wait(_BETWEEN_TRIES)
    except (OSError, ValidationError):
        pass
    return None


def _write_owner(path: Path) -> Path:
    """Claim a folder for this process by creating an owner file; raises BlockingIOError if the file exists."""
    pid = os.getpid()
    owner = _Owner(pid=pid, started=_start_of(pid) or "", host=socket.gethostname(), processes=_process_table())
    try:
        file = path.open("xb")
    except FileExistsError as error:
        raise _blocked(path) from error
    try:
        with file:
            file.write(owner.model_dump_json().encode())
    except BaseException:
        path.unlink()
        raise
    return path


def _blocked(path: Path) -> BlockingIOError:
    return BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN), str(path))


def _process_table() -> str:
    """Return a text that identifies the running system and the container whose processes this process can see."""
    try:
        return f"{_BOOT.read_text(encoding='ascii').strip()} {_PROCESSES.readlink()}"
    except OSError:
        return socket.gethostname()


def _start_of(pid: int) -> str | None:
    """Return when a process started, in clock ticks since the system started; None if the process has ended.

    On systems without /proc, the text is empty.
    """
    try:
        # A process that was killed in a container without an init process stays a zombie.
        if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return None
    except psutil.NoSuchProcess:
        return None
    try:
        status = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    # The program's name, which is in parentheses, can contain spaces and parentheses. The start is the 20th field after
    # the name (proc(5)). psutil's time changes if the machine's clock is set.
    return status.rpartition(")")[2].split()[19]
