"""What should the first U-Net forward to the second?  (Wu et al. 2020, sections 4.1 and 4.2, Table 1 and Fig. 4)

Expected: distance features help most, and 32 of them more than 8; the distance map alone helps less; embedding features
          help, but less than distance features; coordinates change little.
Run:      mlflow run . -e ablate_concat_layer
"""

from pathlib import Path

from study.ablation.design import Ablation
from study.networks import CONCAT_LAYERS

ABLATION = Ablation(
    name="concat_layer",
    question="What should the first U-Net forward to the second?",
    varied={"network.concat_layer": list(CONCAT_LAYERS)},  # in the order of Table 1
    control={"network.concat_layer": "dfeat.32"},
    # without a first U-Net there is nothing to forward
    dependent_settings={
        ("network.concat_layer", layer): {"network.name": network} for layer, network in CONCAT_LAYERS.items()
    },
    printed=Path(__file__).parent / "printed" / "wnet_table1.csv",
    pictures={"embeddings": [{"network.concat_layer": "none"}, {"network.concat_layer": "dfeat.32"}]},
    order_in_all=1,
)
