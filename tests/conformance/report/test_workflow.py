"""The workflow of docs/own-protocol.md runs in a repository with a copy of `spec` in which a rule was deleted."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import click
import pytest

from conformance.cli.main import program
from impl.broker.jars import cache_folder
from tests.conformance.report.workflow import filled, read

ROOT = Path(__file__).parent.parent.parent.parent
FILE = ROOT / "docs" / "workflow.yml"
RULE = "            same_vpc(source, destination),\n"
ACTIONS = {"checkout", "setup-python", "cache", "upload-artifact"}


def steps() -> list[dict[str, Any]]:
    """Those of the one job."""
    found: list[dict[str, Any]] = read(FILE.read_text(encoding="utf-8"))["jobs"]["check"]["steps"]
    return found


def uses(step: dict[str, Any]) -> str:
    """The action of a step; empty: it runs a command."""
    found = re.fullmatch(r"actions/([\w-]+)@v\d+", step["uses"]) if "uses" in step else None
    return found[1] if found else ""


def test_the_document_has_the_workflow() -> None:
    document = (ROOT / "docs" / "own-protocol.md").read_text(encoding="utf-8")
    block = re.search(r"<!-- workflow -->\n```yaml\n(.*?)```\n<!-- /workflow -->", document, re.DOTALL)
    assert block
    assert block[1] == FILE.read_text(encoding="utf-8")


def test_every_step_is_one_that_is_tried_here() -> None:
    for step in steps():
        assert ("run" in step) != ("uses" in step), step
        assert "run" in step or uses(step) in ACTIONS
    ondemand = [shlex.split(step["run"]) for step in steps() if "ondemand" in step.get("run", "")]
    ((_, *arguments),) = ondemand
    context = click.Context(program, info_name="ondemand")
    given, (name, *rest), _ = program.make_parser(context).parse_args(arguments)
    assert given == {"spec": "spec"}
    command = program.get_command(context, name)
    assert command is not None
    options, others, _ = command.make_parser(click.Context(command, parent=context)).parse_args(rest)
    assert not others
    kept = next(step["with"]["path"].split() for step in steps() if uses(step) == "upload-artifact")
    assert sorted(kept) == sorted(value for value in options.values() if value), "what is written is kept"


@pytest.mark.parametrize("text", ["a: 1\na: 2\n", "a:\n", "- a: |\n", "a\n", "a: 1\n  b: 2\n"])
def test_what_is_no_workflow_is_not_read_as_one(text: str) -> None:
    with pytest.raises(AssertionError):
        read(text)


def git(folder: Path, *arguments: str) -> str:
    """Runs git, with nobody's settings."""
    who = ("-c", "user.name=Somebody", "-c", "user.email=somebody@example.org", "-c", "init.defaultBranch=main")
    done = subprocess.run(["git", *who, *arguments], cwd=folder, check=True, capture_output=True, text=True)  # noqa: S607 - the one on the path
    return done.stdout.strip()


@pytest.fixture(scope="module")
def engines(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """This repository as it is now, committed."""
    folder = tmp_path_factory.mktemp("engines")
    listed = git(ROOT, "ls-files", "--cached", "--others", "--exclude-standard").splitlines()
    for name in listed:
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, folder / name)
    git(folder, "init", "--quiet")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "The engines")
    return folder


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's repository: a copy of `spec`, without one rule."""
    folder = tmp_path_factory.mktemp("theirs")
    shutil.copytree(ROOT / "spec", folder / "spec", ignore=shutil.ignore_patterns("__pycache__"))
    ncm = folder / "spec" / "on_demand" / "ncm.py"
    text = ncm.read_text(encoding="utf-8")
    assert RULE in text
    ncm.write_text(text.replace(RULE, ""), encoding="utf-8")
    git(folder, "init", "--quiet")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "Ours")
    return folder


class Build:
    """Takes the steps of the workflow in a folder of its own."""

    def __init__(self, folder: Path, engines: Path, theirs: Path) -> None:
        self.workspace, self.page = folder / "work", folder / "page.md"
        self.repositories = {"": theirs, str(engines): engines}
        self.known = {
            "github.workspace": str(self.workspace),
            "runner.os": "Linux",
            "env.ENGINES": str(engines),
            "env.COMMIT": git(engines, "rev-parse", "HEAD"),
        }
        declared = read(FILE.read_text(encoding="utf-8"))["env"]
        assert {f"env.{name}" for name in declared} >= {"env.ENGINES", "env.COMMIT"}
        self.environment = {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOME": os.environ.get("HOME", str(folder)),
            "ONDEMAND_CACHE": filled(declared["ONDEMAND_CACHE"], self.known, self.workspace),
            "GITHUB_ACTIONS": "true",
            "GITHUB_WORKSPACE": str(self.workspace),
            "GITHUB_STEP_SUMMARY": str(self.page),
        }
        self.said = ""
        self.kept: list[Path] = []

    def run(self) -> int:
        """The exit code of the first step that failed; after it only those are taken that always are."""
        failed = 0
        for step in steps():
            if not failed or step.get("if") == "always()":
                failed = self._take(step) or failed
        return failed

    def _take(self, step: dict[str, Any]) -> int:
        given = {name: filled(value, self.known, self.workspace) for name, value in step.get("with", {}).items()}
        match uses(step):
            case "checkout":
                path = self.workspace / given.get("path", ".")
                git(
                    self.workspace.parent,
                    "clone",
                    "--quiet",
                    str(self.repositories[given.get("repository", "")]),
                    str(path),
                )
                if "ref" in given:
                    git(path, "checkout", "--quiet", given["ref"])
            case "cache":
                # What was kept before: the jars of the one who runs these tests, so that none is downloaded for them.
                assert given["key"] == "jars-Linux-digest"
                kept = self.workspace / given["path"]
                kept.parent.mkdir()
                kept.symlink_to(cache_folder() / "jars")
            case "setup-python":
                assert given["python-version"] == "3.11"
            case "upload-artifact":
                self.kept = [self.workspace / name for name in given["path"].split()]
            case _:
                return self._shell(filled(step["run"], self.known, self.workspace))
        return 0

    def _shell(self, command: str) -> int:
        self._install()
        done = subprocess.run(
            ["/bin/bash", "-e", "-c", command],
            cwd=self.workspace,
            env=self.environment,
            capture_output=True,
            text=True,
        )
        self.said += done.stdout + done.stderr
        return done.returncode

    def _install(self) -> None:
        """What `make` finds done: the packages of these tests in the place of those that it would download."""
        programs = self.workspace / ".engines" / ".venv" / "bin"
        if programs.exists():
            return
        programs.mkdir(parents=True)
        start = "from conformance.cli.main import main; main()"
        (programs / "ondemand").write_text(
            f'#!/bin/sh\nPYTHONPATH={self.workspace / ".engines"} exec {sys.executable} -P -c "{start}" "$@"\n'
        )
        (programs / "ondemand").chmod(0o755)
        (programs.parent / "ready").touch()


def test_a_deleted_rule_turns_the_build_red_on_the_line_of_the_promise(
    tmp_path: Path, engines: Path, theirs: Path
) -> None:
    build = Build(tmp_path, engines, theirs)
    assert build.run() == 1, build.said
    promise = re.search(
        r"^::error file=(.+?),line=(\d+),title=starts_telling_tenants_only::broken in", build.said, re.MULTILINE
    )
    assert promise, build.said
    line = (theirs / promise[1]).read_text(encoding="utf-8").splitlines()[int(promise[2]) - 1]
    assert line.startswith("def starts_telling_tenants_only("), "of the user's own file"
    page = build.page.read_text(encoding="utf-8")
    assert page.startswith("## ✗ ondemand check: violated")
    assert "<details><summary>✗ <code>starts_telling_tenants_only</code>" in page
    junit, summary, evidence = build.kept
    assert summary.read_text(encoding="utf-8") == page
    assert json.loads(evidence.read_text(encoding="utf-8"))["verdict"] == "violated"
    cases = ElementTree.fromstring(junit.read_text(encoding="utf-8"))  # noqa: S314 - written by ourselves
    red = {case.get("name"): case.get("file") for case in cases if case.find("failure[@type='violated']") is not None}
    assert red["starts_telling_tenants_only"] == "spec/on_demand/promises.py"


def test_a_copy_that_lacks_a_module_of_these_engines_is_reported(tmp_path: Path, engines: Path, theirs: Path) -> None:
    """For example a copy from another commit than the one that the build takes the engines from."""
    (theirs / "spec" / "on_demand" / "liveness.py").unlink()
    git(theirs, "commit", "--quiet", "--all", "--message", "Older")
    build = Build(tmp_path, engines, theirs)
    try:
        assert build.run() == 2
    finally:
        git(theirs, "reset", "--quiet", "--hard", "HEAD~1")
    assert "spec/on_demand/liveness.py is missing; copy all of " in build.said
    assert not any(file.exists() for file in build.kept)
