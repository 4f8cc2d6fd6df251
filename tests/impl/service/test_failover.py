"""Two NCMs and two DPMs on a real broker: the first is killed, or paused at any point of its work, and the second takes over."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from conformance.bench.demonstration import Watched
from conformance.logs.system import System, running, wait_until
from impl.broker.deployment import Deployment
from impl.broker.hosts import add_host
from impl.composite import CompositeDpm
from impl.core import Effects
from impl.message_queue.dpm import MessageQueueDpm
from impl.messages import Pod
from impl.on_demand.dpm import Dpm
from impl.on_demand.ncm import Ncm
from impl.roles.timing import Timing
from impl.service.dpm import DpmService
from impl.service.ncm import NcmService
from impl.storage.journal import JournalStore
from impl.storage.pulsar_log import open_log
from impl.transport.pulsar import PulsarConnection
from tests.impl.service.pausing import POINTS
from tests.impl.service.programs import environment, programs

PODS = 8
P1, P2, P3 = (Pod("red", f"p{number}") for number in (1, 2, 3))
DEPOSED = "another instance has taken over, and this one has stopped"


def test_a_second_ncm_and_a_second_dpm_take_over_when_the_first_are_killed(
    deployment: Deployment, tmp_path: Path
) -> None:
    with programs(deployment, tmp_path) as system:
        h1, h2 = system.agent("h1"), system.agent("h2")
        ncms = [system.instance("ncm", name) for name in ("ncm-1", "ncm-2")]
        dpms = [system.instance("dpm", name) for name in ("dpm-1", "dpm-2")]
        for program in (ncms[0], dpms[0]):
            program.start()
            program.wait_for("INFO ondemand.ncm: ready", "INFO ondemand.dpm: ready", logged=True)
        for program in (ncms[1], dpms[1]):
            program.start()
            program.wait_for("standing by", logged=True)
        for program in (h1, h2):
            program.start()
        for number in range(PODS):
            dpms[0].say(f"place red/p{number} h{1 + number % 2}")
            dpms[0].wait_for(f"accepted red/p{number} version 1")
            if number == PODS // 2:
                ncms[0].kill()
        ncms[1].wait_for("INFO ondemand.ncm: ready", logged=True)
        for number in range(PODS):
            dpms[0].wait_for(f"done red/p{number} version 1")
        h1.say_until("packet red/p0 red/p1", "forward red/p0 red/p1 to h2")
        dpms[0].kill()
        dpms[1].wait_for("INFO ondemand.dpm: ready", logged=True)
        dpms[1].say("place red/p1 h1")
        dpms[1].wait_for("accepted red/p1 version 2: at h1")
        dpms[1].wait_for("done red/p1 version 2")
        h1.say_until("packet red/p0 red/p1", "forward red/p0 red/p1 to h1")
        assert [program.stop() for program in (ncms[1], dpms[1], h1, h2)] == [0, 0, 0, 0]


def test_an_instance_that_is_deposed_by_force_says_so_whether_it_was_paused_or_not(
    deployment: Deployment, tmp_path: Path
) -> None:
    with programs(deployment, tmp_path) as system:
        h1 = system.agent("h1")
        first, second = system.instance("ncm", "ncm-1"), system.instance("ncm", "ncm-2", "--take-over")
        third = system.instance("ncm", "ncm-3", "--take-over")
        dpm = system.instance("dpm", "dpm-1")
        for program in (first, dpm, h1):
            program.start()
        dpm.say("place red/p1 h1")
        dpm.wait_for("done red/p1 version 1")
        first.pause()
        second.start()
        dpm.say("place red/p2 h1")
        dpm.wait_for("done red/p2 version 1")
        first.resume()
        assert first.wait() == 4
        assert DEPOSED in first.log
        third.start()  # while the second listens, and has nothing to do
        assert second.wait() == 4
        assert DEPOSED in second.log
        dpm.say("remove red/p2")
        dpm.wait_for("done red/p2 version 2")
        first.start()
        first.wait_for("standing by", logged=True)
        assert first.stop() == 0


# ------------------------------------------------------------------------------------- paused at a chosen point


class Pausing:
    """An instance that pauses itself."""

    def __init__(self, deployment: Deployment, role: str, point: str, folder: Path) -> None:
        self._log = folder / "paused.log"
        command = [sys.executable, "-m", "tests.impl.service.pausing", role, point]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(command, env=environment(deployment, folder), stderr=log)

    def said(self, text: str) -> Callable[[], bool]:
        """Whether it has logged this."""
        return lambda: text in self._log.read_text(encoding="utf-8")

    def is_paused(self) -> bool:
        """Whether it has reached its point."""
        state = os.waitid(os.P_PID, self._process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT | os.WNOHANG)
        assert state is None or state.si_code == os.CLD_STOPPED, self._log.read_text(encoding="utf-8")
        return state is not None

    def goes_on(self) -> tuple[int, str]:
        """Continues it; returns its exit code, and its log."""
        self._process.send_signal(signal.SIGCONT)
        code = self._process.wait(30)
        return code, self._log.read_text(encoding="utf-8")

    def end(self) -> None:
        """Kills it if it still runs."""
        self._process.kill()
        self._process.wait()


@contextmanager
def paused(deployment: Deployment, role: str, point: str, folder: Path) -> Iterator[Pausing]:
    """An instance that leads, and will pause."""
    made = Pausing(deployment, role, point, folder)
    try:
        wait_until(made.said("ready"), "the first instance to lead", [])
        yield made
    finally:
        made.end()


def taking_over(deployment: Deployment, role: str) -> tuple[JournalStore, Callable[[], PulsarConnection]]:
    """Store and connection of an instance that deposes the leader."""
    store = JournalStore(lambda: open_log(deployment, role, take_over=True))
    return store, lambda: PulsarConnection(deployment, deployment.token(role), displaces=True)


def stored(deployment: Deployment, role: str, core: Any) -> dict[str, Any]:
    """The state in the journal of a role without a leader."""
    store = JournalStore(lambda: open_log(deployment, role))
    store.load(core)
    store.close()
    observed: dict[str, Any] = core.observe()
    return observed


def agents(deployment: Deployment, system: System) -> list[Watched]:
    """Agents of two hosts."""
    made = [Watched(host, system.store(host), system.agent(add_host(deployment, host))) for host in ("h1", "h2")]
    for agent in made:
        system.start(agent)
    return made


def knows(agent: Watched, pod: Pod) -> tuple[int, str | None]:
    """The version of a pod that an agent knows, and its place."""
    known: list[tuple[int, str | None]] = []

    def look() -> Effects:
        known.append(agent.aca.observe()["known"][pod])
        return Effects()

    agent.submit(look).result(10)
    return known[0]


@pytest.mark.parametrize("point", POINTS)
def test_an_ncm_that_is_paused_anywhere_changes_nothing_when_it_goes_on(
    point: str, deployment: Deployment, tmp_path: Path
) -> None:
    with running(deployment) as system, paused(deployment, "ncm", point, tmp_path) as first:
        dpm = DpmService(system.store("dpm"), system.role("dpm"))
        system.start(dpm)

        def settled() -> None:
            wait_until(lambda: not dpm.dpm.pending(), "all changes to be confirmed", system.problems)

        h1, _ = agents(deployment, system)
        dpm.place(P1, "h1").result(10)
        settled()
        dpm.place(P2, "h2").result(10)
        wait_until(first.is_paused, f"the first NCM to be paused {point}", system.problems)
        second = NcmService(*taking_over(deployment, "ncm"))
        system.start(second)
        settled()
        h1.send(P1, P2)
        assert h1.ended_with == "release"
        dpm.remove(P2).result(10)
        settled()
        assert knows(h1, P2) == (2, None), "a host that was told is told the newest by the second NCM"
        code, log = first.goes_on()
        assert (code, DEPOSED in log) == (4, True), log
        dpm.place(P3, "h2").result(10)
        settled()
        h1.send(P1, P3)
        assert h1.ended_with == "release"
        assert knows(h1, P2) == (2, None)
        assert second.ncm.observe()["recorded"] == {P1: 1, P2: 2, P3: 1}
        assert set(dpm.dpm.observe()["outcome"].values()) == {"done"}
        system.stop()
        assert stored(deployment, "ncm", Ncm()) == second.ncm.observe()


@pytest.mark.parametrize("point", POINTS)
def test_a_dpm_that_is_paused_anywhere_changes_nothing_when_it_goes_on(
    point: str, deployment: Deployment, tmp_path: Path
) -> None:
    with running(deployment) as system:
        ncm = NcmService(system.store("ncm"), system.role("ncm"))
        system.start(ncm)
        h1, _ = agents(deployment, system)
        with paused(deployment, "dpm", point, tmp_path) as first:
            wait_until(first.is_paused, f"the first DPM to be paused {point}", system.problems)
            second = DpmService(*taking_over(deployment, "dpm"), Timing(resend_every=0.2))
            system.start(second)
            latest = 0 if point == "before append" else 1
            assert second.dpm.latest(P2) == latest
            second.place(P2, "h1").result(10)
            wait_until(lambda: not second.dpm.pending(), "all changes to have ended", system.problems)
            code, log = first.goes_on()
            assert (code, DEPOSED in log) == (4, True), log
        second.place(P2, "h2").result(10)
        wait_until(lambda: not second.dpm.pending(), "all changes to have ended", system.problems)
        assert ncm.ncm.observe()["recorded"] == {P2: latest + 2}
        places = {1: "h2", 2: "h1", 3: "h2"} if latest else {1: "h1", 2: "h2"}
        assert second.dpm.observe()["places"] == {(P2, version): place for version, place in places.items()}
        assert knows(h1, P2) == (latest + 2, "h2")
        system.stop()
        assert stored(deployment, "dpm", CompositeDpm(Dpm(), MessageQueueDpm())) == second.composite.observe()
