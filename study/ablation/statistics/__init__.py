"""What an ablation found: results -> table with intervals and differences to the control -> words. Pure."""

from study.ablation.statistics.contrasts import contrasts
from study.ablation.statistics.intervals import Interval, interval, interval_columns
from study.ablation.statistics.markdown import ABOUT_INTERVALS, ABOUT_TRAININGS, contrasts_to_markdown, to_markdown
from study.ablation.statistics.moderation import intervals, moderated
from study.ablation.statistics.paired import holm, of_variant
from study.ablation.statistics.power import Components, pooled_components, what_can_be_told
from study.ablation.statistics.summary import summarize
