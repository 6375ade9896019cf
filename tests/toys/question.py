"""Do parts that are new do better than those that they replace?

Expected: no; these are examples of how a part is written, not of how one is chosen.
Run:      mlflow run . -e ablate_toys
"""

from study.ablation.design import Ablation

ABLATION = Ablation(
    name="toys",
    question="Do parts that are new do better than those that they replace?",
    varied={"clustering.method": ["angular", "nearest-seed"]},
    control={"clustering.method": "angular"},
    extra_variants=[{"clustering.method": "nearest-seed", "network.name": "dilated", "loss.name": "margin"}],
    system="unet",  # where the other settings of all variants come from
    defaults={"data.name": "discs"},  # unless the command line names another data set
)
