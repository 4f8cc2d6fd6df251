"""Both channels at once: topics at a real broker, and calls of Alcor's services for messages to one host."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from impl.broker.deployment import Deployment
from impl.messages import Accepted, Confirmed, Hello, Kind, Message, Published, Push, Subscribe
from impl.service.direct_agent import AgentServer
from impl.transport.grpc.endpoints import Deadlines
from impl.transport.grpc.event_loop import Loop
from impl.transport.grpc.revisions import Reading
from tests.impl.intercepting import intercept
from tests.impl.transport.grpc.direct.scene import DirectScene, direct_scene


@pytest.mark.parametrize("by_address", [False, True], ids=["certificates", "addresses"])
def test_the_whole_life_of_a_channel_with_calls_for_what_is_for_one_host(
    deployment: Deployment, loop: Loop, tmp_path: Path, by_address: bool
) -> None:
    with direct_scene(deployment, loop, tmp_path, "h1", "h2", "h3", by_address=by_address) as on:
        received: list[Message] = []
        intercept(on.dpm, lambda message, topic: received.append(message))
        on.start("h1", "h2", "h3")
        on.place("red", h1=1, h2=1)
        on.place("blue", h3=1)
        on.until_done("red", on.revise("red", b"one"))
        on.place("red", h1=3)
        on.until_channel("red", "mq")
        assert on.at_broker("red") == (["host-h1", "host-h2"], {"h1", "h2"})
        on.until_done("red", on.revise("red", b"two"))
        on.until_done("blue", on.revise("blue", b"other"))
        on.remove("red", h1=2)
        on.until_channel("red", "grpc")
        assert on.at_broker("red") == ([], set())
        on.until_done("red", on.revise("red", b"three"))
        for host in ("h1", "h2"):
            agent = on.agents[host]
            assert agent.revisions(Published) == [2]
            assert [revision for revision in agent.revisions(Push) if revision != 2] == [1, 3]
            assert [one for _, one in agent.got if isinstance(one, Subscribe)] == [Subscribe(host, 1, "red", 1)]
            assert [item[1:] for item in agent.applied] == [
                (number, Kind.GROUP_RULES, data) for number, data in enumerate((b"one", b"two", b"three"), 1)
            ]
        assert on.addressed()
        assert [on.vpcs_heard_of(host) for host in ("h1", "h2", "h3")] == [{"red"}, {"red"}, {"blue"}]
        assert [on.came_by_the_inbox(host) for host in ("h1", "h2", "h3")] == [0, 0, 0]
        said = [item for item in received if isinstance(item, Hello | Accepted | Confirmed)]
        assert {message for message in said if not isinstance(message, Hello)} == {
            Confirmed("h1", 1, "red", 2),
            Confirmed("h2", 1, "red", 2),
        }, "only what came by the topic is confirmed by a topic"


def test_a_host_that_serves_no_askings_is_given_up_and_told_by_calls(
    deployment: Deployment, loop: Loop, tmp_path: Path
) -> None:
    with direct_scene(deployment, loop, tmp_path, "h1", "h2") as on:
        on.start("h1", "h2")
        on.servers["h2"].subscriptions.close()
        on.place("red", h1=4, h2=1)
        on.until_channel("red", "mq")
        assert on.seen("barred", ("h2", "red"))
        assert on.seen("attempt", ("h2", "red")) == on.dpm.message_queue.decision.patience
        assert on.calls.counted["a subscribe request: unreachable"] >= 1
        on.until_done("red", on.revise("red", b"one"))
        assert on.agents["h1"].revisions(Published) == [1]
        assert (on.agents["h2"].revisions(Push), on.agents["h2"].revisions(Published)) == ([1], [])


def test_a_refusal_a_silence_and_an_absence_are_three_things(
    deployment: Deployment, loop: Loop, tmp_path: Path
) -> None:
    with direct_scene(deployment, loop, tmp_path, "h1", "h2", "h3") as on:
        on.start()
        on.start_agent("h1", deaf=True)
        for host in ("h2", "h3"):
            on.start_agent(host)
        on.until(lambda: all(on.seen("met", host) for host in ("h1", "h2", "h3")), "all agents to be met")
        on.servers["h2"].close()
        on.serve("h2", dpm="127-0-0-9")
        on.servers["h3"].close()
        on.place("red", h1=3, h2=1, h3=1)
        on.until_channel("red", "mq")
        counted, patience = on.calls.counted, on.dpm.message_queue.decision.patience
        assert [on.seen("barred", (host, "red")) for host in ("h1", "h2", "h3")] == [True, True, True]
        assert [on.seen("attempt", (host, "red")) for host in ("h1", "h2", "h3")] == [patience, 1, patience]
        on.until(lambda: counted["a subscribe request: timed out"] >= 1, "the silence to be counted")
        assert counted["a subscribe request was refused"] == 1
        assert counted["a subscribe request: unreachable"] >= 1


def test_a_revision_that_was_lost_with_its_agent_is_told_to_the_next_one(
    deployment: Deployment, loop: Loop, tmp_path: Path
) -> None:
    with direct_scene(deployment, loop, tmp_path, "h1", "h2") as on:
        on.start("h1", "h2")
        on.place("red", h1=1, h2=1)
        on.until_done("red", on.revise("red", b"one"))
        on.stop_agent("h2")
        revision = on.revise("red", b"two")
        on.until_confirmed("red", "h1", revision)
        on.until(lambda: any("could not be pushed" in what for what in on.calls.counted), "a push to fail")
        assert on.seen("outcome", ("red", revision)) == "pending"
        back = on.start_agent("h2")
        on.until_done("red", revision)
        assert [item[1:] for item in back.applied] == [(2, Kind.GROUP_RULES, b"two")]
        assert back.message_queue.epoch == 2


class SaysNothingOnce(AgentServer):
    """An agent whose first reply is lost."""

    lost = False

    def _reply(self, reading: Reading, status: int | None) -> Any:
        if not self.lost:
            self.lost = True
            return self.schema.GoalStateOperationReply()
        return super()._reply(reading, status)


class Forgetful(DirectScene):
    """A scene whose agents' first replies are lost."""

    make_server = SaysNothingOnce


def test_a_reply_that_says_nothing_confirms_nothing_and_the_revision_is_repeated(
    deployment: Deployment, loop: Loop, tmp_path: Path
) -> None:
    with direct_scene(deployment, loop, tmp_path, "h1", kind=Forgetful) as on:
        on.start("h1")
        on.place("red", h1=1)
        on.until_done("red", on.revise("red", b"one"))
        assert on.agents["h1"].revisions(Push)[:2] == [1, 1]
        assert len(on.agents["h1"].applied) == 1
        assert on.calls.counted["a reply that does not confirm the revision"] == 1


PATIENT = Deadlines(push=600.0, subscribe=600.0, apply=600.0)
"""A caller that waits for a host that hangs waits longer than any test."""


class HangsAtH2(AgentServer):
    """An agent that accepts every call, and at host h2 never ends one."""

    async def apply(self, goal: Any, epoch: int | None) -> Any:
        if self._agent.process == "h2":
            await asyncio.Event().wait()
        return await super().apply(goal, epoch)


class OneHangs(DirectScene):
    """A scene in which calls to h2 never end."""

    make_server = HangsAtH2


def test_a_host_that_hangs_delays_no_other(deployment: Deployment, loop: Loop, tmp_path: Path) -> None:
    with direct_scene(deployment, loop, tmp_path, "h1", "h2", deadlines=PATIENT, kind=OneHangs) as on:
        on.start("h1")
        on.start_agent("h2", deaf=True)
        on.until(lambda: on.seen("met", "h2"), "h2 to be met")
        on.place("red", h1=1, h2=1)
        for number in range(3):
            revision = on.revise("red", b"%d" % number)
            on.until_confirmed("red", "h1", revision)
        assert [*dict.fromkeys(on.agents["h1"].revisions(Push))] == [1, 2, 3]
        on.place("red", h1=2, h2=1)
        on.until(lambda: on.seen("subscription", ("h1", "red")) == "subscribed", "h1 to subscribe")
        assert on.seen("confirmed", ("h2", "red")) == 0
        waiting = on.calls._hosts["h2"]
        assert (len(waiting._pushes), len(waiting._askings)) <= (1, 1), "the newest of each VPC, at most"


def test_an_asking_for_an_earlier_epoch_or_attempt_is_no_answer(
    deployment: Deployment, loop: Loop, tmp_path: Path
) -> None:
    with direct_scene(deployment, loop, tmp_path, "h1") as on:
        on.start("h1")
        on.place("red", h1=5)
        on.until_channel("red", "mq")
        asked = [("1", 9), ("1", 1), ("x", 1), ("2", 1)]
        results = [loop.run(on.calls.client.ask("h1", "multicast-red", key, epoch)).value for key, epoch in asked]
        assert results == ["passed over", "passed over", "refused", "done"]
        assert on.seen("subscription", ("h1", "red")) == "subscribed", "nothing of that was DPM's"
