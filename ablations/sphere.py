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
    varied={"loss.constraints": ["local", "global"], "network.embedding_dim": [3]},
    control={"loss.constraints": "local", "network.embedding_dim": 3},
    # the paper leaves the background out here, or one direction would be its own; the square of the cosine, as smaller
    # profiles have it, would let more than three objects lie apart
    defaults={
        "data.name": "synthetic-cells",
        "loss.similarity": "absolute",
        "loss.background_as_object": False,
        "clustering.foreground": "predicted",
    },
)
