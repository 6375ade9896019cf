from dataclasses import replace

import pytest

from study.ablation.statistics import Interval
from study.ablation.verdicts import (
    CANNOT_TELL,
    NOT_TESTED,
    REPRODUCED,
    lines_of,
    verdict_frame,
    verdicts,
    verdicts_in_lines,
    verdicts_to_markdown,
)
from study.ablation.verdicts.judging import untested
from tests.ablation.verdicts.test_judging import ABOVE, BEST, DIMS, EQUAL, LEVEL, RISING, ablation, results


def judged(*claims, means=RISING, **more):
    return verdicts(ablation(*claims), results(means, **more), "toys, profile smoke")


def test_a_comparison_in_a_line():
    (verdict,) = judged(ABOVE)
    step = replace(verdict.found[0], interval=Interval(0.2, 0.1, 0.3), p=0.0123)
    assert lines_of(replace(verdict, found=(step,))) == [
        "8 dimensions − 4 dimensions: +0.200 (+0.100 to +0.300), adjusted p = 0.012",
        "3 seeds, 4 images",
    ]


def test_a_level_is_shown_as_it_is_beside_its_margin():
    (verdict,) = judged(LEVEL)
    step = replace(verdict.found[0], interval=Interval(-0.01, -0.02, 0.0))
    assert lines_of(replace(verdict, found=(step,)))[0] == ("8 dimensions: 0.490 (0.480 to 0.500), margin 0.5 ± 0.05")
    step = replace(step, interval=Interval(-0.51, -0.52, -0.5))
    assert lines_of(replace(verdict, found=(step,)))[0].startswith("8 dimensions: −0.010 (−0.020 to 0.000)")
    (verdict,) = judged(EQUAL)
    assert lines_of(verdict)[0].endswith(", margin 0 ± 0.05")


def test_of_many_comparisons_the_one_most_against_the_claim_is_written_out():
    (verdict,) = judged(BEST)
    first, second = verdict.found
    many = replace(verdict, found=(first, second, first, replace(second, holds=False)))
    lines = lines_of(many)
    assert lines[0] == "of 4 comparisons 3 hold, 1 do not"
    assert lines[1].startswith("against it: 16 dimensions − 8 dimensions: +0.2")
    assert lines_of(replace(verdict, found=(first, first, second, first)))[1].startswith("weakest: 16 dimensions − 8")


def test_a_reason_stands_at_the_end_or_alone():
    (verdict,) = judged(ABOVE, seeds=1)
    assert lines_of(verdict)[1:] == ["1 seed, 4 images", verdict.reason]
    assert lines_of(untested(ABOVE, "no launch")) == ["no launch"]


def test_the_markdown_table_names_data_and_verdicts():
    text = verdicts_to_markdown(judged(ABOVE, replace(BEST, contrast=f"{DIMS}=4")))
    lines = text.splitlines()
    assert lines[0] == "Claims and verdicts, on toys, profile smoke:"
    assert lines[4].startswith("| 8 beat 4 (p, t) | SBD | 8 dimensions − 4 dimensions: +0.2")
    assert [line.rpartition(" | ")[2] for line in lines[4:6]] == ["**reproduced** |", "**not reproduced** |"]
    assert verdicts_to_markdown([]) == ""


def test_a_claim_is_a_line_and_scores_are_named_where_they_disagree():
    """Once a claim stood there twice, once reproduced and once not told, without a word on why."""
    (tuned,), (other,) = judged(ABOVE), judged(replace(BEST, statement="8 are best."))
    paper = replace(tuned, score="sbd_paper_thresholds")
    assert verdicts_in_lines([tuned, paper, other]) == ["- 8 beat 4: reproduced", f"- 8 are best: {other.word}"]
    assert verdicts_in_lines([replace(tuned, word=CANNOT_TELL), paper]) == [
        f"- 8 beat 4: {CANNOT_TELL} (SBD); {REPRODUCED} (SBD, paper's thresholds)"
    ]
    assert verdicts_in_lines([]) == []


def test_the_frame_has_a_row_per_comparison():
    frame = verdict_frame([*judged(BEST, LEVEL), untested(ABOVE, "no launch")])
    assert frame["key"].tolist() == ["4", "4", "6", "1"]
    assert frame["value"].tolist() == pytest.approx([0.4, 0.2, 0.5, float("nan")], abs=2e-3, nan_ok=True)
    assert (frame["low"].dropna() < frame["value"].dropna()).all()
    assert frame["holds"].tolist()[:3] == ["yes"] * 3
    assert frame["verdict"].tolist()[-1] == NOT_TESTED
    assert set(verdict_frame(judged(ABOVE, seeds=1))["verdict"]) == {CANNOT_TELL}
