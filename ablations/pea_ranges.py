"""How far apart should pixels be whose affinity is learned?  (Huang et al. 2022, Fig. 6b)

Expected: worse the fewer ranges there are; the long ones part objects that touch.
Run:      mlflow run . -e ablate_pea_ranges
"""

from study.ablation.design import Ablation

_RANGES = ["1+3", "1+3+5", "1+3+5+9", "1+3+5+9+27"]

ABLATION = Ablation(
    name="pea_ranges",
    question="How far apart should pixels be whose affinity is learned?",
    system="pea",
    varied={"loss.ranges": _RANGES},
    control={"loss.ranges": "1+3+5+9+27"},
    dependent_settings={("loss.ranges", ranges): {"clustering.ranges": ranges} for ranges in _RANGES},
)
