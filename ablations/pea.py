"""Are affinities better learned through an embedding?  (Huang et al. 2022, Table 2)

Expected: pixel-embedded affinity before the discriminative loss on the same backbone, there the mutex watershed before
          mean shift, and affinities that a network predicts directly last.
Run:      mlflow run . -e compare_pea -P dataset=cvppp2017 -P data_root=/data/CVPPP2017
"""

from study.ablation.design import Ablation

ABLATION = Ablation(
    name="pea",
    question="Are affinities better learned through an embedding?",
    system="pea",
    varied={"system": ["pea", "affinity-learning"]},
    control={"system": "pea"},
    extra_variants=[
        {"system": "ml-de", "clustering.method": method} for method in ("affinity-watershed", "mean-shift")
    ],
    entry_point="compare_pea",
)
