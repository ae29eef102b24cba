"""A runbook: every command in it, tried against the command trees of the very tools it is written for."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path

from assay.errors import ProbeError
from assay.formats.tools import run_tool
from assay.probes.runbook import help_pages
from assay.probes.runbook.cobra import Call, CommandTree
from assay.probes.talos.shipped import TALOS_SERVICES


HELP_TIMEOUT_S = 30.0
LARGEST = 1024 * 1024
SHELL_FENCES = frozenset({"", "bash", "sh", "shell", "console", "shell-session", "zsh"})
SHELL_WORDS = frozenset(
    [
        "awk",
        "cat",
        "cd",
        "chmod",
        "cp",
        "cut",
        "date",
        "diff",
        "echo",
        "export",
        "false",
        "grep",
        "head",
        "install",
        "jq",
        "ls",
        "mkdir",
        "mktemp",
        "mv",
        "printf",
        "read",
        "rm",
        "sed",
        "set",
        "sha256sum",
        "shred",
        "sleep",
        "sort",
        "stat",
        "tail",
        "tee",
        "test",
        "tr",
        "true",
        "umask",
        "unset",
        "wc",
    ]
)
COBRA_TOOLS = ("talosctl", "kubectl", "etcdutl")
# Tools without a command tree that can be asked: flags, and for rclone the verb, must be in their own help.
HELP_TOOLS = {"age": ("--help",), "rclone": ("help",)}
# Tools with a help page for each subcommand.
PAGED_TOOLS = ("openssl", "vault")
PLACEHOLDER = re.compile(r"<[A-Z][A-Z0-9]*(_[A-Z0-9]+)*>")
UNTYPED = re.compile(r"<[^<>\s][^<>]*>")
SEPARATORS = re.compile(r"[;&|()]+")
REDIRECT = re.compile(r"\d?(>>?|<)")
ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=.*", re.DOTALL)
# What takes a node down, wipes it or changes who votes must say which node it means.
DANGEROUS = (
    "apply-config",
    "bootstrap",
    "edit",
    "etcd defrag",
    "etcd forfeit-leadership",
    "etcd leave",
    "etcd remove-member",
    "patch",
    "reboot",
    "reset",
    "restart",
    "rollback",
    "service",
    "shutdown",
    "upgrade",
    "wipe",
)


@dataclass(frozen=True, slots=True)
class Command:
    """One simple command of the runbook: `File path:line`, its words, files it reads from and writes to."""

    ref: str
    words: tuple[str, ...]
    stdin: str = ""
    stdout: str = ""

    @property
    def line(self) -> int:
        """Return the number of its line."""
        return int(self.ref.rpartition(":")[2])

    @property
    def tool(self) -> str:
        """Return the command's first word, without a folder."""
        return Path(self.words[0]).name


@dataclass(frozen=True, slots=True)
class Mistake:
    """A command that would not do what the runbook says: `File path:line`, and why."""

    ref: str
    why: str


class Runbook:
    """The commands of one Markdown file: shell fences, and inline code that starts with a known tool.

    Args:
        path: the file.
        talosctl: the pinned release's binary; the same for `kubectl` and `etcdutl`. A command of a tool
            without a binary cannot be judged.
    """

    def __init__(
        self,
        path: Path,
        talosctl: Path | None = None,
        kubectl: Path | None = None,
        etcdutl: Path | None = None,
        age: Path | None = None,
        rclone: Path | None = None,
        openssl: Path | None = None,
        vault: Path | None = None,
    ) -> None:
        """Read nothing yet."""
        self.path = path
        self._binaries = {"talosctl": talosctl, "kubectl": kubectl, "etcdutl": etcdutl}
        self._binaries |= {"age": age, "rclone": rclone, "openssl": openssl, "vault": vault}
        self._trees: dict[str, CommandTree] = {}

    @cached_property
    def commands(self) -> tuple[Command, ...]:
        """Return every simple command, in order; pipelines and lists are taken apart.

        Raises:
            ProbeError: the file cannot be read, a fence is not closed, or a line cannot be split as a shell
            would.
        """
        written = self._read()
        return tuple(
            command for line, text in _code(written, self.path.name) for command in self._split(line, text)
        )

    def mistakes(self, title: str = "") -> list[Mistake]:
        """Return every command that is unknown, has wrong flags or arguments, or is careless.

        With a `title` only those of that section: it needs no other tools than its own.

        Raises:
            ProbeError: the binary of a tool is not declared or does not answer, or there is no such section.
        """
        commands = self.section(title) if title else self.commands
        return [Mistake(one.ref, why) for one in commands for why in self._judge(one)]

    def section(self, title: str) -> tuple[Command, ...]:
        """Return the commands below the heading `## title`, up to the next heading of that level.

        Raises:
            ProbeError: there is no such section, or more than one, or the file cannot be read.
        """
        ref = re.compile(rf"{re.escape(title)}(?!\w)")
        found = [commands for head, commands in self.sections() if ref.match(head)]
        if len(found) != 1:
            raise ProbeError(f"{self.path.name}: has {len(found)} sections {title!r}", "write one")
        return found[0]

    def sections(self) -> list[tuple[str, tuple[Command, ...]]]:
        """Return the commands below each heading `## title`, in order; first those before any, titled "".

        Raises:
            ProbeError: the file cannot be read.
        """
        rows = ["", *self._read().splitlines()]
        heads = [number for number, row in enumerate(rows) if row.startswith("## ")]
        spans = pairwise([0, *heads, len(rows)])
        return [(rows[head].removeprefix("## ").strip(), self._between(head, end)) for head, end in spans]

    def _between(self, head: int, end: int) -> tuple[Command, ...]:
        return tuple(one for one in self.commands if head < one.line < end)

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
            if len(raw) > LARGEST:
                raise ProbeError(f"{self.path.name}: larger than {LARGEST} bytes", "is this the runbook?")
            return raw.decode("utf-8-sig")
        except OSError as error:
            raise ProbeError(
                f"{self.path.name}: cannot be read: {error.strerror}", "set runbook under [paths]"
            ) from error
        except UnicodeDecodeError as error:
            raise ProbeError(f"{self.path.name}: is not UTF-8", "save it as UTF-8") from error

    def _split(self, line: int, text: str) -> Iterator[Command]:
        ref = f"File {self.path.name}:{line}"
        lexer = shlex.shlex(re.sub(r"\d?>&\d", "", text), posix=True, punctuation_chars=";&|()")
        lexer.whitespace_split = True
        try:
            tokens = list(lexer)
        except ValueError as error:
            raise ProbeError(
                f"{self.path.name}:{line}: cannot be split into words ({error})", "close the quotes"
            ) from error
        words: list[str] = []
        for token in [*tokens, ";"]:
            if not SEPARATORS.fullmatch(token):
                words.append(token)
                continue
            simple, stdin, stdout = _redirected(_without_assignments(words))
            words = []
            if simple:
                yield Command(ref, tuple(simple), stdin, stdout)

    def _judge(self, command: Command) -> Iterator[str]:
        said = (*command.words, command.stdin, command.stdout)
        untyped = [word for word in said if UNTYPED.search(PLACEHOLDER.sub("", word))]
        if untyped:
            yield f"{' '.join(untyped)}: a placeholder is written <LIKE_THIS>"
        if any("$(" in word or "`" in word or word.endswith("$") for word in command.words):
            yield "a command inside of a command: write it as a line of its own"
        if command.tool in COBRA_TOOLS:
            yield from self._judge_tool(command)
        elif command.tool in HELP_TOOLS:
            yield from self._judge_by_help(command)
        elif command.tool in PAGED_TOOLS:
            yield from help_pages.help_mistakes(command.tool, self._binary(command.tool), command.words[1:])
        elif command.tool not in SHELL_WORDS:
            yield f"{command.tool}: no pinned binary says whether this is right"

    def _judge_tool(self, command: Command) -> Iterator[str]:
        call = self.call(command)
        yield from call.mistakes
        if command.tool == "talosctl" and not call.mistakes:
            yield from _careless(" ".join(call.path), call.arguments, call.flags)

    def _judge_by_help(self, command: Command) -> Iterator[str]:
        binary = self._binary(command.tool)
        known = set(re.findall(r"[\w-]+", _printed(binary, *HELP_TOOLS[command.tool])))
        if command.tool == "rclone":
            known |= set(re.findall(r"[\w-]+", _printed(binary, "help", "flags")))
            if len(command.words) < 2 or command.words[1] not in known:
                yield f"{' '.join(command.words[:2])}: rclone has no such command"
            known |= set(re.findall(r"[\w-]+", _printed(binary, *command.words[1:2], "--help")))
        for word in command.words[1:]:
            if word.startswith("-") and word.partition("=")[0] not in known:
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
    if path == "service" and arguments and not PLACEHOLDER.fullmatch(arguments[0]):
        yield from _service(arguments)


def _service(arguments: tuple[str, ...]) -> Iterator[str]:
    name, action = arguments[0], arguments[1] if len(arguments) > 1 else "status"
    if name not in TALOS_SERVICES and not name.startswith("ext-"):
        yield f"talosctl service {name}: Talos has no such service; the control plane's parts are static pods"
    elif action != "status" and name != "kubelet" and not name.startswith("ext-"):
        yield f"talosctl service {name} {action}: Talos refuses that for {name}"


def _without_assignments(words: list[str]) -> list[str]:
    start = next((n for n, word in enumerate(words) if not ASSIGNMENT.fullmatch(word)), len(words))
    return words[start:]


def _redirected(words: list[str]) -> tuple[list[str], str, str]:
    """Return the words without redirections, the file that standard input comes from, that output goes to."""
    kept: list[str] = []
    files = {"<": "", ">": ""}
    sign = ""
    for word in words:
        if sign:
            files[sign], sign = word, ""
        elif REDIRECT.fullmatch(word):
            sign = "<" if word.endswith("<") else ">" if word[0] == ">" else "2>"
        elif (glued := re.match(r"(\d?)>+(.*)", word)) or (word[0:1] == "<" and not UNTYPED.match(word)):
            files["<" if not glued else "2>" if glued[1] else ">"] = glued[2] if glued else word[1:]
        else:
            kept.append(word)
    return kept, files["<"], files[">"]


def _code(written: str, name: str) -> Iterator[tuple[int, str]]:
    """Return (line, command line) of every shell fence and every inline command.

    Continued lines are joined.
    """
    fence, shell, pending, start = "", False, "", 0
    for number, line in enumerate(written.splitlines(), 1):
        opened = re.match(r"\s*(`{3,}|~{3,})\s*([\w-]*)", line)
        if opened and not fence:
            fence, shell = opened.group(1), opened.group(2).lower() in SHELL_FENCES
        elif fence and re.fullmatch(rf"\s*{re.escape(fence[0])}{{{len(fence)},}}\s*", line):
            fence = ""
        elif fence and shell:
            start, pending = (start if pending else number), f"{pending}{line.strip().removeprefix('$ ')}"
            if pending.endswith("\\"):
                pending = pending[:-1] + " "
                continue
            yield start, pending
            pending = ""
        elif not fence:
            yield from ((number, span) for span in _inline(line))
    if fence:
        raise ProbeError(f"{name}: a fence is not closed", "close it, or half of the page reads as commands")


def _inline(line: str) -> list[str]:
    tools = "|".join((*COBRA_TOOLS, "argocd"))
    return [found.group(1) for found in re.finditer(rf"`((?:{tools})\s[^`]+)`", line)]
