"""Services in separate processes on a real broker: killed, stopped, without a broker, and with a broker that returns."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from pathlib import Path

from impl.broker.deployment import Deployment
from impl.broker.launcher import start_broker
from impl.broker.topics import prepare
from tests.impl.service.programs import programs
from tests.ports import free_port

PODS = 12


def test_whatever_is_killed_nothing_accepted_is_lost(deployment: Deployment, tmp_path: Path) -> None:
    """NCM, DPM and an agent are killed in turn while changes arrive; every accepted change completes."""
    with programs(deployment, tmp_path) as system:
        h1, h2 = system.agent("h1"), system.agent("h2")
        victims = (system.ncm, system.dpm, h1, h2)
        for program in victims:
            program.start()
        for number in range(PODS):
            system.dpm.say(f"place red/p{number} h{1 + number % 2}")
            system.dpm.wait_for(f"accepted red/p{number} version 1")
            victim = victims[number % len(victims)]
            victim.kill()
            victim.start()
        for number in range(PODS):
            system.dpm.wait_for(f"done red/p{number} version 1")
        assert system.dpm.output.count("accepted") == PODS
        # The agent that was started last may not have received its own pods again yet.
        h1.say_until("packet red/p0 red/p1", "forward red/p0 red/p1 to h2")
        assert [program.stop() for program in victims] == [0, 0, 0, 0]


def test_services_wait_for_a_broker_that_is_gone_and_go_on_where_they_were(tmp_path: Path) -> None:
    broker = partial(start_broker, port=free_port(), admin_port=free_port(), folder=tmp_path / "broker")
    with ExitStack() as first, ExitStack() as second:
        deployment = first.enter_context(broker())
        prepare(deployment)
        system = second.enter_context(programs(deployment, tmp_path))
        h1, h2 = system.agent("h1"), system.agent("h2")
        for program in (system.dpm, h1, h2):
            program.start()
            program.wait_for("ready", logged=True)
        system.dpm.say("place red/p1 h1")
        system.dpm.wait_for("accepted red/p1 version 1")
        first.close()
        # NCM has not answered, so all of them repeat their messages: the one that does so next detects the loss.
        for program in (system.dpm, h1, h2):
            program.wait_for("the connection to the broker is lost", "trying again in 0.1 s", logged=True)
        system.dpm.say("place red/p2 h2")
        system.dpm.wait_for("trying again", logged=True)
        system.ncm.start()
        system.ncm.wait_for("trying again in 0.2 s", logged=True)
        assert system.ncm.stop() == 0, "a service that waits for the broker can be stopped"
        for program in (system.dpm, system.ncm):
            program.end()
            program.start()
        again = second.enter_context(broker())
        assert again == deployment
        system.dpm.wait_for("done red/p1 version 1")
        system.dpm.say("place red/p2 h2")
        system.dpm.wait_for("done red/p2 version 1")
        h1.say_until("packet red/p1 red/p2", "forward red/p1 red/p2 to h2")
