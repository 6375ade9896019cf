"""What an ablation found: results -> table with intervals and differences to the control -> words. Pure."""

from study.ablation.statistics.answer import FURTHER_SCORES, SCORES, answer
from study.ablation.statistics.contrasts import contrasts
from study.ablation.statistics.intervals import Interval, interval
from study.ablation.statistics.moderation import intervals, moderated
from study.ablation.statistics.paired import holm, of_variant
from study.ablation.statistics.power import Components, pooled_components, what_can_be_told
from study.ablation.statistics.words import ABOUT_INTERVALS, ABOUT_TRAININGS, contrasts_found, found

__all__ = [
    "ABOUT_INTERVALS",
    "ABOUT_TRAININGS",
    "FURTHER_SCORES",
    "SCORES",
    "Components",
    "Interval",
    "answer",
    "contrasts",
    "contrasts_found",
    "found",
    "holm",
    "interval",
    "intervals",
    "moderated",
    "of_variant",
    "pooled_components",
    "what_can_be_told",
]
