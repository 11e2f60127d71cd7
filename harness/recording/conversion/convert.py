"""Convert a recording to another format in a confined process, and give the complete file its final name."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from harness.errors import ConfigError, HarnessError, disk_full
from harness.recording.conversion.formats import check_suffix
from harness.recording.files.disk import is_full
from harness.recording.files.placement import move, partial_path
from harness.recording.isolation.child import MEMORY
from harness.recording.isolation.task_process import CrashedError, Failure, StuckError, TaskProcess
from harness.recording.recording import check_file

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from harness.recording.config import Target


def convert(
    source: Path,
    to: Target,
    target: Path | None = None,
    *,
    on_length: Callable[[float], object] = lambda _: None,
    on_progress: Callable[[float], object] = lambda _: None,
    on_warning: Callable[[str], object] = lambda _: None,
) -> Path:
    """Convert the recording at ``source`` to another format, and return the path of the new file.

    ``mp4`` and ``mov`` contain H.264 and AAC, with the index at the beginning, ``m4a`` contains only the audio, as AAC,
    ``mkv`` contains the original packets, and ``wav`` contains only the audio, as 16-bit PCM at 48 kHz. By default, the
    new file is written next to the recording, with a different suffix. ``on_length`` receives the recording's length,
    if it is known, and ``on_progress`` receives the position reached so far, both in seconds. ``on_warning`` receives
    one sentence about each part or property of the recording that the new file does not have. The recording is decoded
    in a confined process, and is not modified.

    Raises ConfigError if the recording can't be read, if ``target`` exists or has the suffix of a different format, or
    if the gaps in the audio exceed ten minutes in total. Raises DiskFullError if the disk is full.
    """
    source = source.absolute()
    target = (target or source.with_suffix(f".{to}")).absolute()
    check_file(source)
    check_suffix(target, to)
    if os.path.lexists(target):
        raise _exists(target)
    partial = partial_path(target.parent)
    try:
        partial.touch(exist_ok=False)
        request = {"source": os.fsencode(source).hex(), "partial": os.fsencode(partial).hex(), "to": to}
        with TaskProcess("harness.recording.conversion.task:work", request, partial=partial) as process:
            for message in process.messages():
                match message.kind:
                    case "length":
                        on_length(message.seconds)
                    case "at":
                        on_progress(message.at)
                    case "warning":
                        on_warning(message.text)
                    case "failed":
                        raise _failed(source, to, target, message.failure)
            move(partial, target)
    except OSError as error:
        raise _not_written(target, error) from error
    except (CrashedError, StuckError) as error:
        problem = f"{source} can't be converted to {to}: {error}."
        raise ConfigError(problem) from error
    finally:
        # If the folder does not exist, removing the file fails.
        with contextlib.suppress(OSError):
            partial.unlink()
    return target


def _exists(target: Path) -> ConfigError:
    return ConfigError(f"{target} already exists and will not be overwritten; give another name with --output.")


def _not_written(target: Path, error: OSError) -> HarnessError:
    if isinstance(error, FileExistsError):
        return _exists(target)
    if is_full(error):
        message = f"No space for {target}: the disk is full. Free some space; the recording has not been changed."
        return disk_full(message)
    return ConfigError(f"{target} can't be written: {error.strerror}.")


def _failed(source: Path, to: Target, target: Path, failure: Failure | None) -> HarnessError:
    reason = failure.message if failure else "the decoder gave no reason"
    match failure:
        case Failure(kind="system", number=int() as number, message=refusal):
            return _not_written(target, OSError(number, refusal))
        case Failure(kind="memory"):
            reason = f"the conversion needs more than {MEMORY / 1e9:g} GB of memory"
        case Failure(kind="fault", message=fault):
            reason = f"this is a bug in the harness ({fault})"
    return ConfigError(f"{source} can't be converted to {to}: {reason}.")
