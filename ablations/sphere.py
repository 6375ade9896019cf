"""Are neighbours orthogonal in three dimensions?  (Chen et al. 2019, Fig. 1)

Expected: under local constraints they are, since distant objects share a direction; under global constraints three
          directions are too few for all objects, and some neighbours share one.
Run:      mlflow run . -e ablate_sphere
"""

from study.ablation.design import Ablation

ABLATION = Ablation(
    name="sphere",
    question="Are neighbours orthogonal in three dimensions?",
    system="elc",
    varied={"loss.constraints": ["local", "global"]},
    control={"loss.constraints": "local"},
    # The paper leaves the background out here, or one direction would be its own. The square of the cosine, which
    # smaller profiles have, keeps more than three objects apart.
    fixed={"network.embedding_dim": 3, "loss.similarity": "absolute", "loss.background_as_object": False},
    defaults={"data.name": "synthetic-cells", "clustering.foreground": "predicted"},
)
