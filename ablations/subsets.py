"""How do U-Net and W-Net do on each subset of the leaf challenge?  (Wu et al. 2020, section 4.7, Table 3)

Expected: the W-Net is better on each; the few large tobacco plants of A3 are the hardest for both.
Run:      mlflow run . -e compare_subsets -P data_root=/data/CVPPP2017
"""

from study.ablation.design import Ablation

# trained on all subsets that are there together; the report takes the scores of the test images apart by subset
ABLATION = Ablation(
    name="subsets",
    question="How do U-Net and W-Net do on each subset of the leaf challenge?",
    varied={"network.name": ["unet", "wnet"]},
    control={"network.name": "wnet"},
    entry_point="compare_subsets",
    defaults={"data.name": "cvppp2017", "data.subsets": "all"},
)
