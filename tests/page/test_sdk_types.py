"""The page's types against those of the real NERTC SDK: what was written for the one compiles for the other."""

import json
from pathlib import Path

import pytest

from tests.support.servers.nertc_sdk import ROOT, install_sdk, with_node

pytestmark = pytest.mark.parallel

TSC = ROOT / "node_modules" / ".bin" / "tsc"

# A method's parameters may vary both ways in TypeScript, so the options are handed over in calls as well.
PROGRAM = f"""
import type {{ Client as SdkClient }} from 'nertc-web-sdk/types/client';
import type {{ ClientMediaRecordingOptions, JoinOptions }} from 'nertc-web-sdk/types/types';
import {{ Client }} from '{ROOT}/web/src/client/client.js';
import {{ nertc }} from '{ROOT}/web/src/entry/nertc.js';

type Recording = Pick<
  SdkClient,
  'startMediaRecording' | 'stopMediaRecording' | 'downloadMediaRecording' | 'cleanMediaRecording'
>;
type Joining = Pick<SdkClient, 'join' | 'leave'>;
declare const ours: Client;
declare const calls: MediaRecordingCalls;
declare const theirs: Recording;
declare const options: ClientMediaRecordingOptions;
declare const joining: JoinOptions;

// Our client, seen by its calls, is one of the SDK's; a program that takes the SDK's takes ours.
export const seen: MediaRecordingCalls = ours;
export const recording: Recording = calls;
export const member: Joining = ours;

// What the SDK's programs hand over, ours take.
void ours.startMediaRecording(options);
void calls.startMediaRecording(options);
void ours.join(joining);

// The guide's sample, with our constants, is what either of them takes.
const NERTC = nertc(() => ours);
const data = {{
  recorder: 'all' as const,
  recordConfig: {{
    recordType: 'video' as const,
    recordName: '录制文件名称',
    recordVideoQuality: NERTC.RECORD_VIDEO_QUALITY_360p,
    recordVideoFrame: NERTC.RECORD_VIDEO_FRAME_RATE_15,
  }},
}};
void theirs.startMediaRecording(data);
void NERTC.createClient().startMediaRecording(data);
"""

# The compiler finds the global types in their file, and no other types.
CONFIGURATION = {
    "compilerOptions": {
        "allowJs": True,
        "noEmit": True,
        "strict": True,
        "target": "es2024",
        "module": "nodenext",
        "lib": ["es2024", "dom", "dom.iterable", "dom.asynciterable"],
        "typeRoots": [str(ROOT / "node_modules" / "@types")],
        "types": ["dom-mediacapture-transform"],
        "skipLibCheck": True,
    },
    "files": ["program.ts", *map(str, (ROOT / "web" / "src" / "types").glob("*.d.ts"))],
}


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder into which the SDK is installed."""
    if not TSC.exists():
        pytest.skip("The page's tooling is not installed; make setup-dev does it.")
    folder = tmp_path_factory.mktemp("sdk")
    (folder / "tsconfig.json").write_text(json.dumps(CONFIGURATION))
    install_sdk(folder)
    return folder


def complaints(scratch: Path, program: str) -> list[str]:
    """Return what the compiler says against a program."""
    (scratch / "program.ts").write_text(program)
    return with_node(str(TSC), "--pretty", "false", folder=scratch).stdout.splitlines()


def test_a_program_for_the_sdk_compiles_against_our_client(scratch: Path) -> None:
    """The four calls, join and leave fit where the SDK's are expected, and take what they take."""
    assert [] == complaints(scratch, PROGRAM)


# What does not fit, and what the compiler names in it.
WRONG = {
    "export const answer: Recording = { ...calls, startMediaRecording: () => 1 };": "number",
    "export const missing: Recording = { ...calls, stopMediaRecording: undefined };": "undefined",
    "void ours.startMediaRecording({ recorder: 'everybody' });": "everybody",
    "void calls.startMediaRecording({ recordConfig: { recordType: 'picture' } });": "picture",
    "void ours.join({ uid: true });": "true",
}


def test_differences_from_the_sdk_are_errors(scratch: Path) -> None:
    """The check can fail: a wrong answer, a missing call and wrong options are errors, each in its own line."""
    before = len(PROGRAM.splitlines())

    said = complaints(scratch, PROGRAM + "\n".join(WRONG))

    for line, says in enumerate(WRONG.values(), before + 1):
        assert any(one.startswith(f"program.ts({line},") and says in one for one in said), said
