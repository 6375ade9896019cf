"""All settings with their defaults, ranges, and the comments beside their definitions."""

from __future__ import annotations

import ast
import inspect
import io
import tokenize
from collections.abc import Iterator
from dataclasses import Field
from functools import cache

from listings.tables import anchor_of_setting, code, table
from study.components import GROUPS
from study.config import fields_of, in_words
from study.data.settings import Data
from study.settings import Settings, Training, Tuning

_SINGLE = {"data": Data, "training": Training, "tuning": Tuning}
_HEADER = ["setting", "default", "values", "meaning"]


def settings() -> str:
    """A section for each group of settings."""
    sections = [_single(group, _SINGLE[group]) if group in _SINGLE else _chosen(group) for group in _groups()]
    return "\n\n".join([*sections, _seed()])


def _groups() -> list[str]:
    return [name for name in fields_of(Settings) if name in _SINGLE or name in GROUPS]


def _single(group: str, component: type) -> str:
    rows = [_row(f"{group}.{name}", spec, component) for name, spec in fields_of(component).items()]
    return "\n\n".join([f"## `{group}`", inspect.getdoc(component) or "", table(_HEADER, rows)])


def _seed() -> str:
    row = _row("seed", fields_of(Settings)["seed"], Settings)
    return "\n\n".join(["## `seed`", "What a launch takes from `seeds`, one for each run.", table(_HEADER, [row])])


def _chosen(group: str) -> str:
    """The settings of all components of a group; the same setting of several of them is one row."""
    registry, chooser = GROUPS[group]
    owners: dict[tuple[str, ...], list[str]] = {}
    for key, component in registry.items():
        for name, spec in fields_of(component).items():
            owners.setdefault(tuple(_row(f"{group}.{name}", spec, component)), []).append(key)
    rows, seen = [], set()
    for (name, *others), keys in owners.items():
        plain = name.partition("]")[0].strip("[") if name in seen else name  # an anchor stands on a page once
        seen.add(name)
        *others, meaning = others
        whose = [] if len(keys) == len(registry) else [f"of {', '.join(map(code, keys))}"]
        rows.append([plain, *others, "; ".join(filter(None, [meaning, *whose]))])
    chosen = "\n".join(f"- `{key}`: {_first_line(component)}" for key, component in registry.items())
    name = f"{group}.{chooser}"
    words = f"[`{name}`]{{#{anchor_of_setting(name)}}} chooses one of these:"
    return "\n\n".join([f"## `{group}`", words, chosen, table(_HEADER, rows)])


def _first_line(component: type) -> str:
    return (inspect.getdoc(component) or "").partition("\n")[0].rstrip(".")


def _row(name: str, spec: Field, component: type) -> list[str]:
    anchor = f"[`{name}`]{{#{anchor_of_setting(name)}}}"
    return [
        anchor,
        code(in_words(spec.default)) if spec.default != "" else "empty",
        _values(spec),
        _meaning(spec, component),
    ]


def _values(spec: Field) -> str:
    """What a setting may be, and where a search of thresholds looks."""
    meta = spec.metadata
    low, high, also = meta.get("low"), meta.get("high"), "".join(f" or `{word}`" for word in meta.get("also", ()))
    if meta.get("choices"):
        return ", ".join(code(in_words(value)) for value in meta["choices"])
    if isinstance(spec.default, bool):
        return "`true`, `false`"
    if low is None and high is None:
        return "a text"
    words = f"from {low:g}{also}" if high is None else f"{low:g} to {high:g}{also}"
    if meta.get("search"):
        words += "; searched from {:g} to {:g}".format(*meta["search"])
    return words


def _meaning(spec: Field, component: type) -> str:
    comment = next((said[spec.name] for said in map(_comments, component.__mro__) if spec.name in said), "")
    label = spec.metadata.get("label", "")
    needs = spec.metadata.get("needs", "")
    only = "" if not needs else f"only {'of' if needs in ('images', 'volumes') else 'with the head'} {needs}"
    return "; ".join(filter(None, [comment or label, only]))


@cache
def _comments(component: type) -> dict[str, str]:
    """The comments beside the fields that a class defines itself, or above them, by the field's name."""
    if component.__module__ == "builtins":
        return {}
    source = inspect.getsource(component)
    said = dict(_comments_by_line(source))
    alone = {line for line in said if source.splitlines()[line - 1].lstrip().startswith("#")}
    found = {}
    for node in ast.parse(source).body[0].body:  # type: ignore[attr-defined]
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            above = node.lineno
            while above - 1 in alone:
                above -= 1
            lines = [line for line in range(above, (node.end_lineno or node.lineno) + 1) if line in said]
            found[node.target.id] = " ".join(said[line] for line in lines)
    return found


def _comments_by_line(source: str) -> Iterator[tuple[int, str]]:
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string.lstrip("# ")
