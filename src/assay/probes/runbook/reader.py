"""A runbook: every command in it, tried against the command trees of the very tools it is written for."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from pathlib import Path

from assay.errors import ProbeError
from assay.formats.tools import run_tool
from assay.gaps import Gaps
from assay.probes.runbook import help_pages
from assay.probes.runbook.cobra import Call, CommandTree
from assay.probes.runbook.markdown import code_in
from assay.probes.runbook.shell import DANGEROUS, PLACE, SYSTEM, Command, Splitter
from assay.probes.talos.shipped import TALOS_SERVICES


HELP_TIMEOUT_S = 30.0
MAX_BYTES = 1024 * 1024
COBRA_TOOLS = ("talosctl", "kubectl", "etcdutl")
# Tools without a command tree that can be asked: flags, and for rclone the verb, must be in their own help.
HELP_TOOLS = {"age": ("--help",), "rclone": ("help",)}
# Tools with a help page for each subcommand.
PAGED_TOOLS = ("openssl", "vault")
# What these need not say where a text only mentions them.
INCOMPLETE = re.compile(r"lacks its value|at least \d+ are needed|is none of|acts on whatever nodes")


@dataclass(frozen=True, slots=True)
class Mistake:
    """A command that would not do what the runbook says: `File path:line`, and why."""

    ref: str
    why: str


class Runbook:
    """The commands of one Markdown file: blocks of any kind, and inline code that starts with a known tool.

    A line that cannot be split as a shell would is noted in `gaps`.
    """

    def __init__(
        self, path: Path, *, more: Mapping[str, Path] | None = None, **binaries: Path | None
    ) -> None:
        """Read nothing yet.

        Args:
            path: the file.
            more: binaries of further tools, by name; `kubectl-NAME` for a plugin.
            binaries: of `talosctl`, `kubectl`, `etcdutl`, `age`, `rclone`, `openssl` and `vault`.
        """
        self.path, self.gaps = path, Gaps()
        self._binaries: dict[str, Path | None] = {**binaries, **(more or {})}
        self._more = frozenset(more or {})
        self._trees: dict[str, CommandTree] = {}
        self._by_help: set[str] = set()

    @cached_property
    def commands(self) -> tuple[Command, ...]:
        """Return every simple command, in order; pipelines and lists are taken apart.

        Raises:
            ProbeError: the file cannot be read, or a fence is not closed.
        """
        unread = self.gaps.unread
        splitter = Splitter(self.path.name, self._is_tool, lambda at, why: unread.setdefault(at, why))
        found = (one for code in code_in(self._read(), self.path.name) for one in splitter.commands(code))
        return tuple(self._plugin(one) for one in found)

    def judged(self, title: str = "") -> list[Command]:
        """Return the commands of tools that are judged, of the whole page or of one section."""
        return [one for one in self._of(title) if self._is_tool(one.tool)]

    def unjudged(self) -> dict[str, int]:
        """Return tool -> number of its commands, of the tools that no binary is given for."""
        others = (one.tool for one in self.commands if not self._is_tool(one.tool) and one.tool not in SYSTEM)
        return dict(sorted(Counter(others).items()))

    def mistakes(self, title: str = "") -> list[Mistake]:
        """Return every command that is unknown, has wrong flags or arguments, or is careless.

        With a `title` only those of that section: it needs no other tools than its own. A tool that is judged
        and has no binary, or one that does not answer, is noted in `gaps`.

        Raises:
            ProbeError: there is no such section.
        """
        found = []
        for one in self.judged(title):
            with self.gaps.part(f"{one.ref} ({one.tool})"):
                found += [Mistake(one.ref, why) for why in self._judge(one) if self._counts(one, why)]
        return found

    def _counts(self, command: Command, why: str) -> bool:
        return not (command.mentioned and INCOMPLETE.search(why))

    def _of(self, title: str) -> Sequence[Command]:
        return self.section(title) if title else self.commands

    def section(self, title: str) -> tuple[Command, ...]:
        """Return the commands below the heading `## title`, up to the next heading of that level.

        Raises:
            ProbeError: there is no such section, or more than one, the file cannot be read, or a line of it
                cannot be split into words.
        """
        ref = re.compile(rf"{re.escape(title)}(?!\w)")
        spans = [span for head, span in self._spans() if ref.match(head)]
        if len(spans) != 1:
            raise ProbeError(f"{self.path.name}: has {len(spans)} sections {title!r}", "write one")
        found = self._between(*spans[0])
        for place, problem in self.gaps.unread.items():
            number = place.rpartition(":")[2]
            if number.isdigit() and spans[0][0] < int(number) < spans[0][1]:
                raise problem
        return found

    def sections(self) -> list[tuple[str, tuple[Command, ...]]]:
        """Return the commands below each heading `## title`, in order; first those before any, titled "".

        Raises:
            ProbeError: the file cannot be read.
        """
        return [(head, self._between(*span)) for head, span in self._spans()]

    def _spans(self) -> list[tuple[str, tuple[int, int]]]:
        rows = ["", *self._read().splitlines()]
        heads = [number for number, row in enumerate(rows) if row.startswith("## ")]
        return [
            (rows[head].removeprefix("## ").strip(), (head, end))
            for head, end in pairwise([0, *heads, len(rows)])
        ]

    def _between(self, head: int, end: int) -> tuple[Command, ...]:
        return tuple(one for one in self.commands if head < one.line < end and not one.inside)

    def call(self, command: Command) -> Call:
        """Return a command of a tool that has a command tree, as the tool would take it.

        Raises:
            ProbeError: the binary of the tool is not declared or does not answer.
        """
        return self._tree(command.tool).read(command.words[1:])

    def version(self, tool: str) -> str:
        """Return the version of a tool's binary, as it prints it (`v1.13.5`)."""
        return self._tree(tool).version()

    def _read(self) -> str:
        try:
            raw = self.path.read_bytes()
            if len(raw) > MAX_BYTES:
                raise ProbeError(f"{self.path.name}: larger than {MAX_BYTES} bytes", "is this the runbook?")
            return raw.decode("utf-8-sig")
        except OSError as error:
            raise ProbeError(
                f"{self.path.name}: cannot be read: {error.strerror}", "set runbook under [paths]"
            ) from error
        except UnicodeDecodeError as error:
            raise ProbeError(f"{self.path.name}: is not UTF-8", "save it as UTF-8") from error

    def _is_tool(self, name: str) -> bool:
        """Return whether commands of a tool are judged."""
        return name in (*COBRA_TOOLS, *HELP_TOOLS, *PAGED_TOOLS) or name in self._more

    def _plugin(self, command: Command) -> Command:
        """Return a command of kubectl that a plugin carries out as one of that plugin."""
        if command.tool != "kubectl" or len(command.words) == 1:
            return command
        name = f"kubectl-{command.words[1].replace('-', '_')}"
        known = next((one for one in (name, f"kubectl-{command.words[1]}") if one in self._more), None)
        return replace(command, words=(known, *command.words[2:])) if known else command

    def _judge(self, command: Command) -> Iterator[str]:
        if command.tool in COBRA_TOOLS:
            yield from self._judge_tool(command)
        elif command.tool in HELP_TOOLS:
            yield from self._judge_by_help(command, *HELP_TOOLS[command.tool])
        elif command.tool in PAGED_TOOLS:
            yield from help_pages.help_mistakes(command.tool, self._binary(command.tool), command.words[1:])
        elif self._has_tree(command.tool):
            yield from self.call(command).mistakes
        else:
            yield from self._judge_by_help(command, "--help")

    def _has_tree(self, tool: str) -> bool:
        """Return whether a further tool lists its own commands; otherwise its help says what it knows."""
        if tool not in self._by_help:
            try:
                _ = self._tree(tool).node(())
            except ProbeError:
                self._by_help.add(tool)
        return tool not in self._by_help

    def _judge_tool(self, command: Command) -> Iterator[str]:
        call = self.call(command)
        yield from call.mistakes
        if command.tool == "talosctl" and not call.mistakes:
            yield from _careless(" ".join(call.path), call.arguments, call.flags)

    def _judge_by_help(self, command: Command, *asked: str) -> Iterator[str]:
        binary = self._binary(command.tool)
        known = set(re.findall(r"[\w-]+", _printed(binary, *asked)))
        verb = command.words[1] if len(command.words) > 1 else ""
        if command.tool != "age" and verb and not verb.startswith("-"):
            known |= (
                set(re.findall(r"[\w-]+", _printed(binary, "help", "flags")))
                if command.tool == "rclone"
                else set()
            )
            if verb not in known and not PLACE.fullmatch(verb):
                yield f"{command.tool} {verb}: {command.tool} has no such command"
            known |= set(re.findall(r"[\w-]+", _printed(binary, verb, "--help")))
        for word in command.words[1:]:
            if word.startswith("-") and word.partition("=")[0] not in known and word not in ("-", "--"):
                yield f"{command.tool} has no flag {word.partition('=')[0]}"

    def _tree(self, tool: str) -> CommandTree:
        return self._trees.setdefault(tool, CommandTree(tool, self._binary(tool)))

    def _binary(self, tool: str) -> Path:
        binary = self._binaries.get(tool)
        if binary is None:
            raise ProbeError(
                f"no binary of {tool} to try the runbook's commands with", f"set {tool} under [tools]"
            )
        return binary


def _printed(binary: Path, *words: str) -> str:
    done = run_tool([binary, *words], HELP_TIMEOUT_S, f"the help of {binary.name}")
    return done.text + done.error_text


def _careless(path: str, arguments: tuple[str, ...], flags: Mapping[str, str]) -> Iterator[str]:
    dangerous = any(path == word or path.startswith(f"{word} ") for word in DANGEROUS) and not (
        path == "service" and (len(arguments) < 2 or arguments[1] == "status")
    )
    if dangerous and not flags.keys() & {"--nodes", "-n"}:
        yield f"talosctl {path}: acts on whatever nodes the context names; say which with -n"
    if path == "service" and arguments and not PLACE.fullmatch(arguments[0]):
        yield from _service(arguments)


def _service(arguments: tuple[str, ...]) -> Iterator[str]:
    name, action = arguments[0], arguments[1] if len(arguments) > 1 else "status"
    if name not in TALOS_SERVICES and not name.startswith("ext-"):
        yield f"talosctl service {name}: Talos has no such service; the control plane's parts are static pods"
    elif action != "status" and name != "kubelet" and not name.startswith("ext-"):
        yield f"talosctl service {name} {action}: Talos refuses that for {name}"
