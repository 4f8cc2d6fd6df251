"""DPM and agents in separate processes, killed without warning in the middle of a switch and with a backlog."""

from __future__ import annotations

import re
from pathlib import Path

from impl.broker.deployment import Deployment
from tests.impl.service.programs import Program, programs

OPTIONS = ("--many-ports", "5", "--patience", "50", "--answer-wait", "0.2", "--remind-every", "0.5")


def applied(agent: Program) -> list[int]:
    """The revisions that an agent has applied, in order."""
    return [int(number) for number in re.findall(r"^applied red revision (\d+)", agent.output, re.MULTILINE)]


def test_a_switch_is_completed_by_a_dpm_that_was_killed_in_the_middle_of_it(
    deployment: Deployment, tmp_path: Path
) -> None:
    """h2 hangs, so that the topic stays half open until DPM has been killed and restarted."""
    with programs(deployment, tmp_path, OPTIONS) as system:
        h1, h2, dpm = system.agent("h1"), system.agent("h2"), system.dpm
        for program in (dpm, h1, h2):
            program.start()
            program.wait_for("ready", logged=True)
        for number in range(4):
            dpm.say(f"place red/p{number} h{1 + number % 2}")
            dpm.wait_for(f"accepted red/p{number} version 1")
        dpm.say("share red subnet 10.0.0.0/24")
        for said in ("accepted red revision 1", "done red revision 1"):
            dpm.wait_for(said)
        h2.pause()
        dpm.say("place red/p4 h1")
        dpm.wait_for("switched red to opening")
        dpm.kill()
        dpm.start()
        dpm.say("share red group-rules none may enter")
        dpm.wait_for("accepted red revision 2")
        dpm.kill()
        dpm.start()
        h2.resume()
        for said in ("switched red to mq", "done red revision 2"):
            dpm.wait_for(said)
        h2.kill()
        dpm.say("share red group-rules all may enter")
        h1.wait_for("applied red revision 3 group-rules: all may enter")
        dpm.kill()
        dpm.start()
        h2.start()
        h2.wait_for("applied red revision 3 group-rules: all may enter")
        dpm.wait_for("done red revision 3")
        for number in (0, 1):
            dpm.say(f"remove red/p{number}")
            dpm.wait_for(f"accepted red/p{number} version 2")
        dpm.wait_for("switched red to closing")
        dpm.kill()
        dpm.start()
        dpm.wait_for("switched red to grpc")
        dpm.say("share red subnet 10.0.1.0/24")
        dpm.wait_for("done red revision 4")
        assert re.findall(r"switched red to (\w+)", dpm.output) == ["opening", "mq", "closing", "grpc"]
        assert [dpm.output.count(f"done red revision {number}") for number in (1, 2, 3, 4)] == [1, 1, 1, 1]
        assert sorted(set(applied(h1))) == [1, 2, 3, 4]
        assert applied(h1) == sorted(applied(h1)), "a revision is never overwritten by an older one"
        assert [program.stop() for program in (dpm, h1, h2)] == [0, 0, 0]


def test_a_switch_is_completed_by_the_dpm_that_stood_by(deployment: Deployment, tmp_path: Path) -> None:
    with programs(deployment, tmp_path) as system:
        h1, h2 = system.agent("h1"), system.agent("h2")
        first, second = (system.instance("dpm", name, *OPTIONS) for name in ("dpm-first", "dpm-second"))
        for program in (first, h1, h2):
            program.start()
            program.wait_for("ready", logged=True)
        second.start()
        second.wait_for("standing by", logged=True)
        for number in range(4):
            first.say(f"place red/p{number} h{1 + number % 2}")
            first.wait_for(f"accepted red/p{number} version 1")
        first.say("share red subnet 10.0.0.0/24")
        first.wait_for("done red revision 1")
        h2.pause()
        first.say("place red/p4 h1")
        first.wait_for("switched red to opening")
        first.kill()
        second.wait_for("ready", logged=True)
        second.say("share red subnet 10.0.1.0/24")
        second.wait_for("accepted red revision 2")
        h2.resume()
        for said in ("switched red to mq", "done red revision 2"):
            second.wait_for(said)
        assert sorted(set(applied(h2))) == [1, 2]


def test_decisions_that_cannot_be_are_refused_in_a_sentence(deployment: Deployment, tmp_path: Path) -> None:
    with programs(deployment, tmp_path) as system:
        dpm = system.dpm
        dpm.start()
        for line, said in (
            ("share red subnet x", "red is unknown: place a pod there first"),
            ("share red weather x", "Unknown kind of shared state 'weather': expected subnet or group-rules."),
            ("group red 7", "red is unknown"),
            ("group red -7", "Invalid decision 'group red -7'"),
            ("remove red/p1", "red/p1 is nowhere"),
        ):
            dpm.say(line)
            dpm.wait_for(f"refused: DPM: {said}", f"refused: {said}", logged=True)
        assert dpm.output == ""
