"""Must all objects of an image differ, or only neighbours?  (Wu et al. 2020, section 4.3, Table 2 and Fig. 5)

Expected: local constraints are better; eight dimensions hold no more than eight objects under global constraints, and
          64 dimensions make up for a part of that only.
Run:      mlflow run . -e ablate_constraints
"""

from pathlib import Path

from study.ablation.design import Ablation

ABLATION = Ablation(
    name="constraints",
    question="Must all objects of an image differ, or only neighbours?",
    varied={"loss.constraints": ["local", "global"], "network.embedding_dim": [8, 64]},
    control={"loss.constraints": "local", "network.embedding_dim": 8},
    # The square of the cosine keeps more objects apart than there are dimensions. The paper takes batches of 2 at 64
    # dimensions, to save memory; here all variants see the same batches.
    fixed={"loss.similarity": "absolute"},
    defaults={"data.name": "synthetic-cells"},  # more objects than 8 in an image
    printed=Path(__file__).parent / "printed" / "wnet_table2_constraints.csv",
    pictures={
        "figure_5": [
            {"loss.constraints": "local", "network.embedding_dim": 8},
            {"loss.constraints": "local", "network.embedding_dim": 64},
            {"loss.constraints": "global", "network.embedding_dim": 8},
            {"loss.constraints": "global", "network.embedding_dim": 64},
        ]
    },
    order_in_all=2,
)
