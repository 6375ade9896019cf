"""The questions as a user reads of them, without what answers them: torch and MLflow take seconds to import.

The file of a question is executed with a record in place of `Ablation`, so that only what the file itself imports is.
"""

from __future__ import annotations

import ast
import itertools
import pkgutil
import re
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ablations
from study.config import in_words

_JOINT = "\N{NO-BREAK SPACE}"  # where a line is not broken
_ANSWERING = "study.ablation"  # what is not imported: `Ablation` comes from there


@dataclass(frozen=True)
class ListedQuestion:
    """What a file says of its question; the fields are those of `study.ablation.design.Ablation`."""

    name: str
    question: str
    varied: dict[str, list[Any]]
    control: dict[str, Any]
    system: str = "wnet"
    extra_variants: list[dict[str, Any]] = field(default_factory=list)
    dependent_settings: dict[tuple[str, Any], dict[str, Any]] = field(default_factory=dict)
    fixed: dict[str, Any] = field(default_factory=dict)
    defaults: dict[str, Any] = field(default_factory=dict)
    order_in_all: int | None = None
    about: str = ""  # the docstring of its file

    @property
    def line(self) -> str:
        """The question, and the text that it is from."""
        return " ".join(self.about.partition("\n")[0].split()) or self.question

    def variants(self) -> list[dict[str, Any]]:
        """As `Ablation.variants`."""
        combined = [dict(zip(self.varied, values, strict=True)) for values in itertools.product(*self.varied.values())]
        return combined + self.extra_variants

    def trainings(self) -> int:
        """Trainings of all variants with one seed: those that differ in their clustering alone share one."""
        trained = []
        for variant in self.variants():
            along = [self.dependent_settings.get(pair, {}) for pair in variant.items()]
            settings = {name: value for given in (*along, variant) for name, value in given.items()}
            own = {name: value for name, value in settings.items() if not name.startswith("clustering.")}
            if own not in trained:
                trained.append(own)
        return len(trained)

    def help(self) -> str:
        """The page of `--help`: the question, what is varied, the control, and the cost; see `wrapped`."""
        runs, trainings = len(self.variants()), self.trainings()
        lines = [f"{name}: {', '.join(map(in_words, values))}" for name, values in self.varied.items()]
        lines += [f"and {_settings_in_words(variant)}" for variant in self.extra_variants]
        about = re.sub(r"(?<!\n)\n(?!\n|\w+:)", " ", self.about.strip())  # what goes on in a further line
        parts = [about or self.question, _paragraph("Varied:", lines)]
        parts.append(_paragraph("Control, which all others are compared with:", [_settings_in_words(self.control)]))
        for words, settings in (("Fixed:", self.fixed), ("Unless options say otherwise:", self.defaults)):
            if settings:
                parts.append(_paragraph(words, [_settings_in_words(settings)]))
        cost = f"{runs} runs of {trainings} training{'s' * (trainings > 1)} for each seed"
        shared = "" if runs == trainings else "; runs that differ in their clustering alone share one"
        parts.append(
            _paragraph(
                "Cost:", [f"{cost}{shared}.", "--plan_only 1 tells about how long that takes here, and trains nothing."]
            )
        )
        return "\n\n".join(parts)


def wrapped(line: str, width: int) -> list[str]:
    """A line of `ListedQuestion.help` in lines of a terminal, below each other; a command can be copied from them."""
    head = re.match(r" *(\w+: +)?", line)[0]  # type: ignore[index]
    words = " ".join(line[len(head) :].split())
    is_command = words.startswith("mlflow run ")
    kept_together = re.sub(r"(?<= -\w) ", _JOINT, words).replace(" = ", f"{_JOINT}={_JOINT}")
    found = textwrap.wrap(
        kept_together,
        width - 2 * is_command,
        initial_indent=head,
        subsequent_indent=" " * (len(head) + 2 * head.isspace()),
        break_long_words=False,
        break_on_hyphens=False,
    )
    lines = [part.replace(_JOINT, " ") for part in found]
    return [f"{part} \\" for part in lines[:-1]] + lines[-1:] if is_command else lines


def _paragraph(words: str, lines: list[str]) -> str:
    return "\n".join([words, *(f"  {line}" for line in lines)])


def _settings_in_words(settings: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} = {in_words(value)}" for name, value in settings.items())


def listed_questions() -> dict[str, ListedQuestion]:
    """All questions by name, in the order of `ablations.find_questions`.

    A file that holds none, or none that can be read so, is left out: `find_questions` tells what is wrong with it.
    """
    found = list(_questions())
    found.sort(key=lambda one: (one.order_in_all is None, one.order_in_all or 0, one.name))
    return {one.name: one for one in found}


def _questions() -> Iterator[ListedQuestion]:
    for file in pkgutil.iter_modules(ablations.__path__):
        if file.name.startswith("_"):
            continue
        path = Path(file.module_finder.path) / f"{file.name}.py"  # type: ignore[union-attr]
        try:
            question = _asked_in(path)
        except Exception:
            continue
        if question is not None:
            yield question


def _asked_in(file: Path) -> ListedQuestion | None:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    about = ast.get_docstring(tree) or ""

    def asked(name: str, question: str, varied: dict, control: dict, **more: Any) -> ListedQuestion:
        known = {key: value for key, value in more.items() if key in ListedQuestion.__dataclass_fields__}
        return ListedQuestion(name, question, varied, control, about=about, **known)

    tree.body = [node for node in tree.body if not _is_of_answering(node)]
    namespace: dict[str, Any] = {"__file__": str(file), "__name__": file.stem, "Ablation": asked}
    exec(compile(tree, str(file), "exec"), namespace)
    found = namespace.get("ABLATION")
    return found if isinstance(found, ListedQuestion) else None


def _is_of_answering(node: ast.stmt) -> bool:
    return isinstance(node, ast.ImportFrom) and (node.module or "").startswith(_ANSWERING)
