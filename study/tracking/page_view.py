"""The view in which the MLflow page opens the runs of an ablation: scores in the table, pictures above the curves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from study.metrics import Score

_SECTIONS = ("test", "val", "train", "perf")  # of the chart view, below the pictures: the first parts of metrics' names


def shared_view(
    launch: str, varied: Sequence[str], pictures: Sequence[str], step: int, scores: Sequence[Score]
) -> dict[str, Any]:
    """State of the experiment page, in a format of its own that MLflow does not document (seen in 3.17).

    Left to itself, the page puts three narrow cards in a row, writes the params of each run above its picture, and
    starts the slider at step 0.

    Parameters
    ----------
    launch : str
        Value of the tag `launch` of the runs to be shown: others may have other images and steps.
    varied : sequence of str
        Dotted names, columns of the table next to the scores.
    pictures : sequence of str
        Keys of logged pictures: a card each, with the picture of every run.
    step : int
        Where the slider of the pictures stands.
    scores : sequence of Score
        Columns of the table, the headline score first: the table is sorted by it.
    """
    # so high that a row of pictures and the slider are seen at once in a window of 1000 px
    sections = [
        {"name": "images", "columns": 1, "cardHeight": 500},
        *({"name": name, "isReordered": True} for name in _SECTIONS),
    ]
    sections.append({"name": "System metrics", "display": False})
    # scores as bars, the headline score first: left to itself, the page sorts a section by name, where `abs_dic` and
    # `ap_50` come first; in one that counts as reordered it adds all other metrics at the end
    bars = [(f"test/{score.key}", "test") for score in scores]
    return {
        "searchFilter": f"tags.launch = '{launch}'",
        "selectedColumns": [
            *(f"metrics.`test/{score.key}`" for score in scores),
            *(f"params.`{name}`" for name in (*varied, "seed")),
        ],
        # sorted by a metric, children stand in the table like their parent
        "orderByKey": f"metrics.`test/{scores[0].key}`",
        "orderByAsc": scores[0].higher_is_better is False,
        "isAccordionReordered": True,  # keeps the order of the sections
        "compareRunSections": [{"uuid": section["name"], "display": True, **section} for section in sections],
        "compareRunCharts": [
            {
                "type": "IMAGE",
                "uuid": key,
                "metricSectionId": "images",
                "imageKeys": [key],
                "step": step,
                "showRunParams": False,
                "isGenerated": True,
                "deleted": False,
            }
            for key in pictures
        ]
        + [
            {
                "type": "BAR",
                "uuid": metric,
                "metricSectionId": section,
                "metricKey": metric,
                "isGenerated": True,
                "deleted": False,
            }
            for metric, section in bars
        ],
        "runsHiddenMode": "SHOWALL",  # else runs beyond the tenth are in no chart
    }
