"""Verdicts of several data sets together: the word for a claim as a whole, and how many there are of each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from study.ablation.claim import Claim
from study.ablation.verdicts import CANNOT_TELL, NOT_REPRODUCED, NOT_TESTED, REPRODUCED, Verdict, untested

WORDS = (REPRODUCED, NOT_REPRODUCED, CANNOT_TELL, NOT_TESTED)
_DROPPED = "[what is dropped, and why](protocol.md#what-is-dropped-and-why)"


@dataclass(frozen=True)
class Judged:
    """A claim with what was found of it.

    Attributes
    ----------
    claim : Claim
    verdicts : dict
        Data set -> its verdicts, one for each score, the first score first.
    real : frozenset of str
        The data sets that are of real images.
    """

    claim: Claim
    verdicts: dict[str, list[Verdict]]
    real: frozenset[str]

    @property
    def word(self) -> str:
        """The verdict on real images by the first score, see `word_of`."""
        return word_of(found[0].word for data, found in self.verdicts.items() if data in self.real)


def word_of(words: Iterable[str]) -> str:
    """The verdict of several data sets, by the rule that a verdict has for the comparisons of a claim."""
    tested = [word for word in words if word != NOT_TESTED]
    if not tested:
        return NOT_TESTED
    if NOT_REPRODUCED in tested:
        return NOT_REPRODUCED
    return REPRODUCED if set(tested) == {REPRODUCED} else CANNOT_TELL


def judged_claims(
    claims: Sequence[Claim], verdicts: Mapping[str, Sequence[Verdict]], real: Iterable[str]
) -> list[Judged]:
    """All claims in the order of the papers, each with the verdicts of the data sets that it was judged on.

    Parameters
    ----------
    claims : sequence of Claim
    verdicts : mapping
        Data set -> verdicts.
    real : iterable of str
        The data sets of real images.
    """
    judged = []
    for claim in claims:
        by_data = {data: [v for v in found if v.claim.key == claim.key] for data, found in verdicts.items()}
        tested = {data: found for data, found in by_data.items() if found}
        judged.append(Judged(claim, tested, frozenset(real)))
    return judged


def counts(judged: Sequence[Judged], data: str = "") -> Counter[str]:
    """How many claims there are of each word: on a data set by the first score, or on real images together."""
    if not data:
        return Counter(one.word for one in judged)
    return Counter(one.verdicts[data][0].word if data in one.verdicts else NOT_TESTED for one in judged)


def reasons(judged: Judged, asked: Collection[str]) -> list[str]:
    """Why a claim is tested on no data set; empty where it is on some. `asked` are the questions of the study."""
    found = [verdict for verdicts in judged.verdicts.values() for verdict in verdicts]
    if any(verdict.word != NOT_TESTED for verdict in found):
        return []
    given = [verdict.reason for verdict in found or [untested(judged.claim, judged.claim.note)] if verdict.reason]
    if given:
        return list(dict.fromkeys(given))
    question = judged.claim.question
    return [f"no launch of {question} yet" if question in asked else f"{question} is not asked: {_DROPPED}"]
