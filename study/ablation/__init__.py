"""How many runs become an answer."""

from study.ablation.design import Ablation

__all__ = ["Ablation"]
