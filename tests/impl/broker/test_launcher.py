"""The broker's launcher: a missing prerequisite gives one clear sentence, no process outlives its owner, and secrets stay in
their files."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest
from rich.console import Console

from impl.broker import launcher
from impl.broker.jars import Jar, cache_folder, fetch, locked_jars
from impl.broker.launcher import is_running, start_broker
from impl.errors import BadDeployment, EnvironmentProblem
from tests.impl.service.programs import WAIT_SECONDS_MAX, ondemand
from tests.ports import free_port


@pytest.fixture
def jar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Jar:
    """A small jar in the test's own cache folder, on a machine without a network."""
    small = min(locked_jars(), key=lambda locked_jar: len(str(locked_jar)))
    fetch([small])
    there = small.path(cache_folder() / "jars")
    monkeypatch.setenv("ONDEMAND_CACHE", str(tmp_path))
    copy = small.path(tmp_path / "jars")
    copy.parent.mkdir(parents=True)
    shutil.copy(there, copy)
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    return small


def test_a_jar_that_is_what_the_lock_says_needs_no_network(jar: Jar, tmp_path: Path) -> None:
    assert fetch([jar]) == [jar.path(tmp_path / "jars")]


def test_a_damaged_jar_is_fetched_again_and_never_used(jar: Jar, tmp_path: Path) -> None:
    fetch([jar])
    path = jar.path(tmp_path / "jars")
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(EnvironmentProblem, match=r"cannot be fetched \(.*\); check the network, and try again"):
        fetch([jar], console=Console(quiet=True))
    assert not path.exists()


def test_a_cache_that_cannot_be_written_is_said(jar: Jar, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("ONDEMAND_CACHE", str(tmp_path / "file"))
    with pytest.raises(EnvironmentProblem, match="set ONDEMAND_CACHE to a writable folder"):
        fetch([jar])


def test_a_port_in_use_is_said() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(EnvironmentProblem, match=f"Port {port} cannot be used"), start_broker(port=port):
            pass


def test_any_port_is_one_that_is_free_and_no_other_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    port = free_port()
    monkeypatch.setattr(launcher, "PORTS", range(port, port + 1))
    with pytest.raises(EnvironmentProblem, match=f"No port from {port:,} to {port:,} is free"), start_broker():
        pass  # the only port is for clients, and none is left for administration


def test_a_folder_that_cannot_be_written_or_holds_no_key_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(BadDeployment, match="cannot be written"), start_broker(folder=tmp_path / "file"):
        pass
    (tmp_path / "signing.key").write_bytes(b"short")
    with (
        pytest.raises(BadDeployment, match="has 5 bytes; a signing key needs at least 32"),
        start_broker(folder=tmp_path),
    ):
        pass


def test_a_broker_ends_with_its_owner_however_that_ends_and_shows_no_secret(tmp_path: Path) -> None:
    home = tmp_path / "broker"
    command = ondemand("broker", "up", "--port", "0", "--admin-port", "0", "--folder", str(home))
    owner = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert owner.stdout is not None
    assert owner.stdout.readline().startswith(b"The broker listens at pulsar://127.0.0.1:")
    with pytest.raises(EnvironmentProblem, match="another broker uses this folder"), start_broker(folder=home):
        pass
    java = int((home / "java.pid").read_text())
    token = (home / "admin.token").read_text()
    assert token not in Path(f"/proc/{java}/cmdline").read_text() + Path(f"/proc/{java}/environ").read_text()
    holders = [path.name for path in home.rglob("*") if path.is_file() and token.encode() in path.read_bytes()]
    assert sorted(holders) == ["admin.token", "standalone.conf"]
    for name in (*holders, "signing.key"):
        assert (home / name).stat().st_mode & 0o777 == 0o600
    assert addresses(java) == {"127.0.0.1"}
    owner.send_signal(signal.SIGKILL)
    owner.wait()
    owner.stdout.close()
    end = time.monotonic() + WAIT_SECONDS_MAX
    while is_running(home):
        assert time.monotonic() < end, f"the broker (process {java}) outlived its owner"
        time.sleep(0.02)


def addresses(process: int) -> set[str]:
    """The addresses that a process listens on."""
    descriptors = Path(f"/proc/{process}/fd").iterdir()
    own = {
        os.readlink(descriptor).removeprefix("socket:[").removesuffix("]")
        for descriptor in descriptors
        if descriptor.is_symlink()
    }
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{process}/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and fields[9] in own:
                last = bytes.fromhex(fields[1].split(":")[0])[-4:]
                found.add(socket.inet_ntoa(last[::-1]))
    return found
