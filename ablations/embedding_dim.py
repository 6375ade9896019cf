"""How many dimensions does an embedding need?  (Wu et al. 2020, section 4.4, Fig. 6a)

Expected: best at 8; 4 are too few for the neighbours of an object; more than 8 lose a little.
Run:      mlflow run . -e ablate_embedding_dim
"""

from pathlib import Path

from study.ablation.design import Ablation

ABLATION = Ablation(
    name="embedding_dim",
    question="How many dimensions does an embedding need?",
    varied={"network.name": ["unet", "wnet"], "network.embedding_dim": [4, 8, 16, 32, 64]},
    control={"network.name": "wnet", "network.embedding_dim": 8},
    axis="network.embedding_dim",
    # smaller batches, so that large embeddings fit into memory, as in the paper
    dependent_settings={("network.embedding_dim", dims): {"training.batch_size": 2} for dims in (32, 64)},
    printed=Path(__file__).parent / "printed" / "wnet_fig6a.csv",
    order_in_all=3,
)
