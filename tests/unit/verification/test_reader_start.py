"""The reader process starts on any machine, and a problem with the machine is not reported as a fault in the file."""

import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from harness.errors import SetupError
from harness.recording.isolation import child
from harness.verification import verify
from harness.verification.isolation import readers
from harness.verification.report import filmstrip
from tests.support.media.recording_file import write_recording
from tests.support.media.scene import Scene, participants

pytestmark = pytest.mark.parallel

SCENE = Scene(participants=participants("alice", "bob"), seconds=1.0)
# When this library is preloaded, FFmpeg, OpenBLAS and Python see a machine with many processors.
MANY_PROCESSORS = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

int sched_getaffinity(pid_t process, size_t size, cpu_set_t *set) {
  memset(set, 0, size);
  for (int number = 0; number < PROCESSORS && number < (int)size * 8; number++) CPU_SET_S(number, size, set);
  return 0;
}

int get_nprocs(void) { return PROCESSORS; }
int get_nprocs_conf(void) { return PROCESSORS; }

long sysconf(int name) {
  static long (*real)(int);
  if (!real) real = (long (*)(int))dlsym(RTLD_NEXT, "sysconf");
  return name == _SC_NPROCESSORS_ONLN || name == _SC_NPROCESSORS_CONF ? PROCESSORS : real(name);
}
"""


@pytest.fixture(autouse=True)
def _no_idle_reader() -> Iterator[None]:
    """End all idle reader processes before and after each test."""
    readers._POOL.end()
    yield
    readers._POOL.end()


def broken_library(folder: Path, text: str) -> Path:
    """Create a folder that contains a ``numpy`` module with the code ``text``, and return the folder."""
    folder.mkdir()
    (folder / "numpy.py").write_text(text)
    return folder


@pytest.mark.skipif(not shutil.which("cc") or sys.platform != "linux", reason="needs a C compiler to preload a library")
@pytest.mark.parametrize("processors", [1, 64, 128])
def test_720p_file_passes_on_a_machine_with_any_number_of_processors(tmp_path: Path, processors: int) -> None:
    """The decoder and OpenBLAS stay within the memory limit, even though they reserve memory for every processor."""
    recording = write_recording(
        tmp_path / "big.webm",
        Scene(participants=participants("alice"), seconds=0.5, width=1280, height=720, codec="libvpx-vp9"),
    )
    (tmp_path / "many.c").write_text(MANY_PROCESSORS)
    library = tmp_path / "many.so"
    define = f"-DPROCESSORS={processors}"
    subprocess.run(["cc", "-shared", "-fPIC", define, "-o", library, tmp_path / "many.c", "-ldl"], check=True)
    html = tmp_path / "report.html"

    verified = subprocess.run(
        [sys.executable, "-m", "harness", "verify", recording.path, "--html", html],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "LD_PRELOAD": str(library)},
    )

    assert (0, "") == (verified.returncode, verified.stderr)
    assert "alice" in verified.stdout
    assert "data:image/jpeg" in html.read_text()


def test_path_object_on_the_import_path_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Like Python itself, the reader process ignores entries in sys.path that are not strings."""
    recording = write_recording(tmp_path / "standup.webm", SCENE)
    # Only the module that starts the process gets this sys.path, because coverage.py requires a sys.path of strings.
    odd = SimpleNamespace(path=[*sys.path, tmp_path, 7], executable=sys.executable)
    monkeypatch.setattr(child, "sys", odd)

    assert verify(recording).ok
    assert filmstrip.filmstrip(recording.path, 1.0)


def test_installation_that_does_not_import_is_a_setup_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the installation is incomplete, the error states the reason and the remedy, and names no media file."""
    recording = write_recording(tmp_path / "standup.webm", SCENE)
    broken = broken_library(tmp_path / "broken", "raise ImportError('libopenblas.so.0 is missing')")
    monkeypatch.setattr(sys, "path", [str(broken), *sys.path])

    with pytest.raises(SetupError, match=r"did not start: ImportError: libopenblas\.so\.0 is missing\. .*doctor"):
        verify(recording)


def test_reader_that_never_becomes_ready_is_a_setup_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If a reader process never finishes its imports, it is ended, and no process is left behind."""
    monkeypatch.setattr(child, "_READY_WITHIN", 0.5)
    recording = write_recording(tmp_path / "standup.webm", SCENE)
    endless = broken_library(tmp_path / "endless", "while True: pass")
    monkeypatch.setattr(sys, "path", [str(endless), *sys.path])
    # Processes that another test has started may still be running, such as multiprocessing's resource tracker.
    before = psutil.Process().children()

    with pytest.raises(SetupError, match="was not ready in time"):
        verify(recording)

    assert before == psutil.Process().children()


def test_command_line_reports_a_broken_installation_with_its_own_exit_code(tmp_path: Path) -> None:
    """If the installation is broken, the exit code is 3. Exit code 1 is reserved for failed reports."""
    recording = write_recording(tmp_path / "standup.webm", SCENE)
    broken = broken_library(tmp_path / "broken", "raise ImportError('wrong architecture')")
    program = f"""
import sys, harness.verification.analysis, harness.cli
sys.path.insert(0, {str(broken)!r})
sys.argv = ["harness", "verify", {str(recording.path)!r}]
harness.cli.main()
"""

    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)

    assert 3 == ended.returncode
    assert "ImportError: wrong architecture" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert "" == ended.stdout


def test_time_limit_counts_only_the_cpu_time_of_the_reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader process is not killed if it gets no CPU time for a while because other processes use all of it."""
    monkeypatch.setattr(readers, "_AT_LEAST", 1.0)
    monkeypatch.setattr(readers, "_PER_SECOND", 0.1)
    long = write_recording(tmp_path / "long.webm", Scene(participants=participants("alice"), seconds=5.0))
    verify(write_recording(tmp_path / "short.webm", SCENE))
    (reader,) = (one for one in psutil.Process().children() if "isolation.worker" in " ".join(one.cmdline()))
    reader.send_signal(signal.SIGSTOP)
    resume = threading.Timer(2.5, reader.send_signal, (signal.SIGCONT,))
    resume.start()

    report = verify(long)

    resume.join()
    assert report.ok, str(report)
