"""Do other affinities at inference than in training help on other plants?  (Huang et al. 2022, Table 7)

Expected: diagonals help, and so do more and longer ranges, although neither was trained.
Run:      mlflow run . -e ablate_pea_adaptive -P dataset=cvppp2017 -P data_root=… -P set=data.test_subsets=A2
"""

from study.ablation.design import Ablation

_RANGES, _NEIGHBOURHOOD = "clustering.ranges", "clustering.neighbourhood"

ABLATION = Ablation(
    name="pea_adaptive",
    question="Do other affinities at inference than in training help on other plants?",
    system="pea",
    varied={_RANGES: ["1+3+5+9+27"], _NEIGHBOURHOOD: [4, 8]},
    control={_RANGES: "1+3+5+9+27", _NEIGHBOURHOOD: 4},
    extra_variants=[{_RANGES: "1+3+5+7+9+11+19+27+35", _NEIGHBOURHOOD: 8}],
)
