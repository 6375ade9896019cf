"""What do cross correlation and embedding pyramid add to self correlation?  (Huang et al. 2022, Table 5)

Expected: both add to it, the cross correlation a little more, and both together most.
Run:      mlflow run . -e ablate_pea_modules
"""

from study.ablation.design import Ablation

ABLATION = Ablation(
    name="pea_modules",
    question="What do cross correlation and embedding pyramid add to self correlation?",
    system="pea",
    varied={"loss.cross_weight": [0.0, 1.0], "loss.pyramid_weight": [0.0, 1.0]},  # in the order of the table
    control={"loss.cross_weight": 1.0, "loss.pyramid_weight": 1.0},
)
