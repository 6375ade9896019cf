"""Do larger backbones learn better affinities?  (Huang et al. 2022, Table 1)

Expected: no; the residual U-Net, with the fewest parameters, is best.
Run:      mlflow run . -e ablate_pea_backbones -P dataset=cvppp2017 -P data_root=/data/CVPPP2017

Neither ResNet is pretrained here, and their decoder is ours, see `study.networks.resnet`. The profile `smoke` pools
twice, and so leaves out the stage in which the two differ.
"""

from study.ablation.design import Ablation

ABLATION = Ablation(
    name="pea_backbones",
    question="Do larger backbones learn better affinities?",
    system="pea",
    varied={"network.name": ["residual", "resnet-50", "resnet-101"]},
    control={"network.name": "residual"},
)
