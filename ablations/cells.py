"""Does the W-Net do better than the U-Net on nuclei?  (Wu et al. 2020, section 4.8, Fig. 8)

Expected: yes, in SBD and in the mean precision; it merges and misses fewer nuclei.
Run:      mlflow run . -e compare_cells -P dataset=bbbc006 -P data_root=/data/BBBC006
"""

from study.ablation.design import Ablation

# asked of BBBC006 in the paper; DSB2018 and BBBC039 do as well
ABLATION = Ablation(
    name="cells",
    question="Does the W-Net do better than the U-Net on nuclei?",
    varied={"network.name": ["unet", "wnet"]},
    control={"network.name": "wnet"},
    entry_point="compare_cells",
    defaults={"data.name": "synthetic-cells"},
)
