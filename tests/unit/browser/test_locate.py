"""Finding a browser: the order, and what is said when there is none."""

from pathlib import Path

import pytest
from playwright._impl._driver import compute_driver_executable

from harness.browser import locate as locating
from harness.browser.chrome import start_playwright
from harness.browser.install import install
from harness.browser.locate import Browser, locate, sandbox_works
from harness.errors import SetupError

pytestmark = pytest.mark.parallel

VERSION = "156.0.8078.79"


def a_program(folder: Path, name: str, *, says: str = f"Chromium {VERSION} built on Debian") -> Path:
    """Write a program that answers to --version and to nothing else."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(f'#!/bin/sh\n[ "$1" = --version ] && echo "{says}" && exit 0\nexit 1\n')
    path.chmod(0o755)
    return path


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Return the only folder on PATH, of a machine without any browser."""
    path = tmp_path / "bin"
    path.mkdir()
    monkeypatch.setenv("PATH", str(path))
    monkeypatch.delenv("CHROME_PATH", raising=False)
    monkeypatch.setattr(locating, "_CHANNELS", {"chrome": (str(tmp_path / "opt/chrome"),)})
    return path


def test_every_place_gives_way_to_the_one_before_it(
    machine: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Named, CHROME_PATH, Playwright's own, channels, PATH: the best that there is wins."""
    google = a_program(machine, "google-chrome")
    found = [locate()]
    chromium = a_program(machine, "chromium")
    found.append(locate())
    channel = a_program(tmp_path / "opt", "chrome")
    found.append(locate())
    bundled = a_program(tmp_path, "bundled")
    found.append(locate(bundled=str(bundled)))
    from_environment = a_program(tmp_path, "from-environment")
    monkeypatch.setenv("CHROME_PATH", str(from_environment))
    found.append(locate(bundled=str(bundled)))
    named = a_program(tmp_path, "named")
    found.append(locate(named, bundled=str(bundled)))

    assert [
        Browser(google, None, VERSION, "google-chrome on PATH"),
        Browser(chromium, None, VERSION, "chromium on PATH"),
        Browser(channel, "chrome", VERSION, "channel chrome"),
        Browser(bundled, "chromium", VERSION, "Playwright's own"),
        Browser(from_environment, None, VERSION, "CHROME_PATH"),
        Browser(named, None, VERSION, "--executable"),
    ] == found


def test_a_name_on_path_will_do(machine: Path) -> None:
    """A browser can be named as one types it."""
    chrome = a_program(machine, "my-chrome")

    assert chrome == locate("my-chrome").executable


def test_a_browser_that_does_not_start_is_passed_over(machine: Path) -> None:
    """Ubuntu's chromium-browser without its snap is there and no browser; the next one is taken."""
    (machine / "chromium").write_text("#!/bin/sh\necho install the snap >&2\nexit 1\n")
    (machine / "chromium").chmod(0o755)
    chrome = a_program(machine, "google-chrome")

    assert chrome == locate().executable


@pytest.mark.parametrize("says", ["Mozilla Firefox 140.5.0esr", ""])
def test_a_named_program_that_is_no_chrome_is_refused(machine: Path, says: str) -> None:
    """What the user named is never passed over in silence."""
    a_program(machine, "chromium")
    other = a_program(machine, "other", says=says)

    with pytest.raises(SetupError, match=r"--executable: .*other does not answer"):
        locate(other)


def test_a_chrome_path_that_leads_nowhere_is_refused(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message names the variable."""
    a_program(machine, "chromium")
    monkeypatch.setenv("CHROME_PATH", "/nowhere/chrome")

    with pytest.raises(SetupError, match="CHROME_PATH: /nowhere/chrome is no program"):
        locate()


@pytest.mark.usefixtures("machine")
def test_no_browser_at_all_says_how_to_get_one() -> None:
    """The remedy is a command that one can type."""
    with pytest.raises(SetupError, match="harness browser install"):
        locate()


@pytest.mark.own_thread
def test_installing_where_there_is_a_browser_is_silent(machine: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Nothing is downloaded and nothing said."""
    chrome = a_program(machine, "chromium")

    browser = install()

    assert chrome == browser.executable
    assert ("", "") == capfd.readouterr()


@pytest.mark.own_thread
def test_a_failed_installation_lists_everything_that_was_tried(
    machine: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As root on Debian: Playwright's way and the package manager's, each with its last words."""
    a_program(machine, "python", says="")
    a_program(machine, "apt-get", says="")
    monkeypatch.setenv("PLAYWRIGHT_BROWSERS_PATH", str(tmp_path))
    monkeypatch.setattr("sys.executable", str(machine / "python"))
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setattr("platform.freedesktop_os_release", lambda: {"ID": "debian"})

    with pytest.raises(SetupError) as failure:
        install()

    assert "playwright install --with-deps chromium" in str(failure.value)
    assert "apt-get update\n    (exit code 1)" in str(failure.value)
    assert "CHROME_PATH" in str(failure.value)


@pytest.mark.own_thread
def test_the_package_chromium_of_ubuntu_is_not_tried(
    machine: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """There it is a stub that wants a snap."""
    a_program(machine, "python", says="")
    monkeypatch.setenv("PLAYWRIGHT_BROWSERS_PATH", str(tmp_path))
    monkeypatch.setattr("sys.executable", str(machine / "python"))
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setattr("platform.freedesktop_os_release", lambda: {"ID": "ubuntu", "ID_LIKE": "debian"})

    with pytest.raises(SetupError) as failure:
        install()

    assert "apt-get" not in str(failure.value)


@pytest.mark.own_thread
def test_an_installer_that_falls_silent_is_stopped(
    machine: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A download without a network neither ends nor hangs the installation."""
    python = machine / "python"
    python.write_text("#!/bin/sh\necho Downloading\n/bin/sleep 60\n")
    python.chmod(0o755)
    monkeypatch.setenv("PLAYWRIGHT_BROWSERS_PATH", str(tmp_path))
    monkeypatch.setattr("sys.executable", str(python))
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    monkeypatch.setattr("harness.browser.install._SILENCE_SECONDS", 0.2)

    with pytest.raises(SetupError, match=r"Downloading\n    \(silent for 0\.2 seconds, stopped\)"):
        install()


def incomplete_driver(folder: Path, *, until: Path) -> Path:
    """Write a Node.js that lacks a library until a file is there."""
    path = folder / "node"
    lacks = "error while loading shared libraries: libatomic.so.1: cannot open shared object file: No such file"
    path.write_text(f'#!/bin/sh\n[ -e {until} ] && exec {real_node()} "$@"\necho "node: {lacks}" >&2\nexit 127\n')
    path.chmod(0o755)
    return path


def real_node() -> str:
    """Return the path of Playwright's own Node.js."""
    return str(compute_driver_executable()[0])


@pytest.mark.own_thread
def test_a_library_that_the_driver_lacks_is_installed_by_root(
    machine: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A bare Debian does not have it, and the driver runs before any Chrome is looked for."""
    library = tmp_path / "libatomic"
    driver = incomplete_driver(tmp_path, until=library)
    installer = machine / "apt-get"
    installer.write_text(f'#!/bin/sh\n[ "$5" = libatomic1 ] || [ "$4" = libatomic1 ] && : >{library}\nexit 0\n')
    installer.chmod(0o755)
    chrome = a_program(machine, "chromium")
    monkeypatch.setenv("PLAYWRIGHT_NODEJS_PATH", str(driver))
    monkeypatch.setattr("os.geteuid", lambda: 0)

    assert chrome == install().executable


@pytest.mark.own_thread
def test_a_driver_that_lacks_a_library_is_a_setup_error_with_the_remedy(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Installing a browser and starting one both say which package helps."""
    monkeypatch.setenv("PLAYWRIGHT_NODEJS_PATH", str(incomplete_driver(tmp_path, until=tmp_path / "never")))
    monkeypatch.setattr("os.geteuid", lambda: 1000)

    for step in (install, start_playwright):
        with pytest.raises(SetupError, match=r"libatomic\.so\.1 is missing\. .*apt-get install libatomic1"):
            step()


def test_root_has_no_sandbox(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing needs to be started to know."""
    monkeypatch.setattr("os.geteuid", lambda: 0)

    assert not sandbox_works(Path("/nowhere/root's chrome"))


def test_a_browser_that_ends_at_once_has_no_sandbox(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Starting it with the sandbox on is the question."""
    monkeypatch.setattr("os.geteuid", lambda: 1000)

    assert not sandbox_works(a_program(machine, "chromium"))
