"""Which clustering makes the best objects of an embedding?  (Wu et al. 2020, section 4.6, Table 2)

Expected: angular clustering is best and fastest; each method does better on the embeddings of the W-Net. Speed
          is measured by tests/benchmarks/bench_clustering.py: runs that share a machine could not tell it.
Run:      mlflow run . -e ablate_clustering
"""

from pathlib import Path

from study.ablation.design import Ablation

ABLATION = Ablation(
    name="clustering",
    question="Which clustering makes the best objects of an embedding?",
    varied={
        "clustering.method": ["angular", "mutex-watershed", "mean-shift", "hdbscan"],
        "network.name": ["unet", "wnet"],
    },
    control={"clustering.method": "angular", "network.name": "wnet"},
    printed=Path(__file__).parent / "printed" / "wnet_table2_clustering.csv",
    order_in_all=5,
)
