"""The registry of scores: what each is called, how it is written, and which direction is better.

Tables, figures, pages, the view of MLflow and the objectives of a search read all of this from here. Columns that are
derived from a score by name, such as ``sbd_paper_thresholds`` and ``sbd_diff``, are described by `score_of` too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from study.metrics.contingency import Contingency

TRUE, LEGACY, OTHER, ERRORS, COST = "true SBD", "legacy score", "other scores", "errors, 0 is best", "cost"  # groups
PAPER_THRESHOLDS = "_paper_thresholds"  # ending of a column: the score with the paper's thresholds
DIFFERENCE, P_ADJUSTED = "_diff", "_diff_p_adjusted"  # endings: difference to the control, and its adjusted p value


@dataclass(frozen=True)
class Score:
    """A column of scores.

    Attributes
    ----------
    key : str
        Name of the column in tables.
    label : str
        The one word for it in tables, figures and messages.
    name : str
        What it is, for captions.
    higher_is_better : bool or None
        None where neither direction is.
    form : str
        Format of a value, as after the colon of an f-string.
    group : str
        Title above neighbouring columns. A legacy score never stands in a group with a true one.
    bounds : tuple of two floats or None
        The smallest and the largest possible value; None where there is none.
    summary : bool
        Whether the answer of an ablation, its description, the MLflow page and the cards of runs show the score;
        others are kept per image, and stand on pages that name them.
    drawn : bool
        Whether figures of the variants have a panel for it.
    """

    key: str
    label: str
    name: str
    higher_is_better: bool | None = True
    form: str = ".3f"
    group: str = OTHER
    bounds: tuple[float | None, float | None] = (0, 1)
    summary: bool = True
    drawn: bool = False

    @property
    def sign(self) -> int:
        """What turns a value into one of which more is better: 1 or -1."""
        return -1 if self.higher_is_better is False else 1

    @property
    def with_paper_thresholds(self) -> bool:
        """Whether it is derived from another one: of labels by the paper's thresholds."""
        return self.key.endswith(PAPER_THRESHOLDS)


@dataclass(frozen=True)
class Metric:
    """A function and the scores that it computes.

    Attributes
    ----------
    scores : sequence of Score
    compute : callable, optional
        Contingency table of an image or volume -> the values of `scores`, in their order. Without it the values come
        from elsewhere, such as the embedding.
    kinds : tuple of str
        Keys of `KINDS`: the data that it is computed of.
    """

    scores: Sequence[Score]
    compute: Callable[[Contingency], Iterable[float]] | None = None
    kinds: tuple[str, ...] = ("images",)


class Kind(NamedTuple):
    """A kind of data.

    Attributes
    ----------
    headline : str
        Key of the score by which variants are compared.
    item : str
        What a row of a table of scores is about.
    parts : int
        How many of these a picture or volume has at most.
    """

    headline: str
    item: str
    parts: int


KINDS = {"images": Kind("sbd", "image", 1), "volumes": Kind("arand", "sub-volume", 4)}
METRICS: list[Metric] = []  # in the order of the columns of tables


def register(*metrics: Metric) -> None:
    """Add metrics, behind those that are there.

    Raises
    ------
    ValueError
        If a key or label is taken.
    """
    for metric in metrics:
        known = {taken for score in all_scores() for taken in (score.key, score.label)}
        if twice := [score.key for score in metric.scores if known & {score.key, score.label}]:
            raise ValueError(f"scores are registered already, or have the label of another: {', '.join(twice)}")
        METRICS.append(metric)


def all_scores() -> list[Score]:
    """All registered scores in the order of columns."""
    return [score for metric in METRICS for score in metric.scores]


def values_of(table: Contingency, kind: str) -> dict[str, float]:
    """All scores of a kind of data that are computed from a contingency table, by key."""
    computed = [metric for metric in METRICS if metric.compute is not None and kind in metric.kinds]
    return {
        score.key: float(value)
        for metric in computed
        if metric.compute
        for score, value in zip(metric.scores, metric.compute(table), strict=True)
    }


def objectives(kind: str) -> dict[str, Score]:
    """The scores by which thresholds may be searched on a kind of data: computed ones that have a direction."""
    computed = [score for metric in METRICS if metric.compute and kind in metric.kinds for score in metric.scores]
    return {
        score.key: score
        for score in computed
        if score.summary and score.higher_is_better is not None and score.group != LEGACY
    }


def kind_of(names: Iterable[str], prefix: str = "") -> Kind:
    """The kind of data that a table of scores, or a mapping of metrics, is about.

    Parameters
    ----------
    names : iterable of str
        Columns; a DataFrame or a dictionary will do.
    prefix : str
        What stands before the keys, such as ``val/``.

    Returns
    -------
    Kind
        The first whose headline score is among them; images where there is none.
    """
    there = set(names)
    return next((kind for kind in KINDS.values() if f"{prefix}{kind.headline}" in there), KINDS["images"])


def headline(names: Iterable[str], prefix: str = "") -> Score:
    """The score by which variants are compared; for the parameters see `kind_of`."""
    return score_of(kind_of(names, prefix).headline)


def summary_scores(names: Iterable[str], prefix: str = "") -> list[Score]:
    """The scores among some columns that summaries show, each followed by that with the paper's thresholds.

    The headline score comes first; for the parameters see `kind_of`.
    """
    there = set(names)
    first = headline(there, prefix).key
    shown = sorted((score for score in all_scores() if score.summary), key=lambda score: score.key != first)
    pairs = [(score, score_of(f"{score.key}{PAPER_THRESHOLDS}")) for score in shown]
    return [score for pair in pairs for score in pair if f"{prefix}{score.key}" in there]


def drawn_scores(names: Iterable[str]) -> list[Score]:
    """The scores among some columns that figures of the variants show, the headline score first."""
    return [score for score in summary_scores(names) if score.drawn and not score.with_paper_thresholds]


def score_of(column: str) -> Score:
    """What a column is: a registered score, or one that is derived from it by the end of its name.

    Raises
    ------
    KeyError
        If it is neither.
    """
    known = {score.key: score for score in all_scores()}
    if column in known:
        return known[column]
    for ending, derive in _DERIVED.items():
        if column.endswith(ending):
            return replace(derive(score_of(column.removesuffix(ending))), key=column, drawn=False)
    raise KeyError(f"{column} is no score: register it in a module of study.metrics")


def described(scores: Iterable[Score]) -> str:
    """The labels of some scores with what they mean, for captions: ``SBD: symmetric best Dice; …``."""
    return "; ".join(f"{score.label}: {score.name}" for score in scores if score.name)


def _with_paper_thresholds(score: Score) -> Score:
    return replace(score, label=f"{score.label}, paper's thresholds", name="")


def _difference(score: Score) -> Score:
    label = score.label.replace(_base(score).label, "difference to the control", 1)
    return replace(score, label=label, name="", form=f"+{score.form.lstrip('+')}", bounds=(None, None), summary=False)


def _adjusted_p(score: Score) -> Score:
    label = score.label.replace(_base(score).label, "adjusted p", 1)
    return replace(score, label=label, name="", form=".3f", bounds=(0, 1), higher_is_better=None, summary=False)


def _base(score: Score) -> Score:
    return score_of(score.key.removesuffix(PAPER_THRESHOLDS))


# the ending of a column -> the score of the beginning -> what the column is
_DERIVED: Mapping[str, Callable[[Score], Score]] = {
    P_ADJUSTED: _adjusted_p,
    DIFFERENCE: _difference,
    PAPER_THRESHOLDS: _with_paper_thresholds,
}
