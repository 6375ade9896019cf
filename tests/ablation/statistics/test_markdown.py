import re

import numpy as np
import pytest

from study.ablation.statistics import (
    ABOUT_TRAININGS,
    contrasts,
    contrasts_to_markdown,
    finding,
    summarize,
    to_markdown,
)
from study.metrics.registry import KINDS
from study.runs.job import intervals_over
from tests.ablation.statistics.made import ABLATION, made_up, noisy

UNET, UNET_ONLY, WNET, WNET_ONLY = ABLATION.variants()
THREE = [*noisy(UNET, 0.2), *noisy(UNET_ONLY, 0.0), *noisy(WNET, 0.0), *noisy(WNET_ONLY, -0.2)]
VERDICTS = r"better|worse|told apart|beyond|verdict depends|significant"


def words_of(*results):
    """The words before the table, and its rows with the titles first."""
    text = to_markdown(ABLATION, summarize(ABLATION, results))
    return text.partition("| variant")[0], [row[2:-2].split(" | ") for row in text.splitlines() if row.startswith("|")]


def test_what_was_asked_and_which_variants_differ():
    words, table = words_of(*THREE)
    assert words.startswith("Asked: SBD by network and inter_weight; control: `W-Net, λ = 1`. ")
    assert "best mean of 4 is that of **U-Net, λ = 1**; its difference to the control is +0.20" in words
    assert ", adjusted p = 0.0" in words or ", adjusted p < 0.001" in words
    assert "- better than the control: U-Net, λ = 1\n" in words
    assert "- worse than the control: W-Net, λ = only\n" in words
    assert "- not told apart from the control: U-Net, λ = only\n" in words
    assert [row[0] for row in table[2:]] == [
        "U-Net, λ = 1",
        "U-Net, λ = only",
        "W-Net, λ = 1",
        "W-Net, λ = only",
    ]
    assert table[0][:4] == ["variant", "SBD", "difference to the control", "adjusted p"]
    assert re.fullmatch(r"\+0\.\d{3} \(\+0\.\d{3} to \+0\.\d{3}\)", table[2][2])


def test_p_values_are_the_adjusted_ones():
    table = summarize(ABLATION, THREE)
    _, shown = words_of(*THREE)
    cells = ["" if np.isnan(p) else "< 0.001" if p < 0.001 else f"{p:.3f}" for p in table["sbd_diff_p_adjusted"]]
    assert [row[3] for row in shown[2:]] == cells


@pytest.mark.parametrize(
    ("difference", "p", "group"),
    [
        (0.1, 0.049, "better than"),
        (-0.1, 0.049, "worse than"),
        (0.1, 0.05, "not told apart from"),
        (-0.1, 0.05, "not told apart from"),
    ],
)
def test_a_difference_is_called_by_the_adjusted_p_alone(difference, p, group):
    table = summarize(ABLATION, THREE).assign(sbd_diff_p_adjusted=[p, np.nan, np.nan, np.nan], sbd_diff=difference)
    lines = [line for line in to_markdown(ABLATION, table).splitlines() if line.startswith("- ")]
    assert lines == [f"- {group} the control: U-Net, λ = 1"]


@pytest.mark.parametrize("paper", [None, 0.3])
def test_a_single_seed_gives_no_verdict(paper):
    one = [r for v, shift in ((UNET, 0.3), (WNET, 0), (WNET_ONLY, -0.3)) for r in noisy(v, shift, (0,), paper=paper)]
    text = to_markdown(ABLATION, summarize(ABLATION, one))
    assert "With one seed there is no verdict: intervals are over images only, this training" in text
    assert "95 % intervals over images only, this training." in text
    assert not re.search(VERDICTS, text)
    assert "adjusted p" not in text


def test_that_the_spread_of_trainings_is_of_all_variants_is_told_where_it_is():
    told = f"over seeds and images. For differences, {ABOUT_TRAININGS}."
    assert to_markdown(ABLATION, summarize(ABLATION, THREE)).endswith(told)
    fewer = [r for r in THREE if r.variant != UNET or r.seed == 0]  # a third difference that has a single paired seed
    assert ABOUT_TRAININGS not in to_markdown(ABLATION, summarize(ABLATION, fewer))


def test_variants_of_a_single_seed_among_others():
    mixed = [*noisy(UNET, 0.3), *noisy(WNET, 0), *noisy(WNET_ONLY, -0.3, (0,))]
    words, _ = words_of(*mixed)
    assert "there is no verdict for W-Net, λ = only:" in words
    assert "- better than the control: U-Net, λ = 1\n" in words
    assert "- worse" not in words


def test_both_thresholds_stand_side_by_side_and_may_disagree():
    mixed = [*noisy(UNET, 0.25, paper=-0.25), *noisy(WNET, 0, paper=0), *noisy(WNET_ONLY, -0.25, paper=-0.25)]
    words, table = words_of(*mixed)
    assert re.search(r"is \+0\.2\S* .* with tuned thresholds, and -0\.2\S* .* with the paper's thresholds\.", words)
    assert "- better than the control, with tuned thresholds: U-Net, λ = 1\n" in words
    assert "- worse than the control, with the paper's thresholds: U-Net, λ = 1; W-Net, λ = only" in words
    apart = "U-Net, λ = 1 (better with tuned thresholds, worse with the paper's)\n"
    assert f"- the verdict depends on the thresholds: {apart}" in words
    place = table[0].index("difference to the control, paper's thresholds")
    assert table[2][place].startswith("-0.2")
    assert table[0][place + 1] == "adjusted p, paper's thresholds"
    assert table[2][place + 1] == "< 0.001"


@pytest.mark.parametrize(
    ("results", "expected"),
    [
        (noisy(WNET, 0) + noisy(WNET_ONLY, -0.2), "that of **W-Net, λ = 1**, the control itself."),
        (noisy(UNET, 0), "**U-Net, λ = 1**. The control has no result to compare others with."),
    ],
)
def test_how_the_best_stands_to_the_control(results, expected):
    assert expected in words_of(*results)[0]


def test_angles_where_they_are():
    _, table = words_of(*noisy(WNET, 0), *noisy(WNET_ONLY, 0))
    assert not any("angle" in title for title in table[0])
    table = summarize(
        ABLATION, [made_up(WNET, 0, [0.5], neighbour_angle=88.04), made_up(WNET_ONLY, 0, [0.4], neighbour_angle=70.0)]
    )
    lines = [line for line in to_markdown(ABLATION, table).splitlines() if line.startswith("|")]
    assert lines[0].endswith("| angle between neighbours, ° |")
    assert lines[2].endswith("| 88.0 |")
    assert lines[3].endswith("| 70.0 |")


def test_a_variant_without_the_score_is_not_the_best():
    table = summarize(ABLATION, [*noisy(WNET, 0), *noisy(UNET, 0.1)])
    table.loc[table["network.name"] == "unet", "sbd"] = np.nan
    assert "best mean of 1 is that of **W-Net, λ = 1**" in to_markdown(ABLATION, table)


def test_contrasts_are_a_table_for_each_factor():
    several = [r for v in ABLATION.variants() for r in noisy(v, 0.25 * (v["network.name"] == "wnet"), paper=0.1)]
    text = "\n\n".join(contrasts_to_markdown(contrasts(ABLATION, several)))
    first, second = text.split("λ = 1 minus others, paired:")
    assert first.startswith(
        "W-Net minus others, paired:\n\n| minus | at | SBD | adjusted p | SBD, paper's thresholds |"
    )
    rows = [line.strip("| ").split(" | ") for line in first.splitlines() if line.startswith("| U-Net")]
    assert [row[:2] for row in rows] == [["U-Net", "λ = 1"], ["U-Net", "λ = only"]]
    assert all(row[2].startswith("+0.2") for row in rows)
    assert "| λ = only | W-Net | " in second
    one = "\n\n".join(contrasts_to_markdown(contrasts(ABLATION, [r for r in several if r.seed == 0])))
    assert "adjusted p" not in one
    assert contrasts_to_markdown(contrasts(ABLATION, [])) == []


def test_what_intervals_are_over():
    assert intervals_over(1) == "95 % intervals over images only, this training"
    assert intervals_over(2) == "95 % intervals over seeds and images"
    assert intervals_over(2, KINDS["volumes"]) == "95 % intervals over seeds and sub-volumes"


def test_the_finding_is_a_line_that_begins_with_the_best():
    best = finding(ABLATION, summarize(ABLATION, [*noisy(WNET, 0), *noisy(UNET, 0.2), *noisy(WNET_ONLY, -0.2)]))
    score, interval = r"0\.\d{3}", r"\(\S+ to \S+\)"
    first = rf"\*\*Best of 3: U-Net, λ = 1: SBD {score} {interval}\*\*; \+{score} {interval} to the control, "
    assert re.fullmatch(rf"{first}W-Net, λ = 1: {score} \(better\)\.", best)
    assert finding(ABLATION, summarize(ABLATION, noisy(WNET, 0))).endswith("**, the control itself.")
    alone = finding(ABLATION, summarize(ABLATION, noisy(UNET, 0)))
    assert alone.startswith("**Best of 1: U-Net, λ = 1: SBD")
    assert "control" not in alone
