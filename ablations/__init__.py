"""The questions: one file each, found by being there."""

from __future__ import annotations

import pkgutil
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from study.errors import StudyError, unknown_name

if TYPE_CHECKING:  # with these come torch and MLflow, which the command imports once it has something to do
    from study.ablation.claim import Claim
    from study.ablation.design import Ablation

ALL = "all"  # what a user types for the questions that have a place in it
WORDS_OF_ALL = "the questions of the W-Net paper, in its order; what several of them need is trained once"


def find_questions() -> dict[str, ModuleType]:
    """The files of all questions by the names of their ablations: first those of `all`, then the others by name.

    Raises StudyError if a file of the folder holds no ablation, or two of them have the same name.
    """
    from study.ablation.design import Ablation

    questions: dict[str, ModuleType] = {}
    for file in pkgutil.iter_modules(__path__):
        if file.name.startswith("_"):
            continue
        module = import_module(f"{__name__}.{file.name}")
        ablation = getattr(module, "ABLATION", None)
        if not isinstance(ablation, Ablation):
            raise StudyError(f"{module.__file__} has no ABLATION = Ablation(...): add it, or move the file elsewhere")
        if ablation.name in (ALL, *questions):
            raise StudyError(f"{module.__file__}: another question is called {ablation.name!r}: choose another name")
        questions[ablation.name] = module
    places = {name: module.ABLATION.order_in_all for name, module in questions.items()}
    return {name: questions[name] for name in sorted(questions, key=lambda n: (places[n] is None, places[n] or 0, n))}


def all_claims() -> tuple[Claim, ...]:
    """What the papers claim, `claims.csv`: also what no question here can test."""
    from study.ablation.claim import read_claims

    return read_claims(Path(__file__).parent / "claims.csv")


def find_ablations() -> dict[str, Ablation]:
    """All ablations by name, in the order of `find_questions`, each with the claims that it tests."""
    claims: dict[str, list[Claim]] = {}
    for claim in all_claims():
        claims.setdefault(claim.question, []).append(claim)
    return {
        name: replace(module.ABLATION, claims=tuple(claims.get(name, ()))) for name, module in find_questions().items()
    }


def asked_by(name: str) -> list[Ablation]:
    """The ablations that a user asks for by a name: the one of that name, or those that have a place in `all`."""
    known = find_ablations()
    if name == ALL:
        return [ablation for ablation in known.values() if ablation.order_in_all is not None]
    if name not in known:
        raise unknown_name("ablation", name, [*known, ALL])
    return [known[name]]
