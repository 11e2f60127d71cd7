"""File names are safe, recognizable and never used twice."""

import os
import time
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import SetupError
from harness.recording.files.names import manifest_of, recording_of, reserve, safe_stem

pytestmark = pytest.mark.parallel


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("standup", "standup"),
        ("Réunion d'équipe (3)", "Réunion d'équipe (3)"),
        ("会議 2026", "会議 2026"),
        ("standup.webm", "standup"),
        ("standup.WebM", "standup"),
        ("standup.webm.webm", "standup"),
        ("standup.mp4", "standup.mp4"),
        ("v1.2", "v1.2"),
        ("../../etc/passwd", "_.._etc_passwd"),
        ("a\\b", "a_b"),
        ('a:b*c?d"e<f>g|h', "a_b_c_d_e_f_g_h"),
        ("a\x00b\nc\x7fd", "a_b_c_d"),
        ("bewm.\u202eexe", "bewm._exe"),
        ("zero\u200bwidth", "zero_width"),
        ("broken \ud83d pair", "broken _ pair"),
        (".hidden", "hidden"),
        ("-rf", "rf"),
        ("-. -x", "x"),
        ("dots and spaces. . ", "dots and spaces"),
        ("CON", "_CON"),
        ("nul.webm", "_nul"),
        ("Com1.take.2", "_Com1.take.2"),
        ("LPT²", "_LPT²"),
        ("console", "console"),
        ("", "recording"),
        ("..", "recording"),
        (" \t", "recording"),
        (".webm", "recording"),
    ],
)
def test_name_becomes_safe_and_stays_recognisable(name: str, expected: str) -> None:
    """Characters that are forbidden in file names are replaced or removed, and all other characters are kept."""
    assert expected == safe_stem(name)


def test_two_spellings_of_one_name_become_the_same() -> None:
    """Both ways of encoding an accented letter in Unicode give the same file name."""
    assert safe_stem("caf\u00e9") == safe_stem("cafe\u0301")


@pytest.mark.parametrize(
    ("unit", "bytes_each"),
    [
        pytest.param("x", 1, id="letters"),
        pytest.param("é", 2, id="accents"),
        pytest.param("会", 3, id="ideographs"),
        pytest.param("x\u0323\u0302", 5, id="letters with marks"),
        pytest.param("👩\u200d👧", 11, id="joined emoji"),
        pytest.param("👍🏽", 8, id="emoji with skin tone"),
    ],
)
def test_long_name_is_cut_between_characters(unit: str, bytes_each: int) -> None:
    """A long name keeps as many characters as fit into 200 bytes, and no character is split."""
    stem = safe_stem(unit * 300)

    assert unit * (200 // bytes_each) == stem


def test_name_of_combining_marks_only_is_cut_as_well() -> None:
    """Even a letter with three hundred combining marks gives a valid file name."""
    stem = safe_stem("x" + "\u0323" * 300)

    assert 190 < len(stem.encode()) <= 200


@pytest.mark.parametrize(
    ("unit", "expected"),
    [
        pytest.param(".webm", "webm", id="suffixes"),
        pytest.param(". ", "recording", id="dots and spaces"),
        pytest.param("\u0323\u0302", "\u0323" * 100, id="marks"),
        pytest.param("x", "x" * 200, id="letters"),
    ],
)
def test_endless_name_is_made_safe_at_once(unit: str, expected: str) -> None:
    """Very long names are made safe quickly, because only a limited part of them is processed."""
    before = time.process_time()

    stem = safe_stem(unit * 100_000)

    assert time.process_time() - before < 0.5
    assert expected == stem


@given(st.text(st.characters(codec=None), max_size=300))
def test_any_text_becomes_a_safe_name_that_stays_as_it_is(name: str) -> None:
    """Any text can be turned into a safe file name, and a name that is already safe does not change."""
    stem = safe_stem(name)

    assert stem == safe_stem(stem)
    assert Path(stem).name == stem
    assert 1 <= len(stem.encode()) <= 200
    assert unicodedata.is_normalized("NFC", stem)
    assert stem.strip(" .") == stem
    assert not stem.startswith("-")


def test_first_recording_gets_the_name_and_the_next_ones_a_number(tmp_path: Path) -> None:
    """If a file name already exists, -2, -3 and so on are appended to the new recording's name.

    To reserve a file name, an empty file with this name is created.
    """
    paths = [reserve(tmp_path / "recordings", "standup") for _ in range(3)]

    assert ["standup.webm", "standup-2.webm", "standup-3.webm"] == [path.name for path in paths]
    assert all(path.is_absolute() and path.stat().st_size == 0 for path in paths)


def test_name_of_a_single_manifest_is_not_used_again(tmp_path: Path) -> None:
    """If a recording was removed but its manifest was not, the next recording gets a different name."""
    (tmp_path / "standup.manifest.json").write_text("{}")

    assert tmp_path / "standup-2.webm" == reserve(tmp_path, "standup")


def test_link_is_never_followed(tmp_path: Path) -> None:
    """A symbolic link whose target is missing is not replaced, and no file is created at its target."""
    elsewhere = tmp_path / "elsewhere"
    (tmp_path / "standup.webm").symlink_to(elsewhere)

    path = reserve(tmp_path, "standup")

    assert tmp_path / "standup-2.webm" == path
    assert not elsewhere.exists()


def test_unsafe_stem_stays_in_the_folder(tmp_path: Path) -> None:
    """``reserve`` makes an unsafe stem safe before it creates the file."""
    path = reserve(tmp_path / "recordings", "../" * 100)

    assert tmp_path / "recordings" == path.parent
    assert len(os.fsencode(path.name)) <= 255


def test_longest_name_leaves_room_for_its_number(tmp_path: Path) -> None:
    """Even with a number and a suffix, a 200-byte name is short enough for the file system."""
    reserve(tmp_path, "会" * 300)

    assert (tmp_path / f"{'会' * 66}-2.webm") == reserve(tmp_path, "会" * 300)


def test_file_in_place_of_the_folder_is_reported(tmp_path: Path) -> None:
    """If the path of the recordings folder is a file, the SetupError explains what to do."""
    (tmp_path / "recordings").write_text("")

    with pytest.raises(SetupError, match="--recordings"):
        reserve(tmp_path / "recordings", "standup")


@pytest.mark.parametrize("name", ["standup", "v1.2", "standup.manifest", "a.manifest.json"])
def test_manifest_path_leads_back_to_the_recording(name: str) -> None:
    """A recording and its manifest have the same stem, whether or not the name contains dots."""
    recording = Path(f"/r/{name}.webm")

    assert Path(f"/r/{name}.manifest.json") == manifest_of(recording)
    assert recording == recording_of(manifest_of(recording))


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "wav"])
def test_conversion_shares_the_manifest_of_its_recording(suffix: str) -> None:
    """A converted file with the same stem as the recording uses the recording's manifest."""
    assert manifest_of(Path("/r/v1.2.webm")) == manifest_of(Path(f"/r/v1.2.{suffix}"))
