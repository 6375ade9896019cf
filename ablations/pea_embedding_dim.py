"""How many dimensions does an embedding need whose affinities are learned?  (Huang et al. 2022, Fig. 6a)

Expected: the more, the better, and little more beyond 16.
Run:      mlflow run . -e ablate_pea_embedding_dim
"""

from study.ablation.design import Ablation

ABLATION = Ablation(
    name="pea_embedding_dim",
    question="How many dimensions does an embedding need whose affinities are learned?",
    system="pea",
    varied={"network.embedding_dim": [4, 8, 16, 32]},
    control={"network.embedding_dim": 16},
)
