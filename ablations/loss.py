"""Euclidean or cosine embedding loss, with which clustering?  (Chen et al. 2019, section 2; De Brabandere et al. 2017)

Expected: the cosine loss is better, and with local constraints best; the discriminative loss pushes all objects apart.
Run:      mlflow run . -e ablate_loss
"""

from study.ablation.design import Ablation

ABLATION = Ablation(
    name="loss",
    question="Euclidean or cosine embedding loss, with which clustering?",
    system="unet",
    varied={
        "loss.constraints": ["local", "global"],
        "clustering.method": ["angular", "mutex-watershed", "mean-shift"],
    },
    control={"loss.constraints": "local", "clustering.method": "angular"},
    # embeddings of any length have no angles to go by
    extra_variants=[
        {"system": "discriminative", "clustering.method": method} for method in ("mutex-watershed", "mean-shift")
    ],
    pictures={
        "embeddings": [
            {"loss.constraints": "local", "clustering.method": "mean-shift"},
            {"loss.constraints": "global", "clustering.method": "mean-shift"},
            {"system": "discriminative", "clustering.method": "mean-shift"},
        ]
    },
)
