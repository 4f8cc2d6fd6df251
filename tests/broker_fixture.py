"""One broker for the whole test run, shared by its workers.

The first worker that needs it starts it; the others wait and use the same; the one that started it keeps it until all have ended.
With `$PULSAR_URL` set, that broker is used instead. A broker that does not start is a failure, never a skip.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from secrets import token_hex

import pytest
from filelock import FileLock

from impl.broker.admin import Admin
from impl.broker.deployment import Deployment, from_environment
from impl.broker.topics import prepare

START_SECONDS_MAX = 600.0
"""With the first download of the broker."""


def _started(folder: Path) -> Deployment:
    """The run's broker: started by the first test process that needs it, in a process that ends with the run."""
    answer = folder / "broker.json"
    owner = os.getppid() if _is_worker() else os.getpid()
    with FileLock(str(folder / "broker.lock")):
        if not answer.exists():
            command = [sys.executable, "-m", "tests.broker_process", str(answer), str(owner)]
            # The broker stays behind and is no child of ours, so that no worker has to wait for it, or leaves it unwaited for.
            subprocess.run(command, timeout=START_SECONDS_MAX, check=True, cwd=Path(__file__).parent.parent)
    fields = json.loads(answer.read_text(encoding="utf-8"))
    return Deployment(fields["service_url"], fields["admin_url"], fields["admin_token"], bytes.fromhex(fields["key"]))


def _is_worker() -> bool:
    return "PYTEST_XDIST_WORKER" in os.environ


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    """The broker of the whole run."""
    given = from_environment()
    if given is not None:
        return given
    base = tmp_path_factory.getbasetemp()
    return _started(base.parent if _is_worker() else base)


@pytest.fixture
def deployment(broker: Deployment) -> Iterator[Deployment]:
    """A deployment of the test's own, in a namespace that goes with it."""
    own = replace(broker, namespace=f"alcor/test-{token_hex(6)}")
    prepare(own)
    yield own
    with Admin(own) as admin:
        admin.delete_namespace()
