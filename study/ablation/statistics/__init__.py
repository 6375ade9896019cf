"""The answer of an ablation: results -> table with intervals and differences to the control -> words. Pure."""

from study.ablation.statistics.contrasts import contrasts
from study.ablation.statistics.intervals import Interval, interval, interval_columns
from study.ablation.statistics.markdown import (
    ABOUT_INTERVALS,
    ABOUT_TRAININGS,
    contrasts_to_markdown,
    finding,
    to_markdown,
)
from study.ablation.statistics.moderation import intervals, moderated
from study.ablation.statistics.paired import holm, of_variant
from study.ablation.statistics.power import Components, describe_power, pooled_components
from study.ablation.statistics.summary import summarize
from study.ablation.statistics.text import as_text
