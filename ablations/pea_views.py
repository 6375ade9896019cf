"""In what must the two views of the cross correlation differ?  (Huang et al. 2022, Table 6)

Expected: flips and turns matter most, then holes, then light; all three together are best.
Run:      mlflow run . -e ablate_pea_views
"""

from typing import Any

from study.ablation.design import Ablation

_VIEWS = ("loss.view_turns", "loss.view_cutout", "loss.view_intensity")  # in the order of the table
_ALL: dict[str, Any] = dict.fromkeys(_VIEWS, True)

ABLATION = Ablation(
    name="pea_views",
    question="In what must the two views of the cross correlation differ?",
    system="pea",
    varied={view: [True] for view in _VIEWS},
    control=_ALL,
    extra_variants=[_ALL | {view: False} for view in _VIEWS],
)
