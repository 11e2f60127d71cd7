"""Test the order in which browsers are tried, and the error if none of them starts."""

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


def write_program(folder: Path, name: str, *, output: str = f"Chromium {VERSION} built on Debian") -> Path:
    """Write a fake browser that responds only to ``--version``."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(f'#!/bin/sh\n[ "$1" = --version ] && echo "{output}" && exit 0\nexit 1\n')
    path.chmod(0o755)
    return path


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Simulate a machine without a browser, and return the only folder on its PATH."""
    path = tmp_path / "bin"
    path.mkdir()
    monkeypatch.setenv("PATH", str(path))
    monkeypatch.delenv("CHROME_PATH", raising=False)
    monkeypatch.setattr(locating, "_CHANNELS", {"chrome": (str(tmp_path / "opt/chrome"),)})
    return path


def test_first_candidate_in_the_order_is_used(machine: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The order of candidates is the named browser, CHROME_PATH, Playwright's browser, Playwright's channels, PATH."""
    google = write_program(machine, "google-chrome")
    found = [locate()]
    chromium = write_program(machine, "chromium")
    found.append(locate())
    channel = write_program(tmp_path / "opt", "chrome")
    found.append(locate())
    bundled = write_program(tmp_path, "bundled")
    found.append(locate(bundled=str(bundled)))
    from_environment = write_program(tmp_path, "from-environment")
    monkeypatch.setenv("CHROME_PATH", str(from_environment))
    found.append(locate(bundled=str(bundled)))
    named = write_program(tmp_path, "named")
    found.append(locate(named, bundled=str(bundled)))

    assert [
        Browser(google, None, VERSION, "google-chrome on PATH"),
        Browser(chromium, None, VERSION, "chromium on PATH"),
        Browser(channel, "chrome", VERSION, "channel chrome"),
        Browser(bundled, "chromium", VERSION, "Playwright's own"),
        Browser(from_environment, None, VERSION, "CHROME_PATH"),
        Browser(named, None, VERSION, "--executable"),
    ] == found


def test_executable_can_be_a_name_on_path(machine: Path) -> None:
    """``executable`` can be the name of a program on PATH instead of a path."""
    chrome = write_program(machine, "my-chrome")

    assert chrome == locate("my-chrome").executable


def test_browser_that_does_not_start_is_skipped(machine: Path) -> None:
    """Ubuntu's chromium-browser does not start without its snap, so the next candidate is used."""
    (machine / "chromium").write_text("#!/bin/sh\necho install the snap >&2\nexit 1\n")
    (machine / "chromium").chmod(0o755)
    chrome = write_program(machine, "google-chrome")

    assert chrome == locate().executable


@pytest.mark.parametrize("output", ["Mozilla Firefox 140.5.0esr", ""])
def test_named_program_that_is_not_a_chrome_is_refused(machine: Path, output: str) -> None:
    """If the browser that the user named can't be used, an error is raised and no other browser is tried."""
    write_program(machine, "chromium")
    other = write_program(machine, "other", output=output)

    with pytest.raises(SetupError, match=r"--executable: .*other --version does not print"):
        locate(other)


def test_chrome_path_without_a_program_is_refused(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If CHROME_PATH is not the path of a program, the error contains the name CHROME_PATH."""
    write_program(machine, "chromium")
    monkeypatch.setenv("CHROME_PATH", "/nowhere/chrome")

    with pytest.raises(SetupError, match="CHROME_PATH: /nowhere/chrome is not an executable program"):
        locate()


@pytest.mark.usefixtures("machine")
def test_missing_browser_is_reported_with_the_remedy() -> None:
    """If no browser is found, the error contains the command that installs one."""
    with pytest.raises(SetupError, match="harness browser install"):
        locate()


@pytest.mark.own_thread
def test_install_is_silent_if_there_is_a_browser(machine: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """If a browser is already installed, nothing is downloaded or printed."""
    chrome = write_program(machine, "chromium")

    browser = install()

    assert chrome == browser.executable
    assert ("", "") == capfd.readouterr()


@pytest.mark.own_thread
def test_failed_installation_lists_everything_that_was_tried(
    machine: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """If installation fails for root on Debian, the error contains the last output lines of both installers."""
    write_program(machine, "python", output="")
    write_program(machine, "apt-get", output="")
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
def test_package_chromium_of_ubuntu_is_not_tried(
    machine: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """On Ubuntu, the chromium package is not tried, because it only installs a snap."""
    write_program(machine, "python", output="")
    monkeypatch.setenv("PLAYWRIGHT_BROWSERS_PATH", str(tmp_path))
    monkeypatch.setattr("sys.executable", str(machine / "python"))
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setattr("platform.freedesktop_os_release", lambda: {"ID": "ubuntu", "ID_LIKE": "debian"})

    with pytest.raises(SetupError) as failure:
        install()

    assert "apt-get" not in str(failure.value)


@pytest.mark.own_thread
def test_silent_installer_is_stopped(machine: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """If an installer prints nothing for too long, it is stopped, since its download may have stalled."""
    python = machine / "python"
    python.write_text("#!/bin/sh\necho Downloading\n/bin/sleep 60\n")
    python.chmod(0o755)
    monkeypatch.setenv("PLAYWRIGHT_BROWSERS_PATH", str(tmp_path))
    monkeypatch.setattr("sys.executable", str(python))
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    monkeypatch.setattr("harness.browser.install._SILENCE_SECONDS", 0.2)

    with pytest.raises(SetupError, match=r"Downloading\n    \(stopped after 0\.2 seconds without output\)"):
        install()


def incomplete_driver(folder: Path, *, until: Path) -> Path:
    """Write a fake Node.js that reports a missing library and fails as long as the file ``until`` does not exist."""
    path = folder / "node"
    lacks = "error while loading shared libraries: libatomic.so.1: cannot open shared object file: No such file"
    path.write_text(f'#!/bin/sh\n[ -e {until} ] && exec {real_node()} "$@"\necho "node: {lacks}" >&2\nexit 127\n')
    path.chmod(0o755)
    return path


def real_node() -> str:
    """Return the path of Playwright's own Node.js."""
    return str(compute_driver_executable()[0])


@pytest.mark.own_thread
def test_library_that_the_driver_lacks_is_installed_by_root(
    machine: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """On a minimal Debian, a missing library is installed first, since Playwright's driver needs it to find Chrome."""
    library = tmp_path / "libatomic"
    driver = incomplete_driver(tmp_path, until=library)
    installer = machine / "apt-get"
    installer.write_text(f'#!/bin/sh\n[ "$5" = libatomic1 ] || [ "$4" = libatomic1 ] && : >{library}\nexit 0\n')
    installer.chmod(0o755)
    chrome = write_program(machine, "chromium")
    monkeypatch.setenv("PLAYWRIGHT_NODEJS_PATH", str(driver))
    monkeypatch.setattr("os.geteuid", lambda: 0)

    assert chrome == install().executable


@pytest.mark.own_thread
def test_driver_that_lacks_a_library_is_a_setup_error_with_the_remedy(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """If a missing library prevents a browser's installation or start, the error names the package that provides it."""
    monkeypatch.setenv("PLAYWRIGHT_NODEJS_PATH", str(incomplete_driver(tmp_path, until=tmp_path / "never")))
    monkeypatch.setattr("os.geteuid", lambda: 1000)

    for step in (install, start_playwright):
        with pytest.raises(SetupError, match=r"libatomic\.so\.1 is missing\. .*apt-get install libatomic1"):
            step()


def test_root_has_no_sandbox(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chrome's sandbox never works for root, so no browser is started to test it."""
    monkeypatch.setattr("os.geteuid", lambda: 0)

    assert not sandbox_works(Path("/nowhere/root's chrome"))


def test_browser_that_ends_at_once_has_no_sandbox(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If a browser exits immediately when it is started with its sandbox, the sandbox counts as not working."""
    monkeypatch.setattr("os.geteuid", lambda: 1000)

    assert not sandbox_works(write_program(machine, "chromium"))
