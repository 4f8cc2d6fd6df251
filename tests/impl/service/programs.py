"""Services as users run them: `ondemand run ...` in separate processes, which may be killed at any moment."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from impl.broker.deployment import Deployment
from impl.broker.hosts import add_host, write_agent_file
from impl.broker.tokens import write_secret

WAIT_SECONDS_MAX = 60.0
"""The limit for any output or action of a program; most take a second, and Python itself has to start."""


def ondemand(*arguments: str) -> list[str]:
    """The command line of a command."""
    return [sys.executable, "-c", "from conformance.cli.main import main; main()", *arguments]


def environment(deployment: Deployment, folder: Path) -> dict[str, str]:
    """The environment variables of a deployment, with its secrets in files of this folder."""
    return {
        **os.environ,
        "PULSAR_URL": deployment.service_url,
        "PULSAR_ADMIN_URL": deployment.admin_url,
        "PULSAR_ADMIN_TOKEN_FILE": str(write_secret(folder / "admin.token", deployment.admin_token)),
        "PULSAR_SIGNING_KEY_FILE": str(write_secret(folder / "signing.key", deployment.signing_key)),
        "PULSAR_NAMESPACE": deployment.namespace,
    }


class Program:
    """One service. It may be started again after it was killed or stopped; its output is kept."""

    def __init__(
        self, name: str, folder: Path, variables: dict[str, str], *arguments: str, journal: bool = False
    ) -> None:
        self.name = name
        store = ["--journal"] if journal else ["--state", str(folder / f"{name}.sqlite")]
        self._command = ondemand("run", *arguments, *store)
        self._variables = variables
        self._output, self._log = folder / f"{name}.out", folder / f"{name}.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Starts it; it need not be ready when this returns."""
        with self._output.open("ab") as output, self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, env=self._variables, stdin=subprocess.PIPE, stdout=output, stderr=log
            )

    def say(self, line: str) -> None:
        """Sends a decision or a packet. It may be lost if the program is killed before it has answered."""
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(line.encode() + b"\n")
        self._process.stdin.flush()

    def kill(self) -> None:
        """Kills it without warning."""
        assert self._process is not None
        self._process.kill()
        self.wait()

    def stop(self) -> int:
        """Asks it to stop; returns its exit code."""
        assert self._process is not None
        self._process.terminate()
        return self.wait()

    def pause(self) -> None:
        """Suspends it, with everything it holds."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Resumes it."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def wait(self) -> int:
        """Waits for its end; returns its exit code."""
        assert self._process is not None
        assert self._process.stdin is not None
        code = self._process.wait(WAIT_SECONDS_MAX)
        self._process.stdin.close()
        self._process = None
        return code

    def end(self) -> None:
        """Kills it if it still runs."""
        if self._process is not None:
            self.kill()

    @property
    def output(self) -> str:
        """Its standard output."""
        return self._output.read_text(encoding="utf-8")

    @property
    def log(self) -> str:
        """Its log."""
        return self._log.read_text(encoding="utf-8")

    def say_until(self, line: str, text: str) -> None:
        """Repeats a line until the program has printed a text: packets are dropped until their route is there."""
        end = time.monotonic() + WAIT_SECONDS_MAX
        while text not in self.output:
            assert time.monotonic() < end, f"{self.name} did not say {text!r} in {WAIT_SECONDS_MAX:g} s:\n{self.log}"
            self.say(line)
            time.sleep(0.1)

    def wait_for(self, *texts: str, logged: bool = False) -> None:
        """Waits until it has printed, or logged, one of these texts."""
        end, text = time.monotonic() + WAIT_SECONDS_MAX, " or ".join(texts)
        while not any(each_text in (self.log if logged else self.output) for each_text in texts):
            if self._process is not None and self._process.poll() is not None:
                raise AssertionError(f"{self.name} ended before it said {text!r}:\n{self.log}")
            if time.monotonic() > end:
                raise AssertionError(f"{self.name} did not say {text!r} in {WAIT_SECONDS_MAX:g} s:\n{self.log}")
            time.sleep(0.02)


class Programs:
    """DPM, NCM and the agents of one deployment."""

    def __init__(self, deployment: Deployment, folder: Path, dpm: Sequence[str] = ()) -> None:
        self.deployment = deployment
        self.variables = environment(deployment, folder)
        self._folder = folder
        self.ncm = Program("ncm", folder, self.variables, "ncm")
        self.dpm = Program("dpm", folder, self.variables, "dpm", *dpm)
        self.agents: dict[str, Program] = {}
        self._instances: list[Program] = []

    def agent(self, host: str, *arguments: str) -> Program:
        """Registers a host; its agent does not get the environment's secrets."""
        path = self._folder / f"{host}.agent.json"
        write_agent_file(add_host(self.deployment, host), path)
        bare = {name: value for name, value in self.variables.items() if not name.startswith("PULSAR")}
        self.agents[host] = Program(host, self._folder, bare, "aca", "--credentials", str(path), *arguments)
        return self.agents[host]

    def instance(self, role: str, name: str, *arguments: str) -> Program:
        """One of several instances of NCM or DPM, which share a journal."""
        self._instances.append(Program(name, self._folder, self.variables, role, *arguments, journal=True))
        return self._instances[-1]

    def end(self) -> None:
        """Kills everything that still runs."""
        for program in (self.ncm, self.dpm, *self.agents.values(), *self._instances):
            program.end()


@contextmanager
def programs(deployment: Deployment, folder: Path, dpm: Sequence[str] = ()) -> Iterator[Programs]:
    """Programs that are always killed at the end. `dpm`: its options."""
    made = Programs(deployment, folder, dpm)
    try:
        yield made
    finally:
        made.end()
