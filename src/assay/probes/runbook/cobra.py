"""The command tree of a tool built with cobra, asked of the binary itself; nothing is ever carried out.

Cobra's hidden `__complete` lists the real children and flags of a command. `--help` alone would not do: of
an unknown subcommand it prints the parent's help and exits 0.
"""

from __future__ import annotations

import functools
import re
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from assay.errors import ProbeError
from assay.formats.tools import run_tool
from assay.probes.runbook.shell import PLACE


ANSWER_TIMEOUT_S = 30.0
HELP_FLAG = re.compile(r"^ {2,8}(?:(-\w), )?(--[\w-]+)(?:([ =])(\S.*?))?(?: {2,}|:$|:\s|$)")
DIRECTIVE = re.compile(r":\d+")
# Flags that may stand without a value although their help shows one.
OPTIONAL_VALUE = {"kubectl": frozenset({"--dry-run", "--validate", "--cascade"})}


@dataclass(frozen=True, slots=True)
class Call:
    """A command line read against the tree.

    Subcommands, arguments, flags with their values, and what is wrong with it.
    """

    path: tuple[str, ...]
    arguments: tuple[str, ...] = ()
    flags: dict[str, str] = field(default_factory=dict)
    mistakes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CommandNode:
    """One command of the tree.

    Its children, its flags (name -> takes a value), its usage line's arguments if it can be run.
    """

    children: frozenset[str]
    flags: dict[str, bool]
    usage: str | None


class CommandTree:
    """The tree of one binary, read as it is needed.

    Args:
        tool: the name the usage lines begin with.
        binary: the file.
    """

    def __init__(self, tool: str, binary: Path) -> None:
        """Ask nothing yet."""
        self.tool = tool
        self.binary = binary
        self._nodes: dict[tuple[str, ...], CommandNode] = {}
        self._global: dict[str, bool] | None = None

    def version(self) -> str:
        """Return the version the binary prints of itself."""
        words = ("version",) if self.tool == "etcdutl" else ("version", "--client")
        match = re.search(r"\bv?\d+\.\d+\.\d+\S*", self._ask(*words))
        if match is None:
            raise ProbeError(f"{self.tool}: does not say its version", f"check {self.tool} under [tools]")
        return match.group()

    def read(self, words: Sequence[str]) -> Call:
        """Return a command line, without the tool's name, as the tool would take it.

        Raises:
            ProbeError: the binary cannot be run or does not answer as cobra does.
        """
        path: tuple[str, ...] = ()
        arguments: list[str] = []
        flags: dict[str, str] = {}
        wrong: list[str] = []
        rest = list(words)
        while rest:
            word = rest.pop(0)
            if word == "--":
                arguments += rest
                break
            if word.startswith("-") and word != "-":
                wrong += self._flag(path, word, rest, flags)
            elif not arguments and (child := self._child(path, word)):
                path = (*path, child)
            else:
                arguments.append(word)
        wrong += self._unknown_later(path, flags) + list(self._arguments(path, arguments))
        return Call(path, tuple(arguments), flags, tuple(dict.fromkeys(wrong)))

    def node(self, path: tuple[str, ...]) -> CommandNode:
        """Return one command of the tree."""
        if path not in self._nodes:
            help_text = self._ask(*path, "--help")
            children = frozenset() if self._leaf(help_text) else frozenset(self._complete(*path, ""))
            flags = {name: True for name in self._complete(*path, "-") if name.startswith("-")}
            self._nodes[path] = CommandNode(
                children, {**flags, **self._takes_value(help_text)}, self._usage(path, help_text)
            )
        return self._nodes[path]

    def _leaf(self, help_text: str) -> bool:
        return not re.search(r"^[A-Z][\w\s()]*Commands?[\w\s()]*:$", help_text, re.MULTILINE)

    def _child(self, path: tuple[str, ...], word: str) -> str:
        """Return the child's own name for a word, which may be an alias of it; empty if there is none."""
        here = self.node(path)
        if word in here.children:
            return word
        if not here.children or PLACE.search(word):
            return ""
        help_text = self._ask(*path, word, "--help")
        aliases = re.search(r"^Aliases:\n\s*(.+)$", help_text, re.MULTILINE)
        names = [name.strip().split()[-1] for name in aliases.group(1).split(",")] if aliases else []
        return names[0] if word in names and names[0] in here.children else ""

    def _flag(self, path: tuple[str, ...], word: str, rest: list[str], flags: dict[str, str]) -> list[str]:
        """Take one flag, and its value out of `rest`.

        Before its subcommand cobra takes it for one that has a value.
        """
        name, equals, value = word.partition("=")
        if not word.startswith("--") and len(name) > 2:
            name, equals, value = word[:2], "=", word[2:].removeprefix("=")
        known = {**self._globals(), **self.node(path).flags}
        takes = known.get(name, bool(self.node(path).children))
        if takes and not equals and name not in OPTIONAL_VALUE.get(self.tool, frozenset()):
            if not rest:
                return [f"{self._called(path)}: {name} lacks its value"]
            value = rest.pop(0)
        flags[name] = value
        return []

    def _unknown_later(self, path: tuple[str, ...], flags: dict[str, str]) -> list[str]:
        known = self.node(path).flags.keys() | self._globals().keys()
        unknown = [name for name in flags if name not in known and not self._hidden(path, name)]
        return [f"{self._called(path)}: unknown flag {name}" for name in unknown]

    def _hidden(self, path: tuple[str, ...], name: str) -> bool:
        """Return whether a command takes a flag that its help does not show: a deprecated one.

        With a value and `--help` nothing is carried out: the flag or its value is refused, or help is shown.
        """
        words = (*path, f"{name}=x", "--help") if name.startswith("--") else (*path, f"{name}x", "--help")
        said = self._ask(*words, errors=True).lower()
        return "unknown flag" not in said and "unknown shorthand" not in said

    def _arguments(self, path: tuple[str, ...], arguments: list[str]) -> Iterator[str]:
        here = self.node(path)
        called = self._called(path)
        if here.usage is None:
            word = f" {arguments[0]}" if arguments else ""
            yield f"{called}{word}: no such command; it prints help and exits 0"
            return
        yield from (f"{called}: {why}" for why in arguments_fit(here.usage, arguments))

    def _called(self, path: tuple[str, ...]) -> str:
        return " ".join((self.tool, *path))

    def _usage(self, path: tuple[str, ...], help_text: str) -> str | None:
        """Return what the usage line says behind the full path.

        Or None if the command cannot be run by itself.
        """
        block = re.search(r"^Usage:\n((?:[ \t]+\S.*\n?)+)", help_text, re.MULTILINE)
        lines = [line.strip() for line in block.group(1).splitlines()] if block else []
        called = self._called(path)
        behind = [
            line[len(called) :].strip() for line in lines if line == called or line.startswith(f"{called} ")
        ]
        runnable = [text for text in behind if not re.match(r"\[command\]|\[?SUBCOMMAND|COMMAND", text)]
        if self.tool == "kubectl" and not path:
            return None
        return runnable[0] if runnable else None

    def _takes_value(self, help_text: str) -> dict[str, bool]:
        found: dict[str, bool] = {}
        for line in help_text.splitlines():
            match = HELP_FLAG.match(line)
            if match is None:
                continue
            short, name, joint, shown = match.groups()
            takes = shown.rstrip(":") not in ("true", "false") if joint == "=" else bool(shown)
            found.update(dict.fromkeys(filter(None, (short, name)), takes))
        return found

    def _globals(self) -> dict[str, bool]:
        """Return the flags that every command takes."""
        if self._global is None:
            self._global = {"--help": False, "-h": False}
            self._global |= self._takes_value(self._ask("options")) if self.tool == "kubectl" else {}
        return self._global

    def _complete(self, *words: str) -> list[str]:
        lines = self._ask("__completeNoDesc", *words).splitlines()
        if not any(DIRECTIVE.fullmatch(line) for line in lines):
            raise ProbeError(
                f"{self.tool}: does not answer __complete", "it is not built with cobra, or not this tool"
            )
        return [line for line in lines if line and not DIRECTIVE.fullmatch(line)]

    def _ask(self, *words: str, errors: bool = False) -> str:
        """Return what the binary prints, or its errors; the same file is asked the same thing once."""
        try:
            changed = self.binary.stat().st_mtime_ns
        except OSError as error:
            raise ProbeError(
                f"{self.tool}: cannot be run: {error.strerror}", f"check {self.tool} under [tools]"
            ) from error
        printed, complained = _answer(self.binary, changed, words)
        return complained if errors else printed


@functools.lru_cache(maxsize=4096)
def _answer(binary: Path, _changed: int, words: tuple[str, ...]) -> tuple[str, str]:
    """Return what a binary prints, and its errors, without any credential and far from any configuration."""
    with tempfile.TemporaryDirectory(prefix="assay-cli-") as home:
        bare = {"HOME": home, "KUBECONFIG": "/dev/null", "TALOSCONFIG": "/dev/null", "PATH": "/usr/bin:/bin"}
        what = " ".join((binary.name, *words))
        done = run_tool([binary, *words], ANSWER_TIMEOUT_S, what, env=bare, cwd=Path(home))
    return done.text, done.error_text


def arguments_fit(usage: str, arguments: Sequence[str]) -> list[str]:
    """Return what is wrong with a command's arguments, by its usage line.

    Understood are `<name>`, `[name]`, nesting, choices such as `[start|stop]`, and `...` for more of the
    same; a usage line that says nothing about arguments allows none only where it is pflag's own (`[flags]`
    and nothing else).
    """
    least, most, choices = _shape(usage)
    wrong = []
    if len(arguments) < least:
        wrong.append(f"{len(arguments)} arguments, at least {least} are needed")
    if most is not None and len(arguments) > most:
        wrong.append(f"{len(arguments)} arguments, at most {most} are taken")
    for number, words in choices.items():
        if (
            number < len(arguments)
            and arguments[number] not in words
            and not PLACE.fullmatch(arguments[number])
        ):
            wrong.append(f"{arguments[number]!r} is none of {', '.join(words)}")
    return wrong


def _shape(usage: str) -> tuple[int, int | None, dict[int, tuple[str, ...]]]:
    text = re.sub(r"\[(flags|options)\]", "", usage).strip()
    if re.search(r"\bRESOURCES?\b", text):
        return 1, None, {}  # a kind and a name, several of them, or a file
    if re.search(r"\.\.\.|--|(^|\s)-\w|=|\||[(){}:/]", re.sub(r"\[[\w-]+(\|[\w-]+)+\]", "", text)):
        return 0, None, {}
    depth, least, most = 0, 0, 0
    choices: dict[int, tuple[str, ...]] = {}
    for part in re.findall(r"\[|\]|<[^<>]+>|[^\s\[\]]+", text):
        if part in "[]":
            depth += 1 if part == "[" else -1
            continue
        if "|" in part and not part.startswith("<"):
            choices[most] = tuple(part.split("|"))
        most += 1
        least += depth == 0
    return least, most, choices
