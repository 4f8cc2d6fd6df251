"""Requests of hosts, and whether NCM answers them as the specification does.

On this wire a grant is two things: the destination is pushed to the host that asked, and its request gets SUCCESS. So SUCCESS is
right only if the destination had come to that host before, in the version that is recorded. A refusal is FAILURE, or INVALID_ARG;
the wire has no reasons.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Final

from conformance.replay.alcor.judging import Diverges, Judge, noted, promised, status_name
from conformance.replay.alcor.peers import Answer
from conformance.replay.driver import NotDrivable
from model.language import Protocol
from model.reference.state import Element, Occurrence, Tuple
from spec.on_demand.vocabulary import Reason

YES: Final = "SUCCESS"
NO: Final = ("FAILURE", "INVALID_ARG")

BROKEN_BY: Final[Mapping[str, str]] = {
    "not_your_source": "answers_the_asker",
    "other_vpc": "stays_in_its_vpc",
    "unknown": "grants_only_what_is_placed",
    "gone": "grants_only_what_is_placed",
}
"""The promise that a grant breaks where the specification refuses for this reason."""


class Answering:
    """The requests of one run."""

    def __init__(self, judge: Judge) -> None:
        self._judge, self._peers, self._scene = judge, judge.peers, judge.scene
        self._statement = judge.statement

    def ask(self, requests: Sequence[Tuple]) -> list[Diverges]:
        """Makes these requests at once, those of one host in one call; what of the answers is not the specification's.

        Raises:
            NotDrivable: the specification does not answer one of them now.
        """
        steps = [self._step(request) for request in requests]
        asked: dict[str, list[tuple[str, Tuple, Occurrence]]] = {}
        for request, step in zip(requests, steps, strict=True):
            asked.setdefault(str(request[0]), []).append((str(uuid.uuid4()), request, step))
        for host in self._scene.manner.deaf & asked.keys():
            self._peers.deafen(host)
        mark = self._peers.mark
        questions = {
            host: [self._scene.question(identifier, *request[-2:]) for identifier, request, _ in mine]
            for host, mine in asked.items()
        }
        answers = self._peers.ask(questions)
        found: list[Diverges] = []
        for host, mine in asked.items():
            first = requests.index(mine[0][1])
            with noted(found, first):
                said = self._statuses(host, [identifier for identifier, _, _ in mine], answers[host])
                for status, (_, request, step) in zip(said, mine, strict=True):
                    with noted(found, requests.index(request)):
                        self._judged(status, request, step, answers[host], mark)
        return found

    def _step(self, request: Tuple) -> Occurrence:
        step = self._statement.answer(request)
        if step is None:
            raise NotDrivable("the request is of another epoch than NCM has met, and Alcor's requests name none")
        return step

    def restart(self, host: str) -> None:
        """The host's agent says that it has restarted.

        Raises:
            Diverges: NCM does not take it.
        """
        schema, identifier = self._scene.schema, str(uuid.uuid4())
        question = schema.HostRequest.ResourceStateRequest(
            request_id=identifier, request_type=schema.RequestType.AGENT_RESTARTED
        )
        answer = self._peers.ask({host: [question]})[host]
        (status,) = self._statuses(host, [identifier], answer)
        if status != YES:
            raise Diverges(
                f"{status} for AGENT_RESTARTED",
                f"RequestGoalStates of {self._judge.named(host)}: status of AGENT_RESTARTED",
                f"{YES}: NCM meets the agent's new epoch, and sends it the pods that are placed there",
                status,
                _sentence(self._statement.protocol, "greet"),
            )

    # ------------------------------------------------------------------------------------------------ judging

    def _statuses(self, host: str, identifiers: Sequence[str], answer: Answer) -> list[str]:
        """The status of each request, in the order of the requests; of a deaf host there need be none."""
        what = f"RequestGoalStates of {self._judge.named(host)}"
        because = promised(self._statement.protocol, "answers_the_asker")
        expected = f"one status for each of {len(identifiers)} requests, with its id"
        if answer.reply is None:
            if host in self._scene.manner.deaf:
                return ["no reply"] * len(identifiers)
            raise Diverges("a request gets no reply", what, expected, answer.problem, because)
        said: dict[str, list[int]] = {}
        for operation_statuse in answer.reply.operation_statuses:
            said.setdefault(operation_statuse.request_id, []).append(operation_statuse.operation_status)
        found = [said.pop(identifier, []) for identifier in identifiers]
        if said or any(len(statuses) != 1 for statuses in found):
            counts = ", ".join(str(len(statuses)) for statuses in found)
            strange = f", and {len(said)} with the id of no request" if said else ""
            raise Diverges(
                "requests do not get one status each", what, expected, f"{counts} statuses{strange}", because
            )
        return [status_name(self._scene.schema, statuses[0]) for statuses in found]

    def _judged(self, status: str, request: Tuple, step: Occurrence, answer: Answer, mark: int) -> None:
        host, _, asked_by, source, destination = request
        what = (
            f"RequestGoalStates of {self._judge.named(str(host))}: status of {asked_by}, "
            f"{source} ({self._scene.ip(source)}) to {destination} ({self._scene.ip(destination)}) "
            f"of VNI {self._scene.vni(source)}"
        )
        if step.action == "refuse":
            self._refused(what, status, str(host), destination, str(dict(step.choices)["why"]), mark)
        else:
            self._granted(what, status, str(host), destination, int(dict(step.choices)["version"]), answer, mark)

    def _refused(self, what: str, status: str, host: str, destination: Element, why: str, mark: int) -> None:
        if status in NO:
            return
        doc = next(member.doc for member in Reason.members if member.name == why)
        pushed = self._judge.came(host, destination, mark)
        raise Diverges(
            f"{status} for a request that is refused as {why}",
            what,
            f"FAILURE: refused as {why}. {doc}",
            f"{status}; {host} was pushed {pushed}",
            promised(self._statement.protocol, BROKEN_BY[why]),
        )

    def _granted(
        self, what: str, status: str, host: str, destination: Element, version: int, answer: Answer, mark: int
    ) -> None:
        judge, manner = self._judge, self._scene.manner
        wanted = self._scene.expected(destination, version, self._statement.state)
        if host in manner.deaf:
            if status == YES:
                sentence = _sentence(self._statement.protocol, "grant")
                raise Diverges(
                    "SUCCESS for a host that is not called back",
                    what,
                    f"no SUCCESS: nothing calls {host} back, so it is not told",
                    status,
                    sentence,
                )
            return
        if status in NO and not manner.says_neighbors:
            return  # NCM may say that it does not know enough; it must not say that the host was told
        if status != YES:
            raise Diverges(
                f"{status} for a request that is granted",
                what,
                f"{YES}, after {wanted} was pushed",
                status,
                _sentence(self._statement.protocol, "grant"),
            )
        if not judge.has_come(host, destination, version, until=answer.mark):
            raise Diverges(
                "SUCCESS before the host that asked was pushed the destination as it is recorded",
                what,
                f"{YES} only after {wanted} was pushed to {host}",
                f"{YES}, and {self._instead(host, destination, version, answer, mark)}",
                _sentence(self._statement.protocol, "grant"),
            )
        self._statement.confirm(host, destination, version)

    def _instead(self, host: str, destination: Element, version: int, answer: Answer, mark: int) -> str:
        """What was pushed instead of what was granted."""
        judge = self._judge
        before = f"{host} was pushed {judge.came(host, destination, mark, answer.mark)}"
        late = self._peers.wait(lambda: judge.has_come(host, destination, version), self._peers.waits.push)
        after = "; it came after the status" if late else ""
        elsewhere = judge.elsewhere(host, destination, mark)
        return f"{before}{after}{'; ' if elsewhere else ''}{elsewhere}"


def _sentence(protocol: Protocol, action: str) -> str:
    """A step of the specification by name, with what it says."""
    (doc,) = (each_action.doc for each_action in protocol.actions if each_action.name == action)
    return f"{action}: {' '.join(doc.split())}"
