"""Values of HCL expressions, as far as files alone decide them.

Everything else stays `Unresolved` and says so.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Protocol, cast

from assay.formats.resource import Unresolved, Value


class HclNode(Protocol):
    """A node of the syntax tree: the grammar's rule name and the children, nodes or tokens (text)."""

    data: str
    children: Sequence[Value]


Scope = Mapping[str, Value]
LITERALS = {"true": True, "false": False, "null": None}
ESCAPES = {"n": "\n", "t": "\t", "r": "\r", '"': '"', "\\": "\\"}


def evaluate(node: HclNode, scope: Scope) -> Value:
    """Return the value of an expression.

    Args:
        node: the expression in the syntax tree.
        scope: name -> value of what may be referred to (`var`, `local`, `each`, `count`, iterators).

    Returns:
        Text, number, boolean, None, list, mapping, or `Unresolved`.
    """
    rule = RULES.get(str(node.data))
    return rule(node, scope) if rule else Unresolved(text(node))


def text(node: Value) -> str:
    """Return the source text of a node, blanks squeezed."""
    return " ".join("".join(_tokens(node)).split())


def nodes(node: HclNode) -> list[HclNode]:
    """Return the child nodes that matter: neither tokens nor line ends."""
    return [child for child in node.children if is_node(child) and child.data != "new_line_or_comment"]


def is_node(thing: Value) -> bool:
    """Return True for a node, False for a token."""
    return hasattr(thing, "children")


def _tokens(node: Value) -> Iterator[str]:
    if not is_node(node):
        yield str(node)
        return
    for child in node.children:
        yield from _tokens(child)


def _only(node: HclNode, scope: Scope) -> Value:
    return evaluate(nodes(node)[0], scope)


def _number(node: HclNode, _scope: Scope) -> int | float:
    written = text(node)
    return int(written) if re.fullmatch(r"-?\d+", written) else float(written)


def _literal(node: HclNode, _scope: Scope) -> Value:
    return LITERALS[text(node)]


def _identifier(node: HclNode, scope: Scope) -> Value:
    name = text(node)
    return scope[name] if name in scope else Unresolved(name)


def _string(node: HclNode, scope: Scope) -> Value:
    parts = [_part(child, scope) for child in node.children if is_node(child)]
    if any(isinstance(part, Unresolved | list | dict) for part in parts):
        return Unresolved(text(node))
    return (
        parts[0]
        if len(parts) == 1 and not isinstance(parts[0], str)
        else "".join(_as_text(part) for part in parts)
    )


def _part(part: HclNode, scope: Scope) -> Value:
    child = part.children[0]
    if not is_node(child):
        return _unescape(str(child))
    return evaluate(nodes(child)[0], scope) if child.data == "interpolation" else Unresolved(text(part))


def _unescape(written: str) -> str:
    if written.startswith(("$${", "%%{")):
        return written[1:]
    return re.sub(r"\\(u[0-9a-fA-F]{4}|.)", _escape, written)


def _escape(match: re.Match[str]) -> str:
    code = match.group(1)
    return chr(int(code[1:], 16)) if code[0] == "u" and len(code) > 1 else ESCAPES.get(code, code)


def _as_text(value: Value) -> str:
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    return str(value)


def _heredoc(node: HclNode, _scope: Scope) -> Value:
    written = str(node.children[0])
    if "${" in written or "%{" in written:
        return Unresolved(written.splitlines()[0])
    return "\n".join(written.splitlines()[1:-1]) + "\n"


def _tuple(node: HclNode, scope: Scope) -> list[Value]:
    return [evaluate(child, scope) for child in nodes(node)]


def _object(node: HclNode, scope: Scope) -> Value:
    built: dict[str, Value] = {}
    for element in nodes(node):
        key_node, value_node = nodes(element)
        key = _object_key(key_node, scope)
        if isinstance(key, Unresolved) or key in built:
            return Unresolved(text(node), "a key is unknown or written twice")
        built[key] = evaluate(value_node, scope)
    return built


def _object_key(node: HclNode, scope: Scope) -> Value:
    written = text(node)
    if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_-]*", written):
        return written
    key = evaluate(nodes(node)[0], scope)
    return key if isinstance(key, Unresolved) else _as_text(key)


def _attribute_of(node: HclNode, scope: Scope) -> Value:
    subject, access = nodes(node)
    return _pick(evaluate(subject, scope), text(access).lstrip("."), node)


def _indexed(node: HclNode, scope: Scope) -> Value:
    subject, index = nodes(node)
    inner = nodes(index)
    key = evaluate(inner[0], scope) if inner else int(text(index).lstrip("."))
    return _pick(evaluate(subject, scope), key, node)


def _pick(subject: Value, key: Value, node: HclNode) -> Value:
    if isinstance(subject, Unresolved):
        return Unresolved(text(node), subject.why)
    if isinstance(subject, Mapping) and isinstance(key, str) and key in subject:
        return subject[key]
    if isinstance(subject, list) and isinstance(key, int) and -1 < key < len(subject):
        return subject[key]
    return Unresolved(text(node))


def _conditional(node: HclNode, scope: Scope) -> Value:
    condition, yes, no = nodes(node)
    decided = evaluate(condition, scope)
    if not isinstance(decided, bool):
        return Unresolved(text(node))
    return evaluate(yes if decided else no, scope)


def _unary(node: HclNode, scope: Scope) -> Value:
    value = evaluate(nodes(node)[0], scope)
    sign = str(node.children[0])
    if sign == "!" and isinstance(value, bool):
        return not value
    return -value if sign == "-" and isinstance(value, int | float) else Unresolved(text(node))


def _binary(node: HclNode, scope: Scope) -> Value:
    left_node, term = nodes(node)
    operator, right_node = nodes(term)
    left, right = evaluate(left_node, scope), evaluate(right_node, scope)
    if not known(left) or not known(right):
        return Unresolved(text(node))
    try:
        return OPERATORS[text(operator)](left, right)
    except (TypeError, ZeroDivisionError):
        return Unresolved(text(node), "the operands do not fit")


def known(value: Value) -> bool:
    """Return True if nothing inside `value` is `Unresolved`."""
    if isinstance(value, list):
        return all(known(item) for item in value)
    if isinstance(value, Mapping):
        return all(known(item) for item in value.values())
    return not isinstance(value, Unresolved)


def _call(node: HclNode, scope: Scope) -> Value:
    name, *rest = nodes(node)
    function = FUNCTIONS.get(text(name))
    arguments = _arguments(rest[0], scope) if rest else []
    if function is None or any(isinstance(value, Unresolved) for value in arguments):
        return Unresolved(text(node))
    try:
        return function(*arguments)
    except (TypeError, ValueError, AttributeError, KeyError, IndexError):
        return Unresolved(text(node), "the arguments do not fit")


def _arguments(node: HclNode, scope: Scope) -> list[Value]:
    values = [evaluate(child, scope) for child in nodes(node)]
    if not _spread(node):
        return values
    last = values.pop()
    return values + (last if isinstance(last, list) else [Unresolved(text(node))])


def _spread(node: HclNode) -> bool:
    return any(str(child) == "..." for child in node.children if not is_node(child))


def _rounds(node: HclNode, scope: Scope) -> Iterator[dict[str, Value]] | None:
    """Return one scope per element of a `for`, or None where the collection is not known."""
    intro = nodes(node)[0]
    *names, collection = nodes(intro)
    items = hcl_pairs(evaluate(collection, scope))
    if items is None:
        return None
    labels = [text(name) for name in names]
    return ({**scope, **dict(zip(labels, item[-len(labels) :], strict=True))} for item in items)


def hcl_pairs(collection: Value) -> list[tuple[Value, Value]] | None:
    """Return (key, value) of a mapping or (index, value) of a list, in Terraform's order.

    None for anything else.
    """
    if isinstance(collection, Mapping):
        return sorted(collection.items())
    return list(enumerate(collection)) if isinstance(collection, list) else None


def _for_tuple(node: HclNode, scope: Scope) -> Value:
    rounds, body = _rounds(node, scope), nodes(node)[1]
    if rounds is None:
        return Unresolved(text(node))
    kept = [(inner, _holds(node, inner)) for inner in rounds]
    if any(isinstance(holds, Unresolved) for _, holds in kept):
        return Unresolved(text(node))
    return [evaluate(body, inner) for inner, holds in kept if holds]


def _for_object(node: HclNode, scope: Scope) -> Value:
    rounds, (key_node, value_node) = _rounds(node, scope), nodes(node)[1:3]
    if rounds is None or _spread(node):
        return Unresolved(text(node))
    built: dict[str, Value] = {}
    for inner in rounds:
        holds, key = _holds(node, inner), evaluate(key_node, inner)
        if isinstance(holds, Unresolved) or isinstance(key, Unresolved):
            return Unresolved(text(node))
        if holds:
            built[_as_text(key)] = evaluate(value_node, inner)
    return built


def _holds(node: HclNode, scope: Scope) -> Value:
    conditions = [child for child in nodes(node) if child.data == "for_cond"]
    return evaluate(nodes(conditions[0])[0], scope) if conditions else True


def _toset(values: list[Value]) -> list[Value]:
    unique = {json.dumps(value, sort_keys=True): value for value in values}
    return [unique[key] for key in sorted(unique)]


def _merge(*maps: dict[str, Value]) -> dict[str, Value]:
    return {key: value for one in maps for key, value in one.items()}


def _flatten(values: list[Value]) -> list[Value]:
    return [inner for value in values for inner in (_flatten(value) if isinstance(value, list) else [value])]


def _distinct(values: list[Value]) -> list[Value]:
    return [value for number, value in enumerate(values) if value not in values[:number]]


def _concat(*lists: list[Value]) -> list[Value]:
    if not all(isinstance(one, list) for one in lists):
        raise TypeError("concat takes lists")
    return [value for one in lists for value in one]


FUNCTIONS: dict[str, Callable[..., Value]] = {
    "concat": _concat,
    "merge": _merge,
    "flatten": _flatten,
    "distinct": _distinct,
    "toset": _toset,
    "tolist": list,
    "tomap": dict,
    "range": lambda *ends: list(range(*ends)),
    "length": len,
    "keys": sorted,
    "values": lambda m: [m[key] for key in sorted(m)],
    "tostring": _as_text,
    "tonumber": int,
    "lower": str.lower,
    "upper": str.upper,
    "compact": lambda v: [x for x in v if x],
    "split": lambda sep, s: s.split(sep),
    "join": lambda sep, v: sep.join(map(_as_text, v)),
    "sort": sorted,
    "contains": lambda values, value: value in values,
    "min": min,
    "max": max,
}
OPERATORS: dict[str, Callable[[Value, Value], Value]] = {
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    ">": lambda a, b: a > b,
    "<=": lambda a, b: a <= b,
    ">=": lambda a, b: a >= b,
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
    "%": lambda a, b: a % b,
    "&&": lambda a, b: a and b,
    "||": lambda a, b: a or b,
}
RULES: dict[str, Callable[[HclNode, Scope], Value]] = {
    "expr_term": _only,
    "int_lit": _number,
    "float_lit": _number,
    "literal_value": _literal,
    "identifier": _identifier,
    "string": _string,
    "heredoc_template": _heredoc,
    "heredoc_template_trim": _heredoc,
    "tuple": _tuple,
    "object": _object,
    "get_attr_expr_term": _attribute_of,
    "index_expr_term": _indexed,
    "conditional": _conditional,
    "unary_op": _unary,
    "binary_op": _binary,
    "function_call": _call,
    "for_tuple_expr": _for_tuple,
    "for_object_expr": _for_object,
}


def as_node(thing: Value) -> HclNode:
    """Return a tree of the parser as a Node."""
    return cast(HclNode, thing)
