"""Are neurons in volumes better told apart by an embedding than by affinities?  (Huang et al. 2022, Table 4)

Expected: pixel-embedded affinity before affinities that a network predicts directly, and both before the connected
          components of the mean affinity to neighbours.
Run:      mlflow run . -e compare_em -P dataset=volume -P data_root=/data/ac3ac4
"""

from study.ablation import Ablation

ABLATION = Ablation(
    name="em",
    question="Are neurons in volumes better told apart by an embedding than by affinities?",
    system="pea",
    varied={"system": ["pea", "affinity-learning"]},
    control={"system": "pea"},
    extra_variants=[{"system": "pea", "clustering.method": "components-watershed"}],
    entry_point="compare_em",
    defaults={"data.name": "neurites"},
)
