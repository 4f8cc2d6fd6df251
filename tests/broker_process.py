"""The broker of a test run, in a process of its own: `python -m tests.broker_process ANSWER OWNER`.

Writes where it is into a file, and ends when the owner's process does.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

from impl.broker.launcher import start_broker


def main(answer: Path, owner: int) -> None:
    """Runs the broker as long as the owner lives."""
    with start_broker() as deployment:
        fields = {
            "service_url": deployment.service_url,
            "admin_url": deployment.admin_url,
            "admin_token": deployment.admin_token,
            "key": deployment.signing_key.hex(),
        }
        draft = answer.with_suffix(".draft")
        draft.touch(mode=0o600)
        draft.write_text(json.dumps(fields), encoding="utf-8")
        draft.rename(answer)
        while _alive(owner):
            time.sleep(0.2)


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
