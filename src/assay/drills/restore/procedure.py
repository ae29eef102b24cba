"""A procedure as the runbook has it, carried out word for word inside the sandbox.

Nothing is added and nothing is left out: every command of the section is run in its order, with its
placeholders filled. What a step has to wait for, it is asked again until it is there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from assay.drills.restore.sandbox import Sandbox
from assay.errors import AssayError
from assay.polling import poll
from assay.probes.runbook.shell import PLACEHOLDER, Command
from assay.secretscan.suspect import repeated


ASK_PERIOD_S = 1.0
REASON_MAX_CHARS = 400


class StepError(AssayError):
    """A command of the runbook did not do what the runbook says; `ref` is its `File path:line`."""

    def __init__(self, ref: str, why: str) -> None:
        """Name the line, and say why; what a tool printed is in it only if it looks like no secret."""
        self.ref, self.why = ref, repeated(why, REASON_MAX_CHARS)
        super().__init__(f"{ref}: {self.why}", "fix the runbook or what it needs")


class HopelessError(StepError):
    """What a command was to show will not come any more: it is what it acts on that failed, not the line."""


@dataclass(frozen=True, slots=True)
class Wait:
    """What a command must show before the next one.

    Attributes:
        shown: judges its output.
        within: for how long to ask, seconds.
        hopeless: says of an output why asking again is useless, empty while it is not.
    """

    shown: Callable[[str], bool]
    within: float
    hopeless: Callable[[str], str] = lambda _: ""


@dataclass(slots=True)
class Procedure:
    """Runs commands inside `sandbox`.

    Args:
        sandbox: where, and with which programs.
        tools: word -> program.
        values: placeholder, without its brackets -> value. A tuple: the command is run once for each.
        secret: environment of rclone, from the reader key; never printed.
        waits: start of a command line -> what it must show.
    """

    sandbox: Sandbox
    tools: Mapping[str, Path]
    values: dict[str, str | tuple[str, ...]]
    secret: Mapping[str, str]
    waits: Mapping[str, Wait] = field(default_factory=dict)
    limit: float = 120.0
    exported: dict[str, str] = field(default_factory=dict)

    def run(self, command: Command) -> str:
        """Run one command of the runbook and return what it printed.

        Raises:
            StepError: a placeholder has no value, or the command failed or did not show what it must.
            GuardError: it needed something from outside of the sandbox.
        """
        return "".join(self._one(filled) for filled in self._filled(command))

    def file(self, command: Command, word: str) -> Path:
        """Return the file of the sandbox that a word of a command names, its placeholders filled.

        Raises:
            StepError: a placeholder has no value.
        """
        if unknown := sorted(_placeholders(word) - set(self.values)):
            raise StepError(command.ref, f"there is no value for {', '.join(unknown)}")
        return (self.sandbox.work / _fill(word, self.values)).resolve()

    def meant(self, command: Command) -> Command:
        """Return a command with its placeholders filled; errors as for `run`."""
        return self._filled(command)[0]

    def _filled(self, command: Command) -> list[Command]:
        said = (*command.words, command.stdin, command.stdout)
        names = {name for word in said for name in _placeholders(word)}
        if unknown := sorted(names - set(self.values)):
            raise StepError(command.ref, f"there is no value for {', '.join(unknown)}")
        many = [name for name in names if isinstance(self.values[name], tuple)]
        rounds = self.values[many[0]] if many else ("",)
        return [_meant(command, {**self.values, **dict.fromkeys(many, one)}) for one in rounds]

    def _one(self, command: Command) -> str:
        words = command.words
        if words[0] == "umask":
            return ""
        if words[0] == "export":
            name, _, value = words[1].partition("=")
            self.exported[name] = str(self.sandbox.work / value) if value.startswith("./") else value
            return ""
        if words[0] not in self.tools:
            raise StepError(command.ref, f"{words[0]} is not a program of the sandbox")
        line = " ".join(words[1:])
        wait = next((w for start, w in self.waits.items() if start in line), None)
        return self._awaited(command, wait) if wait else self._once(command)

    def _once(self, command: Command) -> str:
        words = command.words
        done = self.sandbox.run(
            [str(self.tools[words[0]]), *words[1:]], self.limit,
            {**self.exported, **self._own(words[0])}, command.stdin,
        )  # fmt: skip
        if done.code:
            last = (done.error_text.strip().splitlines() or ["no word"])[-1]
            raise StepError(command.ref, f"{words[0]} exits {done.code}: {last}")
        if command.stdout:
            self.sandbox.keep(command.stdout, done.text)
            return ""
        return done.text

    def _own(self, tool: str) -> Mapping[str, str]:
        return self.secret if tool == "rclone" else {}

    def _awaited(self, command: Command, wait: Wait) -> str:
        shown, why = "", ""

        def shows_it() -> bool:
            nonlocal shown, why
            try:
                shown = self._once(command)
            except StepError as failed:
                why = failed.why
                return False
            if not wait.shown(shown) and (lost := wait.hopeless(shown)):
                raise HopelessError(command.ref, lost)
            why = "it does not show what it must"
            return wait.shown(shown)

        if poll(shows_it, wait.within, ASK_PERIOD_S):
            return shown
        raise StepError(command.ref, f"not in {wait.within:.0f} s: {why}")


def _placeholders(word: str) -> set[str]:
    return {found.group().strip("<>") for found in PLACEHOLDER.finditer(word)}


def _meant(command: Command, values: Mapping[str, str | tuple[str, ...]]) -> Command:
    words = tuple(_fill(word, values) for word in command.words)
    return Command(command.ref, words, _fill(command.stdin, values), _fill(command.stdout, values))


def _fill(word: str, values: Mapping[str, str | tuple[str, ...]]) -> str:
    return re.sub(PLACEHOLDER, lambda found: str(values[found.group().strip("<>")]), word)
