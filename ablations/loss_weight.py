"""How strongly should neighbouring objects be pushed apart?  (Wu et al. 2020, section 4.5, Fig. 6b and 7)

Expected: best at 1; larger values loosen the objects; the between-instance term alone still forms clusters.
Run:      mlflow run . -e ablate_lambda
"""

from pathlib import Path

from study.ablation.design import Ablation

ABLATION = Ablation(
    name="lambda",
    question="How strongly should neighbouring objects be pushed apart?",
    varied={"network.name": ["unet", "wnet"], "loss.inter_weight": [0.5, 1.0, 10.0, 100.0, 500.0, "only"]},
    control={"network.name": "wnet", "loss.inter_weight": 1.0},
    axis="loss.inter_weight",
    printed=Path(__file__).parent / "printed" / "wnet_fig6b.csv",
    # (a) to (d) of Fig. 7
    pictures={"figure_7": [{"network.name": "wnet", "loss.inter_weight": w} for w in (0.5, 10.0, 100.0, "only")]},
    order_in_all=4,
)
