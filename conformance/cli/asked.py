"""What the commands that run an engine share: what they are about, and where their results go."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click
from rich.console import Console
from rich.markup import escape

from conformance import configurations
from conformance.protocols import protocol_option, variant_option, wanted
from conformance.report.result import Finding, Result, verdict_of
from conformance.report.violation import told
from conformance.report.writing import Outputs, outputs_options
from conformance.vectors.scenario import SUFFIX, written
from impl.cli.console import console_for, json_option, options, progress_bar, save_option, write_json, write_text
from impl.cli.exits import Exit, Problem
from model.language import Protocol
from model.proof.forgetting import may_forget
from model.reference.state import Trace

R = TypeVar("R")


@dataclass(frozen=True)
class Asked:
    """The shared options of a command."""

    configs: Sequence[str]
    """The configurations that are named; empty: the command's own choice."""
    save: Path | None
    protocol_name: str | None
    variant: str | None
    json_file: str | None
    outputs: Outputs

    @property
    def console(self) -> Console:
        """Where the result is printed."""
        return console_for(self.json_file)

    @property
    def protocol(self) -> Protocol:
        """The one protocol that the command is about."""
        return configurations.meant(self.configs[0] if self.configs else None, self.protocol_name, self.variant)

    @property
    def protocols(self) -> list[Protocol]:
        """All protocols that the command is about."""
        return wanted(self.protocol_name, self.variant)

    def over(self, names: Callable[[Protocol], list[str]]) -> list[tuple[str, Protocol]]:
        """The configurations that the command is about, each with its protocol; unless named, these of each protocol.

        Raises:
            Problem: a protocol has none, so that nothing would be asked of it.
        """
        if self.configs:
            return [(name, configurations.meant(name, self.protocol_name, self.variant)) for name in self.configs]
        found: list[tuple[str, Protocol]] = []
        for protocol in self.protocols:
            own = names(protocol)
            if not own:
                sentence = "has no configuration for this, so nothing is decided: name one with --config"
                raise Problem(f"{protocol.name} {sentence}", Exit.UNDECIDED)
            found += [(name, protocol) for name in own]
        return found

    def undecided(self, command: str, sentences: Sequence[str]) -> list[Finding]:
        """Prints what nothing was decided about; the findings of the command."""
        for sentence in sentences:
            self.console.print(f"[yellow]{escape(sentence)}[/]", highlight=False, soft_wrap=True)
        return [Finding(command, sentence, undecided=True) for sentence in sentences]

    def keep(self, violated: str, protocol: Protocol, trace: Trace) -> None:
        """Saves a counterexample, if that is wanted."""
        if self.save is not None:
            write_text(self.save, written(self.save, told(violated, protocol, trace), protocol))

    def finish(self, result: Result, found: Mapping[str, Any]) -> int:
        """Writes the result, and what was found as JSON; returns the exit code."""
        return self._written(result, [found], 1)

    def finish_each(self, result: Result, found: Sequence[Any], asked: int) -> int:
        """The same: one object for one configuration, a list for several. What was asked decides, not how many were tried."""
        return self._written(result, [item.as_json() for item in found], asked)

    def _written(self, result: Result, found: Sequence[Mapping[str, Any]], asked: int) -> int:
        verdict = verdict_of(result.exit)
        if verdict != "holds" and all(
            each["verdict"] == "holds" for each in found
        ):  # what is wrong is not of one of them
            found = [{**each, "verdict": verdict} for each in found]
        write_json(found[0] if asked == 1 else found, self.json_file)
        self.outputs.write(result)
        return int(result.exit)


def asked_options(
    config_help: str | None = None, *, several: bool = True
) -> Callable[[Callable[..., int]], Callable[..., int]]:
    """Adds the shared options; the command gets them as `asked`. `several`: `--config` can be repeated.

    `config_help`: what `--config` is; without it the command has neither `--config` nor `--save`.
    """

    def decorated(command: Callable[..., int]) -> Callable[..., int]:
        @functools.wraps(command)
        def with_asked(
            protocol_name: str | None,
            variant: str | None,
            json_file: str | None,
            outputs: Outputs,
            configs: tuple[str, ...] | str | None = None,
            save: Path | None = None,
            **named: Any,
        ) -> int:
            given = (configs,) if isinstance(configs, str) else configs or ()
            _refuse_same_names(given)
            if save is not None and save.suffix == SUFFIX and any(Path(config).suffix for config in given):
                sentence = "a scenario needs a named configuration; name an ITF file (*.itf.json)"
                raise Problem(f"--save {save}: {sentence}", Exit.BAD_INPUT)
            return command(asked=Asked(given, save, protocol_name, variant, json_file, outputs), **named)

        own = []
        if config_help is not None:
            config = click.option("--config", "configs", multiple=several, metavar="NAME", help=config_help)
            own = [config, save_option]
        added: Callable[..., int] = options(*own, protocol_option, variant_option, json_option, outputs_options)(
            with_asked
        )
        return added

    return decorated


def by_protocol(over: Sequence[tuple[str, Protocol]], found: Sequence[R]) -> Iterator[tuple[Protocol, list[R]]]:
    """Each protocol of which something was found, with its results. `over`: the configurations in the order of the results."""
    for protocol in dict.fromkeys(protocol for _, protocol in over[: len(found)]):
        yield protocol, [each for (_, of), each in zip(over, found, strict=False) if of is protocol]


def _refuse_same_names(configs: Sequence[str]) -> None:
    """Results are known by the names of configurations, which a file has from its own."""
    known: dict[str, str] = {}
    for config in configs:
        name = Path(config).stem
        if name in known:
            sentence = f"the configuration {known[name]} is called {name} too; rename one of them, or leave it out"
            raise Problem(f"--config {config}: {sentence}", Exit.BAD_INPUT)
        known[name] = config


def prove_forgetting(protocol: Protocol) -> bool:
    """Whether spent messages may be forgotten; says what takes so long, unless it is known."""
    with ExitStack() as shown:
        bar = progress_bar(f"Proving that spent messages of {protocol.name} can be forgotten")
        return may_forget(protocol, told=lambda: shown.enter_context(bar))


def states_max_option(default: int) -> Callable[[Callable[..., int]], Callable[..., int]]:
    """Adds `--states-max`."""
    return click.option(
        "--states-max",
        type=click.IntRange(1),
        default=default,
        show_default=True,
        metavar="NUMBER",
        help="The most states to visit in a configuration; beyond them the result is undecided.",
    )
