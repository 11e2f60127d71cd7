"""Chrome starts even if HOME is not writable, and an unusable environment is reported with a remedy."""

from __future__ import annotations

import logging
import pwd
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harness.browser.chrome import Chrome, launch_options
from harness.browser.locate import Browser, browser_environment, check_folders
from harness.errors import SetupError

if TYPE_CHECKING:
    from typing import Never

pytestmark = pytest.mark.parallel

CHROME = Browser(Path("/usr/bin/chromium"), None, "156.0.8078.79", "--executable")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty folder that is HOME; no XDG variable is set."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("XDG_CONFIG_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def test_writable_home_is_not_changed(home: Path) -> None:
    """Chrome inherits the environment, and the test of the folders leaves nothing behind."""
    environment = browser_environment()

    assert environment is None
    assert [] == list(home.iterdir())
    assert "env" not in launch_options(CHROME, sandbox=True)


@pytest.mark.parametrize("name", ["file", "file/folder"])
def test_chrome_stores_its_files_in_a_private_folder_if_home_is_not_writable(
    home: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    """HOME itself is not changed, because it can contain fonts; the other variables are also passed to Chrome."""
    (home / "file").touch()
    monkeypatch.setenv("HOME", str(home / name))
    monkeypatch.setenv("LANG", "C.UTF-8")
    caplog.set_level(logging.DEBUG)

    environment = launch_options(CHROME, sandbox=True)["env"]

    assert (str(home / name), "C.UTF-8") == (environment["HOME"], environment["LANG"])
    private = Path(environment["XDG_CONFIG_HOME"])
    assert environment["XDG_CONFIG_HOME"] == environment["XDG_CACHE_HOME"]
    assert 0o700 == private.stat().st_mode & 0o777
    assert f"Chrome can't write to {home / name / '.config'}, so it uses XDG_CONFIG_HOME={private}." in caplog.messages


def test_only_the_folder_that_is_not_writable_is_replaced(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache folder that the user chose stays in use even if HOME is not writable."""
    (home / "file").touch()
    monkeypatch.setenv("HOME", str(home / "file"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / "cache" / "chrome"))

    environment = browser_environment()

    assert environment is not None
    assert str(home / "cache" / "chrome") == environment["XDG_CACHE_HOME"]
    assert Path(environment["XDG_CONFIG_HOME"]).is_dir()


def test_unusable_folder_for_temporary_files_is_reported_before_anything_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither Playwright's driver nor Chrome is started."""

    def never() -> Never:
        raise AssertionError

    monkeypatch.setattr("harness.browser.chrome.start_playwright", never)
    monkeypatch.setenv("TMPDIR", str(tmp_path / "missing"))

    with pytest.raises(SetupError, match=f"temporary files in {tmp_path / 'missing'}, because it does not exist"):
        Chrome().open()


def test_unknown_home_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    """Playwright's driver needs HOME, or an entry in /etc/passwd for the current user."""

    def unknown(_: int) -> Never:
        raise KeyError

    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr(pwd, "getpwuid", unknown)

    with pytest.raises(SetupError, match=r"HOME is not set, .* Set HOME to a folder, for example HOME=/tmp"):
        check_folders()
