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
    # The square of the cosine keeps more objects apart than there are dimensions. The paper takes batches of 2 at 32
    # and 64 dimensions, to save memory; here all variants see the same batches.
    fixed={"loss.similarity": "absolute"},
    defaults={"data.name": "synthetic-cells"},  # more objects than 4 or 8 in an image
    printed=Path(__file__).parent / "printed" / "wnet_fig6a.csv",
    order_in_all=3,
)
