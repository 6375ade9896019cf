"""What an ablation found: results -> table with intervals and differences to the control -> words. Pure."""

from study.statistics.answer import FURTHER_SCORES, SCORES, answer
from study.statistics.contrasts import contrasts
from study.statistics.intervals import Interval, interval
from study.statistics.moderation import intervals, moderated
from study.statistics.paired import holm, of_variant
from study.statistics.power import Components, pooled_components, what_can_be_told
from study.statistics.words import ABOUT_INTERVALS, ABOUT_TRAININGS, contrasts_found, found, intervals_over

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
    "intervals_over",
    "moderated",
    "of_variant",
    "pooled_components",
    "what_can_be_told",
]
