"""What the description of a run says was found."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from study.evaluation import in_words
from study.metrics import headline
from study.runs.gallery import ranked


def description(table: pd.DataFrame, thresholds: Mapping[str, str], note: str) -> str:
    """Scores of test images, found thresholds, and the worst and the best image, above what else there is to say.

    The page of a run lists metrics by name, where a score is not seen at first sight.
    """
    parts = [f"**{in_words(table, 'test')}**"]
    if thresholds:
        found = ", ".join(f"{name.removeprefix('clustering.')} {value}" for name, value in thresholds.items())
        parts.append(f"Thresholds found on validation images: {found}.")
    order, score = ranked(table), headline(table)
    if len(order) > 1:
        ends = zip(("Worst", "best"), order[["image", score.key]].iloc[[0, -1]].to_numpy(), strict=True)
        parts.append("; ".join(f"{end}: {image}, {score.label} {value:{score.form}}" for end, (image, value) in ends))
    return "\n\n".join([*parts, note])
