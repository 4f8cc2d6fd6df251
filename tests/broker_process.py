"""The broker of a test run, in a process of its own: `python -m tests.broker_process ANSWER OWNER`.

Returns as soon as the broker is ready, or cannot be; then where it is stands in the file ANSWER. The broker itself stays behind in
a process that is nobody's child, and ends when the process OWNER does.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

from impl.broker.launcher import start_broker

READY = b"ready"


def main(answer: Path, owner: int) -> None:
    """Starts the broker behind; exits with 1 if it does not come up."""
    reading, writing = os.pipe()
    if os.fork() == 0:
        os.close(reading)
        os.setsid()
        _run(answer, owner, writing)
        return
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        said = pipe.read()  # ends when the other side closes it, or dies
    sys.exit(0 if said == READY else 1)


def _run(answer: Path, owner: int, ready: int) -> None:
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
        os.write(ready, READY)
        os.close(ready)
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
