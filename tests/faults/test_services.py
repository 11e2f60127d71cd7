"""If Chrome's service processes are killed during a recording, an alarm reports every stall that this causes."""

from pathlib import Path

import pytest

from harness import RecordConfig, Recording, Report, open_room, verify
from harness.recording.manifest import Manifest
from tests.support.goals import FULL, Goals
from tests.support.processes import chrome_processes
from tests.support.recordings.second_opinions import disagreements

KILLS = 10 if FULL else 1
# Maximum time until an alarm is raised, in seconds. Shorter stalls end before an alarm would be useful.
WITHIN = 2.0
SERVICES = {"GPU": "--type=gpu-process", "audio": "audio.mojom.AudioService", "network": "network.mojom.NetworkService"}


def silent_stalls(report: Report, recording: Recording) -> list[str]:
    """Return the participant and time of each stall that lasted over ``WITHIN`` seconds but raised no alarm in time."""
    events = Manifest.read(recording.manifest).timeline.events
    alarms = [event.at for event in events if event.event == "alarm"]
    stalls = []
    for one in report.participants:
        intervals = [*(one.video.frozen if one.video else ()), *(one.audio.silent if one.audio else ())]
        stalls += [(one.name, start, end) for start, end in intervals if end - start > WITHIN]
    # An event's time can differ from the file's timestamps by a few frames.
    return [
        f"{name} from {start:.2f} to {end:.2f} s"
        for name, start, end in stalls
        if not any(start - 0.2 <= alarm <= start + WITHIN for alarm in alarms)
    ]


@pytest.mark.own_thread
@pytest.mark.parametrize("service", SERVICES if FULL else ["audio"])
def test_stall_after_a_killed_service_raises_an_alarm(tmp_path: Path, goals: Goals, service: str) -> None:
    """When a participant is no longer visible or audible, an alarm names the participant within two seconds."""
    silent: list[str] = []
    for number in range(KILLS):
        others = chrome_processes(SERVICES[service])
        with open_room(recordings=tmp_path) as room:
            alice, _ = room.join_all("alice", "bob")
            config = RecordConfig(record_name=f"{service} {number}")
            alice.start_media_recording(recorder="all", record_config=config)
            room.wait(seconds=0.5)
            for process in chrome_processes(SERVICES[service], besides=others):
                process.kill()
            room.wait(seconds=3)
            recording = alice.download_media_recording()

        report = verify(recording)
        assert report.media is not None
        assert report.media.seekable
        assert recording.duration > 3
        assert [] == disagreements(recording.path)
        silent += silent_stalls(report, recording)

    goals.measured(
        f"{service} process killed, {KILLS} times: stalls without an alarm",
        bar="0; alarm within 2 s",
        figure=f"{len(silent)} {'; '.join(silent)}".strip(),
        met=not silent,
    )
