"""A mutant is asked of the runs that come to the line that it changes: none is lost by that."""

from __future__ import annotations

from conformance.mutation.cores.engines import ENGINES
from conformance.mutation.cores.executed import comes_to, lines_of
from conformance.mutation.cores.loading import cores_with, source
from conformance.mutation.cores.source import Mutant
from impl.messages import Pod, Route
from impl.on_demand.aca import Aca
from spec.message_queue.protocol import PROTOCOL as QUEUE


def mutant_of(module: str, place: str) -> Mutant:
    """The first of a function."""
    return next(mutant for mutant in source(module).mutants if mutant.place == place)


def test_the_lines_of_the_cores_are_seen_and_no_others() -> None:
    executed = lines_of(lambda: Aca("h1").start())
    assert {module for module, _ in executed} == {"impl.on_demand.aca"}
    assert comes_to(executed, mutant_of("impl.on_demand.aca", "Aca.start"))
    assert not comes_to(executed, mutant_of("impl.on_demand.aca", "Aca.evict"))
    assert not lines_of(lambda: None)


def test_what_is_executed_with_the_module_is_asked_of_every_run() -> None:
    assert mutant_of("impl.on_demand.aca", "module").lines is None
    assert mutant_of("impl.message_queue.cache", "NodeInfo").lines is None
    assert comes_to(frozenset(), mutant_of("impl.on_demand.aca", "module"))
    assert comes_to(frozenset(), None)


def test_a_branch_that_is_not_taken_is_not_executed_and_its_condition_is() -> None:
    executed = lines_of(lambda: _dropped(Aca("h1")))
    here = [mutant for mutant in source("impl.on_demand.aca").mutants if mutant.place == "Aca.packet"]
    assert {comes_to(executed, item) for item in here if "len(self._waiting)" in item.was} == {False}
    assert {comes_to(executed, item) for item in here if "not in one VPC" in item.was} == {True}


def _dropped(agent: Aca) -> None:
    """A packet to a pod that is not known is held, and one to another VPC is dropped."""
    source = Pod("red", "10.0.0.1")
    agent.start()
    agent.receive(Route("h1", 1, source, 1, "h1"))
    agent.packet(1, source, Pod("blue", "10.0.0.2"))


def test_a_mutant_that_no_run_comes_to_survives_when_it_is_asked_of_all_of_them() -> None:
    """Asked without its lines, as a change by hand is, it gets the same answer."""
    module = "impl.message_queue.thresholds"
    number, mutant = next((n, one) for n, one in enumerate(source(module).mutants) if "admitted" in one.place)
    cores = cores_with(QUEUE.name, module, source(module).compiled(number))
    negative = ENGINES["negative"][1]
    assert negative(QUEUE, cores, mutant) == negative(QUEUE, cores, None) == "survives"
