"""Does a part that is new do better than the one that it replaces?

Expected: no; these are examples of how a part is written, not of how one is chosen.
Run:      mlflow run . -e ablate_toys
"""

from study.ablation.design import Ablation

ABLATION = Ablation(
    name="toys",
    question="Does a part that is new do better than the one that it replaces?",
    varied={"network.name": ["unet", "dilated"]},
    control={"network.name": "unet"},
    # the control with one other part each
    extra_variants=[
        {"network.name": "unet", "loss.name": "margin"},
        {"network.name": "unet", "clustering.method": "nearest-seed"},
    ],
    system="unet",
    defaults={"data.name": "discs"},
)
