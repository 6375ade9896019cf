"""Which system segments best?  (Chen et al. 2019; Wu et al. 2020; De Brabandere et al. 2017)

Expected: the W-Net before the single U-Nets with an embedding, and the three-class U-Net last.
Run:      mlflow run . -e compare_systems -P seeds=0,1,2
"""

from study.ablation.design import Ablation
from study.systems import SYSTEMS

# In the small profiles steps, batches, augmentation and schedule are the same for all; in `full`, each paper's own.
ABLATION = Ablation(
    name="systems",
    question="Which system segments best?",
    varied={"system": list(SYSTEMS)},
    control={"system": "wnet"},
    entry_point="compare_systems",
)
