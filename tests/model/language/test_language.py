"""The language rejects what would later become a wrong proof: wrong sorts, truth values of formulas, duplicate names."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest

from conformance import configurations
from conformance.protocols import PROTOCOLS, wanted
from impl.cli.exits import Problem
from model.language import Protocol, Role, Step, action, event, for_each, function, message, relation
from model.language.quantifiers import exists, forall
from model.language.terms import Formula, Individual, Number, choose
from spec.on_demand import vocabulary
from spec.on_demand.protocol import PROTOCOL
from spec.on_demand.vocabulary import Epoch, Host, Pod, Version, epoch, known, told
from tests.toys.configurations import LOCK
from tests.toys.lock import CLIENT, SERVER, Client, Turn, holds, lent, promised, take, taken


def host() -> Host:
    """A host."""
    return Host.variable("host")


def pod() -> Pod:
    """A pod."""
    return Pod.variable("pod")


def test_swapped_arguments_are_refused() -> None:
    with pytest.raises(TypeError, match="told takes a host, not a pod"):
        told(pod(), host())  # type: ignore[arg-type] # under test
    with pytest.raises(TypeError, match="takes 2 arguments, not 1"):
        told(host())  # type: ignore[call-arg] # under test


def test_numbers_of_different_kinds_do_not_compare() -> None:
    with pytest.raises(TypeError, match="a version is compared with an epoch"):
        _ = known(host(), pod()) == epoch(host())
    with pytest.raises(TypeError, match="a version is compared with an epoch"):
        _ = known(host(), pod()) < Epoch.of(1)  # type: ignore[operator] # under test


def test_a_function_takes_values_of_its_own_sort_only() -> None:
    with pytest.raises(TypeError, match="known has a version as its value, not an epoch"):
        known.assign(host(), pod(), to=Epoch.of(1))  # type: ignore[arg-type] # under test


def test_a_choice_is_between_values_of_one_sort() -> None:
    with pytest.raises(TypeError, match="a choice between a version and an epoch"):
        choose(told(host(), pod()), Version.of(1), Epoch.of(1))


def test_a_formula_has_no_truth_value_in_python() -> None:
    with pytest.raises(TypeError, match="a term has no truth value"):
        bool(told(host(), pod()))
    with pytest.raises(TypeError, match="a term has no truth value"):
        _ = told(host(), pod()) and told(host(), pod())


def test_there_are_no_negative_numbers() -> None:
    with pytest.raises(ValueError, match="never negative"):
        Version.of(-1)


def test_a_quantifier_binds_as_many_variables_as_its_body_has() -> None:
    two: Any = lambda one, other: one == other  # noqa: E731 - the body of a quantifier is a lambda
    with pytest.raises(TypeError, match="1 sorts are bound, and the body has 2 parameters"):
        forall(Host, two)
    one: Any = lambda one: one == host()  # noqa: E731 - as above
    with pytest.raises(TypeError, match="2 sorts are bound, and the body has 1 parameters"):
        exists(Host, Host, one)


def test_a_change_for_each_names_every_binder_among_its_arguments() -> None:
    with pytest.raises(TypeError, match="other must be among the arguments"):
        for_each(Client, lambda other: holds.add(Client.variable("client")))


def test_the_first_parameter_of_a_members_action_is_the_member() -> None:
    with pytest.raises(TypeError, match="the first parameter of an action"):

        @action(by=CLIENT)
        def nobody(turn: Turn) -> Step:
            """No actor."""
            return Step(when=[Turn.of(0) < turn])


def test_only_messages_are_taken_and_only_events_are_emitted() -> None:
    with pytest.raises(TypeError, match="one message is expected"):

        @action(by=CLIENT)
        def takes_state(client: Client) -> Step:
            """Takes a relation instead of a message."""
            return Step(takes=[holds(client)])

    with pytest.raises(TypeError, match="one event is expected"):

        @action(by=CLIENT)
        def emits_state(client: Client) -> Step:
            """Emits a relation instead of an event."""
            return Step(emits=[holds(client)])


def test_a_name_belongs_to_one_declaration() -> None:
    one, other = ModuleType("one"), ModuleType("other")
    one.there = relation(Client, doc="One.")  # type: ignore[attr-defined] # a module made here
    other.there = relation(Client, doc="Another.")  # type: ignore[attr-defined] # a module made here
    with pytest.raises(TypeError, match="there: the name is taken"):
        Protocol.of("clash", one, other)


def test_what_a_step_does_not_name_is_none_of_its_changes() -> None:
    (store,) = (each_action for each_action in PROTOCOL.actions if each_action.name == "store")
    changed = {change.symbol.name for change in store.changes}
    assert changed == {"recorded", "change", "pending", "must", "route", "told", "housed", "member"}


def test_the_digest_changes_with_the_rules_and_not_with_the_prose() -> None:
    (evict,) = (each_action for each_action in PROTOCOL.actions if each_action.name == "evict")
    variants = {variant.name: variant for variant in PROTOCOL.variants}
    assert PROTOCOL.with_variant(variants["forgets_on_evicting"]).digest() != PROTOCOL.digest()
    evict_again = action(by=evict.role)(_evict)
    object.__setattr__(evict_again, "name", "evict")
    same = tuple(evict_again if each_action is evict else each_action for each_action in PROTOCOL.actions)
    assert Protocol(**{**vars(PROTOCOL), "actions": same}).digest() == PROTOCOL.digest()


def _evict(host: Host, pod: Pod) -> Step:
    """The same rule, stated differently."""
    (evict,) = (each_action for each_action in PROTOCOL.actions if each_action.name == "evict")
    return Step(
        when=[Formula(node) for node in evict.guard],
        then=list(evict.changes),
        moves=list(evict.moves),
    )


def test_a_variant_leaves_out_only_what_is_there() -> None:
    client, turn = Client.variable("client"), Turn.variable("turn")
    assert take in LOCK.actions  # this has given it its name
    step = take.but(without=[taken(client) < turn, holds])
    assert [part.node for part in step.when] == []
    assert [change.symbol for change in step.then] == [taken]
    assert [part.node for part in step.takes] == list(take.takes)
    assert not step.absent
    assert take.but(without=[turn < taken(client)]).absent == [(turn < taken(client)).node]
    assert take.but(without=[lent]).absent == [lent]


def test_every_word_of_the_protocol_is_explained() -> None:
    for declared in (*PROTOCOL.symbols, *PROTOCOL.actions, *PROTOCOL.promises, *PROTOCOL.definitions):
        assert declared.doc.strip().endswith((".", "?", "|")), declared.name
    for sort in (*PROTOCOL.sorts, *PROTOCOL.numbers, *PROTOCOL.enumerations):
        assert sort.__doc__, sort.__name__
    assert vocabulary.__doc__


def test_symbols_know_their_kind_and_holder() -> None:
    assert lent.holder is SERVER
    assert promised.kind == "state"
    assert event(Client, Client, doc="Seen.").kind == "event"
    assert function(Client, to=Turn, doc="Counted.", kind="history").kind == "history"


def test_a_message_has_the_fields_of_its_declaration() -> None:
    @message(sender=SERVER, receiver=CLIENT)
    def note(client: Client, turn: Turn) -> Formula:
        """Nothing to do. Spent at once."""
        return Turn.of(0) <= turn

    assert note.fields == ("client", "turn")
    assert (note.sender, note.receiver) == (SERVER, CLIENT)


def test_roles_without_members_act_once() -> None:
    assert Role("Alone.").each is None
    assert issubclass(Client, Individual)
    assert issubclass(Turn, Number)


def test_names_of_configurations_and_variants_say_which_protocol_is_meant() -> None:
    names = [name for protocol in PROTOCOLS for name in configurations.names(protocol)]
    variants = [variant.name for protocol in PROTOCOLS for variant in protocol.variants]
    assert len(set(names)) == len(names)
    assert len(set(variants)) == len(variants)
    assert configurations.meant("thresholds", None, None).name == "message-queue"
    assert configurations.meant(None, None, "asks_for_ever").name == "message-queue with asks_for_ever"
    with pytest.raises(Problem, match="--variant asks_for_ever belongs to message-queue and not to on-demand"):
        wanted("on-demand", "asks_for_ever")
    with pytest.raises(Problem, match="unknown protocol 'message-quue' \\(did you mean message-queue"):
        wanted("message-quue", None)
