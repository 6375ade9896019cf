"""What an ablation says of the claims of the papers: claims, scores of a launch -> verdicts -> words. Pure."""

from study.ablation.verdicts.judging import (
    CANNOT_TELL,
    NOT_REPRODUCED,
    NOT_TESTED,
    REPRODUCED,
    Verdict,
    untested,
    verdicts,
)
from study.ablation.verdicts.trainings import MEASURES, needs_trainings, training_results
from study.ablation.verdicts.words import (
    ABOUT_VERDICTS,
    deciding,
    lines_of,
    printed_of,
    score_label,
    source_of,
    verdict_frame,
    verdicts_in_lines,
    verdicts_to_markdown,
)
