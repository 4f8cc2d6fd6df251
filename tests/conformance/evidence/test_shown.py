"""Nothing that was not reached or not asked is green, and every configuration shows what it is for."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from conformance import configurations
from conformance.evidence.shown import not_asked, shown
from conformance.protocols import PROTOCOLS
from impl.cli.exits import Exit
from model.bad_input import BadInput
from model.explore.explore import explore
from model.explore.live import live
from model.language import Protocol
from model.reference.configuration import load
from spec.on_demand.protocol import PROTOCOL
from tests.conformance.cli.test_commands import Command, Ended
from tests.conformance.cli.test_commands import ondemand as ondemand_here
from tests.conformance.cli.test_specification import ondemand

__all__ = ["ondemand_here"]

EXPLORED = [(protocol, name) for protocol in PROTOCOLS for name in configurations.names(protocol)]
DECIDED = [(protocol, name) for protocol in PROTOCOLS for name in configurations.live_names(protocol)]

ODD = '''"""A lock that nobody ever loses."""

from model.language import LeadsTo, Role, Step, action, always, eventually, leads_to, relation, sometimes
from model.language.terms import Formula, Individual, implies


class Client(Individual):
    """A user of the lock."""


CLIENT = Role("Uses the lock.", each=Client)

holds = relation(Client, doc="The client has the lock.", holder=CLIENT)
lost = relation(Client, doc="The client has lost the lock.", holder=CLIENT)


@action(by=CLIENT, fair=True)
def take(client: Client) -> Step:
    """A client takes the lock, or gives it back."""
    return Step(when=[~lost(client)], then=[holds.assign(client, to=~holds(client))])


@action(by=CLIENT)
def find_it(client: Client) -> Step:
    """A client finds what it has lost."""
    return Step(when=[lost(client)], then=[lost.remove(client)])


@sometimes
def is_lost(client: Client) -> Formula:
    """A client has lost the lock."""
    return lost(client)


@eventually(is_lost)
def is_found(client: Client) -> LeadsTo:
    """What was lost is found."""
    return leads_to(lost(client), ~lost(client))


@eventually(is_lost)
def is_used(client: Client) -> LeadsTo:
    """Whoever has not got the lock gets it."""
    return leads_to(~holds(client), holds(client))
'''
PROMISE = '''

@always(is_lost)
def is_not_held(client: Client) -> Formula:
    """A client does not have what it has lost."""
    return implies(lost(client), ~holds(client))
'''
SORTS = '\n[sorts]\nClient = ["c1", "c2"]\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "odd.py").write_text(ODD + PROMISE, encoding="utf-8")
    (tmp_path / "empty.py").write_text(ODD, encoding="utf-8")
    (tmp_path / "world.toml").write_text(SORTS, encoding="utf-8")
    return tmp_path


def ran(folder: Path, command: str, *, says: str = "", spec: str = "odd.py") -> Ended:
    if says:
        (folder / "world.toml").write_text(f"{says}\n{SORTS}", encoding="utf-8")
    ended = ondemand(folder, "--spec", spec, *command.split(), COLUMNS="200")
    assert ended.err == ""
    return ended


# ------------------------------------------------------------------------------------------------------ nothing shown


@pytest.mark.slow
def test_what_is_not_reached_and_not_taken_is_not_green(folder: Path) -> None:
    ended = ran(folder, "explore --config world.toml")
    assert ended.code == Exit.UNDECIDED
    assert "is_lost must be reachable, and is not reached in world: enlarge a configuration" in ended.out
    assert "find_it is never taken in world: enlarge a configuration" in ended.out


@pytest.mark.slow
def test_an_action_may_be_left_out_and_a_claim_may_not(folder: Path) -> None:
    ended = ran(folder, "explore --config world.toml", says='without = ["find_it"]')
    assert ended.code == Exit.UNDECIDED
    assert "is_lost must be reachable" in ended.out
    assert "find_it" not in ended.out


@pytest.mark.slow
@pytest.mark.parametrize("command", ["explore --config world.toml", "simulate --config world.toml --runs 5", "prove"])
def test_a_protocol_that_promises_nothing_is_not_green(command: str, folder: Path) -> None:
    ended = ran(folder, command, spec="empty.py")
    assert "empty states no promise about states or steps, so none was checked" in ended.out
    assert ended.code == (
        Exit.VIOLATED if command == "prove" else Exit.UNDECIDED
    )  # no variant breaks the eventualities


@pytest.mark.slow
def test_simulation_says_what_it_never_did(folder: Path) -> None:
    ended = ran(folder, "simulate --config world.toml --runs 5")
    assert "Never taken in these runs: find_it." in ended.out
    assert "Never reached in these runs: is_lost." in ended.out
    assert "find_it" not in ran(folder, "simulate --config world.toml --runs 5", says='without = ["find_it"]').out


@pytest.mark.slow
def test_an_eventuality_that_is_never_asked_is_not_green_unless_the_configuration_says_so(folder: Path) -> None:
    ended = ran(folder, "live --config world.toml")
    assert ended.code == Exit.UNDECIDED
    assert "Premise never true in any of these configurations: is_found." in ended.out
    assert ran(folder, "live --config world.toml", says='eventually = ["is_used"]').code == Exit.HOLDS
    assert ran(folder, "live --config world.toml", says='eventually = ["is_found"]').code == Exit.UNDECIDED


def test_what_others_of_several_configurations_may_show_is_told(ondemand_here: Command) -> None:
    ended = ondemand_here("explore", "--config", "two-slots")
    assert ended.code == Exit.HOLDS
    assert re.search(r"^Not reached here: .*a_stranger_reads", ended.out, re.MULTILINE)
    assert "Not taken here: " in ended.out


IDLE = '''

SERVER = Role("Has the lock.")
seen = event(Client, Client, doc="A client sees another one.")
idle = relation(Client, doc="Nobody writes it.", holder=CLIENT)


@message(sender=CLIENT, receiver=SERVER)
def note(client: Client) -> Formula:
    """A client tells that it has the lock."""
    return {spent}


@action(by=CLIENT)
def tell(client: Client) -> Step:
    """A client tells."""
    return Step(when=[holds(client)], then=[note.send(client), idle.remove(client), lost.add(client)])


@sometimes
def is_held(client: Client) -> Formula:
    """A client has the lock."""
    return holds(client)


@{kind}(is_held)
def is_no_promise(client: Client, other: Client) -> Formula:
    """It holds of nothing."""
    return implies({premise}, ~holds(client) & ~holds(other))
'''
UNSENT = "is_no_promise reads note, which no action sends, so it may hold of nothing: correct one of them."
SPENT = "note is spent in every state, so what is promised of it while it is unspent holds of nothing: correct the condition"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "premise", "spent", "said"),
    [
        ("two_state", "seen(client, other)", "~holds(client)", "is_no_promise reads seen, which no action emits"),
        ("always", "idle(client)", "~holds(client)", "is_no_promise reads idle, which no action changes"),
        ("always", "note.unspent(client)", "~holds(client) | holds(client)", SPENT),
        ("two_state", "note.begins(client)", "client == client", SPENT),
        ("always", "unsent.unspent(client)", "~holds(client)", UNSENT.replace("note", "unsent")),
    ],
    ids=["an event", "a relation", "a spent message", "a message that begins", "a message"],
)
@pytest.mark.parametrize("command", ["explore --config world.toml", "simulate --config world.toml --runs 5", "prove"])
def test_a_promise_of_what_cannot_occur_is_not_green(
    kind: str, premise: str, spent: str, said: str, command: str, folder: Path
) -> None:
    text = ODD.replace("import LeadsTo", "import LeadsTo, event, message, two_state") + IDLE
    stated = text.format(kind=kind, premise=premise, spent=spent)
    if "unsent" in premise:
        stated = stated.replace("note.send(client), ", "").replace("note", "unsent")
    (folder / "odd.py").write_text(stated, encoding="utf-8")
    ended = ran(folder, command)
    assert ended.code == (Exit.VIOLATED if command == "prove" else Exit.UNDECIDED)  # no variant breaks it
    assert said in ended.out


@pytest.mark.slow
def test_a_promise_of_what_occurs_is_green(folder: Path) -> None:
    text = ODD.replace("import LeadsTo", "import LeadsTo, event, message, two_state") + IDLE
    (folder / "odd.py").write_text(
        text.format(kind="always", premise="note.unspent(client) & ~note.unspent(client)", spent="~holds(client)"),
        encoding="utf-8",
    )
    assert ran(folder, "explore --config world.toml").code == Exit.HOLDS


AT_REST = """

@deadlock_when
def is_stuck(client: Client) -> Formula:
    \'\'\'A client has lost the lock.\'\'\'
    return lost(client)


@sometimes
def nobody_has_it(client: Client) -> Formula:
    \'\'\'A client does not have the lock.\'\'\'
    return ~holds(client)


@always(nobody_has_it)
def is_lost_once(client: Client, other: Client) -> Formula:
    \'\'\'A lock that nobody has is lost by one client.\'\'\'
    return implies(lost(client) & lost(other), client == other)
"""


def failures(folder: Path) -> set[str]:
    """The kinds of failed test cases in the JUnit file, which counts them."""
    text = (folder / "out.xml").read_text(encoding="utf-8")
    kinds = re.findall(r'<failure type="(\w+)"', text)
    assert f'failures="{len(kinds)}"' in text
    return set(kinds)


LEFT_OUT = {"without": 'without = ["take", "find_it"]', "only": "[only]\ntake = []\nfind_it = []"}


@pytest.mark.slow
@pytest.mark.parametrize("way", LEFT_OUT)
@pytest.mark.parametrize("command", ["explore", "simulate --runs 5", "live"])
def test_a_configuration_that_allows_nothing_is_not_green(way: str, command: str, folder: Path) -> None:
    text = ODD[: ODD.index("@sometimes")].replace("import LeadsTo", "import LeadsTo, deadlock_when")
    if command == "live":
        text += ODD[ODD.index("@sometimes") :]
    (folder / "odd.py").write_text(text + AT_REST, encoding="utf-8")
    ended = ran(folder, f"{command} --config world.toml --json out.json --junit out.xml", says=LEFT_OUT[way])
    said = json.loads((folder / "out.json").read_text(encoding="utf-8"))["verdict"]
    if command == "live":  # the lock is never taken
        assert (ended.code, said) == (Exit.VIOLATED, "violated")
        return
    assert (ended.code, said, failures(folder)) == (Exit.UNDECIDED, "undecided", {"undecided"})
    assert "No action is taken in world" in ended.out or "No run took a step" in ended.out
    assert "✓" not in ended.out


UNSHOWN = {
    "a claim that is not reached": (ODD + PROMISE, "explore"),
    "no promise, explored": (ODD, "explore"),
    "no promise, simulated": (ODD, "simulate --runs 5"),
    "an eventuality that is not asked": (ODD, "live"),
    "a bound": (ODD + PROMISE, "bounded --steps 1"),
}


@pytest.mark.slow
@pytest.mark.parametrize(("text", "command"), UNSHOWN.values(), ids=UNSHOWN.keys())
def test_every_output_says_undecided_where_the_exit_code_does(text: str, command: str, folder: Path) -> None:
    (folder / "odd.py").write_text(text, encoding="utf-8")
    ended = ran(folder, f"{command} --config world.toml --json out.json --junit out.xml --summary out.md")
    assert ended.code == Exit.UNDECIDED
    assert "✓ world" not in ended.out
    assert json.loads((folder / "out.json").read_text(encoding="utf-8"))["verdict"] == "undecided"
    assert failures(folder) == {"undecided"}
    assert f"## ? ondemand {command.split()[0]}: undecided" in (folder / "out.md").read_text(encoding="utf-8")


@pytest.mark.slow
def test_proofs_of_nothing_say_undecided_everywhere(folder: Path) -> None:
    breaks = """

@variant(replaces=find_it, breaks=[is_found, is_used])
def finds_nothing(client: Client) -> Step:
    \'\'\'Nothing is found.\'\'\'
    return find_it.but(without=[lost])
"""
    (folder / "odd.py").write_text(ODD.replace("import LeadsTo", "import LeadsTo, variant") + breaks, encoding="utf-8")
    ended = ran(folder, "prove --json out.json --junit out.xml")
    assert ended.code == Exit.UNDECIDED
    assert json.loads((folder / "out.json").read_text(encoding="utf-8"))["verdict"] == "undecided"
    assert failures(folder) == {"undecided"}


# ------------------------------------------------------------------------------------------------ what they are for


@pytest.mark.parametrize(("protocol", "name"), EXPLORED, ids=[name for _, name in EXPLORED])
def test_every_explored_configuration_says_what_it_is_for(protocol: Protocol, name: str) -> None:
    shows = configurations.find(name, protocol).shows
    assert shows
    assert not set(shows) & {eventuality.name for eventuality in protocol.eventualities}


@pytest.mark.parametrize(("protocol", "name"), DECIDED, ids=[name for _, name in DECIDED])
def test_every_configuration_of_fair_runs_says_what_it_is_for(protocol: Protocol, name: str) -> None:
    shows = configurations.find(name, protocol).shows
    assert shows
    assert set(shows) <= {eventuality.name for eventuality in protocol.eventualities}


def test_a_configuration_that_does_not_show_it_any_more_is_violated() -> None:
    world = configurations.find("two-hosts", PROTOCOL)
    weakened = replace(world, without=world.without | {"deregister", "restart_ncm"}, pinned={})
    found = shown(explore(PROTOCOL, weakened), PROTOCOL, weakened)
    assert found.verdict == "violated"
    assert found.violated == "does not show deregister, restart_ncm, for which it is there"
    unbroken = replace(world, pinned={})
    assert shown(explore(PROTOCOL, unbroken), PROTOCOL, unbroken).verdict == "holds"


def test_a_variant_that_a_configuration_is_to_show_breaks_in_it() -> None:
    world = replace(configurations.find("late-messages", PROTOCOL), pinned={}, shows=("listens_to_older_epochs",))
    assert shown(explore(PROTOCOL, world), PROTOCOL, world).verdict == "holds"
    idle = replace(world, without=world.without | {"restart"})
    found = shown(explore(PROTOCOL, idle, deadlocks=False), PROTOCOL, idle)
    assert (found.verdict, found.violated) == (
        "violated",
        "does not show listens_to_older_epochs, for which it is there",
    )


def test_a_configuration_whose_eventualities_are_not_asked_is_told() -> None:
    (protocol,) = (protocol for protocol in PROTOCOLS if protocol.name == "slots")
    world = configurations.find("side-by-side", protocol)
    idle = replace(world, without=world.without | {"publish", "push"}, pinned={})
    (sentence,) = not_asked(live(protocol, idle), idle).values()
    assert sentence.startswith("side-by-side: does not show what_is_published_leaves_the_topic, for which it is there")
    assert not not_asked(live(protocol, world), world)


@pytest.mark.slow
def test_a_file_that_does_not_show_what_it_says_is_red(folder: Path) -> None:
    ended = ran(folder, "explore --config world.toml", says='shows = ["take", "find_it"]')
    assert ended.code == Exit.VIOLATED
    assert "world: does not show find_it, for which it is there" in ended.out
    ended = ran(folder, "live --config world.toml", says='shows = ["is_found"]')
    assert ended.code == Exit.VIOLATED
    assert "world: does not show is_found, for which it is there: the premise is never true." in ended.out


def test_what_a_configuration_shows_has_a_name(tmp_path: Path) -> None:
    text = configurations.path_of("two-hosts", PROTOCOL).read_text(encoding="utf-8")
    (tmp_path / "world.toml").write_text(text.replace('"restart_ncm"', '"restart_all"'), encoding="utf-8")
    with pytest.raises(BadInput, match=r"world.toml, line 2: shows: nothing is called 'restart_all'; name actions"):
        load(tmp_path / "world.toml", PROTOCOL)
