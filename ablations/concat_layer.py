"""What should the first U-Net forward to the second?  (Wu et al. 2020, sections 4.1 and 4.2, Table 1 and Fig. 4)

Expected: distance features help most, and 32 of them more than 8; the distance map alone helps less; embedding features
          help, but less than distance features; coordinates change little.
Run:      mlflow run . -e ablate_concat_layer
"""

from pathlib import Path

from study.ablation.design import Ablation

# `study.networks.CONCAT_LAYERS`, in the order of Table 1, written out: torch, which comes with it, takes seconds
_LAYERS = {
    "none": "unet",
    "coordinate": "unet",
    "distmap": "wnet",
    "dfeat.8": "wnet",
    "dfeat.32": "wnet",
    "efeat.32": "wnet",
    "dfeat.16+efeat.16": "wnet",
}

ABLATION = Ablation(
    name="concat_layer",
    question="What should the first U-Net forward to the second?",
    varied={"network.concat_layer": list(_LAYERS)},
    control={"network.concat_layer": "dfeat.32"},
    # without a first U-Net there is nothing to forward
    dependent_settings={
        ("network.concat_layer", layer): {"network.name": network} for layer, network in _LAYERS.items()
    },
    printed=Path(__file__).parent / "printed" / "wnet_table1.csv",
    pictures={"embeddings": [{"network.concat_layer": "none"}, {"network.concat_layer": "dfeat.32"}]},
    order_in_all=1,
)
