"""All questions, from their files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ablations import find_ablations
from ablations._listed import ListedQuestion, listed_questions
from listings.tables import anchor_of_setting, code, table
from reports.build.choosing import pages_of_launches
from study.ablation.design import Ablation
from study.config import in_words


def questions() -> str:
    """A section for each question, in the order in which `ablate --help` lists them."""
    listed, shown = listed_questions(), pages_of_launches()
    return "\n\n".join(_section(listed[name], ablation, shown) for name, ablation in find_ablations().items())


def _section(listed: ListedQuestion, ablation: Ablation, shown: Mapping[str, tuple[str, ...]]) -> str:
    question, source = _line(listed)
    told = _paragraphs(listed)
    parts = [f"(question-{_anchor(ablation.name)})=\n## `{ablation.name}`: {question}", source]
    if expected := told.pop("Expected", ""):
        parts.append(f"**Expected:** {expected}")
    parts.append(f"```\n{told.pop('Run')}\n```")
    parts.append(table(["", "settings", "values"], _rows(ablation)))
    parts.append(_cost(listed))
    parts.append(_figure(ablation, [page for page, names in shown.items() if ablation.name in names]))
    parts += told.values()
    if ablation.claims:
        parts.append("**Claims:**\n\n" + "\n".join(_claim(claim) for claim in ablation.claims))
    return "\n\n".join(parts)


def _anchor(name: str) -> str:
    return name.replace("_", "-")


def _line(listed: ListedQuestion) -> tuple[str, str]:
    """The question, and the texts that it is from."""
    question, mark, source = listed.line.partition("?")
    return f"{question}{mark}", source.strip().strip("()")


def _paragraphs(listed: ListedQuestion) -> dict[str, str]:
    """What the docstring of a question says below its first line, by the word before a colon, or by its number."""
    found: dict[str, str] = {}
    word = ""
    for line in listed.about.splitlines()[1:]:
        begins, colon, rest = line.partition(":")
        if colon and begins in ("Expected", "Run"):
            word, line = begins, rest
        elif not line.strip():
            word = str(len(found))
        found[word] = " ".join(filter(None, [found.get(word, ""), line.strip()]))
    return {word: text for word, text in found.items() if text}


def _rows(ablation: Ablation) -> list[list[str]]:
    rows = [["varied", _link(name), _values(values)] for name, values in ablation.varied.items()]
    rows += [[f"with {_values(values)}", *_pairs(dict(along))] for along, values in _coming_along(ablation).items()]
    rows += [["and", *_pairs(variant)] for variant in ablation.extra_variants]
    rows.append(["control", *_pairs(ablation.control)])
    for words, settings in (("fixed", ablation.fixed), ("by default", ablation.defaults)):
        rows += [[words, _link(name), _values([value])] for name, value in settings.items()]
    return rows


def _coming_along(ablation: Ablation) -> dict[tuple[tuple[str, Any], ...], list[Any]]:
    """Settings that depend on varied values -> the values that they come along with."""
    found: dict[tuple[tuple[str, Any], ...], list[Any]] = {}
    for (_, value), along in ablation.dependent_settings.items():
        found.setdefault(tuple(along.items()), []).append(value)
    return found


def _pairs(settings: Mapping[str, Any]) -> tuple[str, str]:
    return ", ".join(map(_link, settings)), ", ".join(code(in_words(value)) for value in settings.values())


def _values(values: list[Any]) -> str:
    return ", ".join(code(in_words(value)) for value in values)


def _link(name: str) -> str:
    return code(name) if name == "system" else f"[`{name}`](settings.md#{anchor_of_setting(name)})"


def _cost(listed: ListedQuestion) -> str:
    runs, trainings = len(listed.variants()), listed.trainings()
    shared = "" if runs == trainings else ", since runs that differ in their clustering alone share one"
    return f"**Cost:** {runs} runs of {trainings} training{'s' * (trainings > 1)} for each seed{shared}."


def _figure(ablation: Ablation, pages: list[str]) -> str:
    figure = f"scores along {_link(ablation.axis)}" if ablation.axis else "scores, a row for each variant"
    pictures = "".join(f"; embeddings side by side, `{name}`" for name in ablation.pictures)
    printed = ", with the values that the paper prints" if ablation.printed else ""
    reports = " and ".join(map(code, pages or ["compare"]))
    return f"**Figure:** {figure}{printed}{pictures}. **Reports:** {reports}."


def _claim(claim: Any) -> str:
    printed = f", printed {claim.printed}" if claim.printed else ""
    return f"- {claim.statement} *{claim.paper}, {claim.place}{printed}.*"
