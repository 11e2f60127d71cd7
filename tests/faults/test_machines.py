"""Recordings on machines where folders are not writable: read-only disks, other users' HOME, an unusable TMPDIR."""

import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.support.disks import mounted_disk
from tests.support.jobs.users import as_user, own_folder
from tests.support.program import PROGRAM
from tests.support.reports import check_recording

ARGUMENTS = ("record", "alice", "--recorder", "local", "--seconds", "1", "--name", "out")
# Makes the root disk read-only in a mount namespace of its own; disks that are mounted below "/" stay writable.
READ_ONLY = 'mount --make-rprivate / && mount -o remount,bind,ro / && exec "$@"'


@pytest.fixture
def folder() -> Iterator[Path]:
    """Return a folder with a short path that other users can open, unlike pytest's temporary folders."""
    with tempfile.TemporaryDirectory(prefix="machine-", dir="/tmp") as path:
        Path(path).chmod(0o755)
        yield Path(path)


def run(command: Sequence[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a command in a folder, and wait until it ends."""
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=120)


def check_refused(done: subprocess.CompletedProcess[str], *texts: str) -> None:
    """Check that the program ended with the exit code for a missing requirement, and that its error has these texts."""
    assert 3 == done.returncode, done.stderr
    (line,) = (line for line in done.stderr.splitlines() if all(text in line for text in texts))
    assert line.startswith("harness: ")
    assert "Traceback" not in done.stderr


def check_recorded(done: subprocess.CompletedProcess[str], folder: Path) -> None:
    """Check that ``harness record --json`` has made a valid recording in ``folder/recordings``."""
    assert done.stdout, done.stderr
    (recording,) = json.loads(done.stdout)["recordings"]
    assert str(folder / "recordings" / "out.webm") == recording["path"]
    assert recording["downloaded"], recording
    check_recording(Path(recording["path"]))


@pytest.mark.parametrize("home", ["/root", "/nonexistent", "/proc", "/"])
def test_user_without_an_entry_and_without_a_writable_home_can_record(folder: Path, home: str) -> None:
    """Chrome stores its own files in a temporary folder, which is removed afterwards."""
    own, temporary = own_folder(folder / "own"), own_folder(folder / "tmp")
    command = as_user([*PROGRAM, *ARGUMENTS, "--json"], home=home, TMPDIR=str(temporary))

    done = run(command, own)

    check_recorded(done, own)
    assert [] == [path.name for path in temporary.iterdir() if path.name.startswith("harness-")]


def test_user_without_an_entry_and_without_home_gets_the_remedy(folder: Path) -> None:
    """Playwright's driver does not start if the home folder is unknown, so one line explains what to do."""
    command = as_user(["env", "-u", "HOME", *PROGRAM, *ARGUMENTS], home="/")

    done = run(command, own_folder(folder / "own"))

    check_refused(done, "HOME is not set", "Set HOME to a folder")


def read_only(command: Sequence[str]) -> list[str]:
    """Return a command that runs ``command`` with a read-only root disk; skip the test if that is impossible."""
    prefix = ["unshare", "--mount", "sh", "-c", READ_ONLY, "sh"]
    if shutil.which("unshare") is None or subprocess.run([*prefix, "true"], check=False).returncode:
        pytest.skip("A read-only root disk requires Linux, unshare and root.")
    return [*prefix, *command]


def test_root_disk_can_be_read_only(folder: Path) -> None:
    """Only TMPDIR and the recordings folder have to be writable; HOME is not."""
    with mounted_disk(folder / "disk", "size=600M") as disk:
        (disk / "tmp").mkdir()
        command = read_only(["env", f"TMPDIR={disk / 'tmp'}", "HOME=/root", *PROGRAM, *ARGUMENTS, "--json"])

        done = run(command, disk)

        check_recorded(done, disk)


def test_read_only_folder_for_temporary_files_is_named(folder: Path) -> None:
    """If TMPDIR is on a read-only disk, nothing is started, and one line states the folder and the remedy."""
    if folder.stat().st_dev != Path("/").stat().st_dev:
        pytest.skip("The folder /tmp is not on the root disk.")
    command = read_only(["env", f"TMPDIR={folder}", *PROGRAM, *ARGUMENTS])

    done = run(command, folder)

    reason = "it is not a writable folder (Read-only file system); set TMPDIR to a writable folder"
    check_refused(done, f"Chrome can't store temporary files in {folder}, because {reason}")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("missing", "it does not exist"),
        ("file", "it is not a writable folder (Not a directory)"),
        ("l" * 62, "its path is longer than 62 bytes"),
    ],
)
def test_unusable_folder_for_temporary_files_is_named(folder: Path, name: str, reason: str) -> None:
    """The program exits with 3 and a reason, instead of showing Chrome's output."""
    (folder / "file").touch()
    (folder / ("l" * 62)).mkdir()

    done = run(["env", f"TMPDIR={folder / name}", *PROGRAM, *ARGUMENTS], folder)

    check_refused(done, f"Chrome can't store temporary files in {folder / name}, because {reason}; set TMPDIR to")
    assert not (folder / "recordings").exists()


def test_full_folder_for_temporary_files_is_named(folder: Path) -> None:
    """Chrome itself needs some space for its profile, so a nearly full TMPDIR is reported before Chrome starts."""
    with mounted_disk(folder / "disk", "size=20M") as disk:
        done = run(["env", f"TMPDIR={disk}", *PROGRAM, *ARGUMENTS], folder)

    check_refused(done, f"temporary files in {disk}, because it has only", "MB of free space; set TMPDIR to")


def test_longest_path_for_temporary_files_works(folder: Path) -> None:
    """Chrome starts if the path of TMPDIR has 62 bytes."""
    temporary = folder / ("l" * (62 - len(f"{folder}/")))
    temporary.mkdir()

    done = run(["env", f"TMPDIR={temporary}", *PROGRAM, *ARGUMENTS, "--json"], folder)

    check_recorded(done, folder)
