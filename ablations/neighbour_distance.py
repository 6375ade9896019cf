"""How near must objects be to be pushed apart?  (Chen et al. 2019, Tables 1 and 2, Fig. 1)

Expected: the nearer, the better; little with 16 dimensions, much with 4, too few for all objects.
Run:      mlflow run . -e ablate_neighbour_distance -P dataset=folder -P data_root=/data/my_cells
"""

from study.ablation.design import Ablation

ABLATION = Ablation(
    name="neighbour_distance",
    question="How near must objects be to be pushed apart?",
    system="elc",
    varied={"network.embedding_dim": [16, 4], "loss.neighbour_distance": [10, 30, 100]},  # in the order of the tables
    control={"network.embedding_dim": 16, "loss.neighbour_distance": 10},
    axis="loss.neighbour_distance",
    fixed={"loss.similarity": "absolute"},  # the square keeps more objects apart than there are dimensions
    defaults={"data.name": "synthetic-cells"},  # more objects than 4 or 16 in an image
    extra_variants=[{"system": "three-class"}],  # the U-Net that the paper compares with
)
