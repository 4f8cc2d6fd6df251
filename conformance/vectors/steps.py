"""Steps as people write them: an action with its arguments, in the order of its parameters."""

from __future__ import annotations

from collections.abc import Sequence

from impl.cli.console import listed, no_such
from model.language.terms import Number, Value
from model.reference.configuration import Configuration
from model.reference.interpreter import Interpreter
from model.reference.state import Element, Occurrence, Tuple, elements


class Malformed(Exception):
    """Words that are not what is written there; the text says what was expected. Who catches it adds the place."""


def occurrence_of(words: Sequence[str], interpreter: Interpreter) -> Occurrence:
    """The step that these words name, enabled or not.

    Raises:
        Malformed: there is no such action, or its arguments are others.
    """
    name, *given = words
    actions = {action.name: action for action in interpreter.protocol.actions}
    if name not in actions:
        raise Malformed(no_such("action", name, actions))
    parameters = actions[name].parameters
    sorts = [parameter.sort for parameter in parameters]
    values = arguments_of(name, given, sorts, [parameter.name for parameter in parameters], interpreter.configuration)
    return Occurrence(name, tuple((parameter.name, value) for parameter, value in zip(parameters, values, strict=True)))


def arguments_of(
    of: str, words: Sequence[str], sorts: Sequence[type[Value]], names: Sequence[str], configuration: Configuration
) -> Tuple:
    """The members of sorts that these words name; `names`: what messages call them.

    Raises:
        Malformed: there are more or fewer, or one is outside its sort.
    """
    if len(words) != len(sorts):
        usage = " ".join([of, *names])
        raise Malformed(f"{of}: expected {len(sorts)} arguments, found {len(words)}; write {usage}")
    return tuple(
        element_of(word, sort, name, configuration) for word, sort, name in zip(words, sorts, names, strict=True)
    )


def element_of(word: str, sort: type[Value], name: str, configuration: Configuration) -> Element:
    """The member of a sort that a word names; `name`: what a message calls it.

    Raises:
        Malformed: it is outside the sort.
    """
    among = elements(sort, configuration)
    found: Element = int(word) if issubclass(sort, Number) and word.isdecimal() else word
    if found not in among:
        raise Malformed(f"{name}: expected one of {listed(map(str, among))}, found {word!r}")
    return found


def words_of(step: Occurrence) -> str:
    """A step as it is written."""
    return " ".join([step.action, *(str(value) for _, value in step.choices)])
