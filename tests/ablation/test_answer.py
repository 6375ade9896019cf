import io
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from study import figures
from study.ablation.answer import log_answer
from study.ablation.claim import Claim
from study.ablation.design import Ablation
from study.ablation.statistics import (
    Components,
    contrasts,
    contrasts_to_markdown,
    describe_power,
    finding,
    pooled_components,
    summarize,
    to_markdown,
)
from study.ablation.verdicts import verdicts, verdicts_to_markdown
from study.figures.names import variant_label
from study.origin import Departed, Origin
from study.runs.job import Result

WEIGHTS = [0.5, 1.0, 10.0, "only"]
CURVE = Ablation(
    name="weights",
    question="How strongly?",
    varied={"network.name": ["unet", "wnet"], "loss.inter_weight": WEIGHTS},
    control={"network.name": "wnet", "loss.inter_weight": 1.0},
    axis="loss.inter_weight",
    pictures={
        "figure_a": [{"network.name": "wnet", "loss.inter_weight": weight} for weight in (1.0, 10.0, "only")],
        "figure_b": [{"network.name": "unet", "loss.inter_weight": weight} for weight in (0.5, 1.0)],
    },
)
ROWS = Ablation(
    name="layers",
    question="What should be forwarded?",
    varied={"network.concat_layer": ["none", "distmap", "dfeat.32"]},
    control={"network.concat_layer": "dfeat.32"},
)


class Parent:
    """A run that keeps what it is given."""

    def __init__(self):
        self.tables, self.figures, self.tags, self.metrics, self.note = {}, {}, {}, {}, None

    def log_metrics(self, point):
        self.metrics |= point.values

    def log_table(self, table, name):
        self.tables[name] = table

    def log_figure(self, figure, file):
        assert isinstance(figure, Figure)
        assert file not in self.figures
        self.figures[file] = figure

    def set_tags(self, tags):
        self.tags |= tags

    def set_note(self, text):
        self.note = text


def result(variant, seed=0):
    rng = np.random.default_rng([seed, *map(ord, str(variant))])
    scores = {name: rng.random(3) for name in ("sbd", "sbd_legacy", "fbd", "map", "neighbour_angle")}
    table = pd.DataFrame({"image": ["a", "b", "c"], "abs_dic": [1.0, 0.0, 2.0], **scores})
    strip = np.full((20, 5 * 20 + 16, 3), rng.integers(256), np.uint8)
    return Result(variant, seed, table, [strip] * 3)


def logged(ablation, results, note="**asked**", origin=None):
    parent = Parent()
    log_answer(parent, ablation, results, "a data set: 3 test images", note, origin=origin)
    return parent


def texts(figure):
    """All words of a figure."""
    return {text.get_text() for text in figure.findobj(lambda part: hasattr(part, "get_text")) if text.get_text()}


def assert_drawn(figure):
    file = io.BytesIO()
    figure.savefig(file, dpi=40)
    assert file.tell() > 1000


def test_a_curve_and_pictures():
    results = [result(variant, seed) for seed in (3, 1) for variant in CURVE.variants()]
    parent = logged(CURVE, results)
    assert parent.tables.keys() == {"answer", "contrasts"}
    pd.testing.assert_frame_equal(parent.tables["contrasts"], contrasts(CURVE, results))
    pd.testing.assert_frame_equal(parent.tables["answer"], summarize(CURVE, results))
    assert len(parent.tables["answer"]) == 8
    assert parent.figures.keys() == {"weights.png", "contact_sheet.png", "figure_a.png", "figure_b.png"}
    assert len(parent.figures["contact_sheet.png"].axes) == (1 + 8) * 3  # image and truth, and variants, of one seed
    assert "How strongly? Seed 1. a data set: 3 test images" in texts(parent.figures["contact_sheet.png"])
    assert len(parent.figures["figure_a.png"].axes) == 2 * (2 + 3)  # images x (image, truth, variants)
    assert len(parent.figures["figure_b.png"].axes) == 2 * (2 + 2)
    assert any("a data set: 3 test images" in text for text in texts(parent.figures["weights.png"]))
    for figure in parent.figures.values():
        assert_drawn(figure)


def test_rows_where_there_is_no_axis():
    parent = logged(ROWS, [result(variant) for variant in ROWS.variants()])
    assert parent.tables.keys() == {"answer"}  # one setting has no contrasts
    assert parent.figures.keys() == {"layers.png", "contact_sheet.png"}
    assert any("distmap" in text for text in texts(parent.figures["layers.png"]))
    assert_drawn(parent.figures["layers.png"])


@pytest.mark.parametrize("ablation", [CURVE, ROWS])
def test_the_kind_of_figure_follows_from_the_axis(ablation, monkeypatch):
    drawn = []
    for name in ("score_curve", "score_rows"):
        monkeypatch.setattr(figures, name, lambda *given, name=name: drawn.append((name, *given[1:3])) or Figure())
    logged(ablation, [result(variant) for variant in ablation.variants()])
    wanted = ("score_curve", "loss.inter_weight", "network.name")
    assert drawn == [wanted if ablation.axis else ("score_rows", ["network.concat_layer"], ablation.control)]


def test_printed_values_are_drawn_beside(tmp_path, monkeypatch):
    file = tmp_path / "printed.csv"
    file.write_text("network.concat_layer,value,source\ndistmap,0.9,a table of 2020\n")
    ablation = Ablation(ROWS.name, ROWS.question, ROWS.varied, ROWS.control, printed=file)
    given = []
    monkeypatch.setattr(figures, "score_rows", lambda *all_given: given.append(all_given[-1]) or Figure())
    logged(ablation, [result(variant) for variant in ROWS.variants()])
    (printed,) = given
    about = {"source": "a table of 2020", "test_set": "images that are not named", "same": False}
    assert printed.to_dict("records") == [{"network.concat_layer": "distmap", "value": 0.9, **about}]


def test_variants_without_results_are_left_out():
    there = [variant for variant in CURVE.variants() if variant["network.name"] == "wnet"]
    there = [variant for variant in there if variant["loss.inter_weight"] in (0.5, "only")]  # not even the control
    parent = logged(CURVE, [result(variant) for variant in there])
    table = parent.tables["answer"]
    assert table[["network.name", "loss.inter_weight"]].to_dict("records") == there
    assert table["sbd_diff"].isna().all()
    assert parent.figures.keys() == {"weights.png", "contact_sheet.png", "figure_a.png"}
    assert len(parent.figures["figure_a.png"].axes) == 2 * (2 + 1)
    assert len(parent.figures["contact_sheet.png"].axes) == (1 + 2) * 3
    for figure in parent.figures.values():
        assert_drawn(figure)


def test_a_variant_that_the_first_seed_lacks_is_in_no_picture():
    variants = CURVE.variants()
    results = [result(variant, 1) for variant in variants[1:]] + [result(variant, 2) for variant in variants]
    parent = logged(CURVE, results)
    assert list(parent.tables["answer"]["seeds"]) == [1] + [2] * 7
    assert len(parent.figures["contact_sheet.png"].axes) == (1 + 7) * 3
    assert len(parent.figures["figure_b.png"].axes) == 2 * (2 + 1)


def test_the_finding_stands_above_what_was_asked_and_the_answer_below():
    results = [result(variant) for variant in ROWS.variants()]
    parent = logged(ROWS, results, "**What?**\n\n3 runs")
    found, answer = finding(ROWS, summarize(ROWS, results)), to_markdown(ROWS, summarize(ROWS, results))
    assert parent.note.startswith(f"{found}\n\n**What?**\n\n3 runs\n\n{answer}\n\nWith one seed it")
    assert parent.tags == {}


def test_contrasts_and_what_could_be_told_end_the_answer():
    results = [result(variant, seed) for seed in (0, 1) for variant in CURVE.variants()]
    parent = logged(CURVE, results)
    components = pooled_components(CURVE, results)
    assert Components.from_tags(parent.tags) == Components.from_tags(components.to_tags())
    told = describe_power(components, 2, 3, 7)
    contrasted = "\n\n".join(contrasts_to_markdown(contrasts(CURVE, results)))
    assert parent.note.endswith(f"\n\n{contrasted}\n\n{told}")
    assert "W-Net minus others, paired:\n\n| minus | at |" in parent.note


def test_a_seed_that_few_variants_have_does_not_count():
    """What can be told is of the fewest paired seeds, of those variants that have several."""
    results = [result(variant, seed) for seed in (0, 1, 2) for variant in ROWS.variants()]
    several = [r for r in results if r.seed < 2 or r.variant != {"network.concat_layer": "none"}]
    assert "with 3 seeds and 3 images" in logged(ROWS, results).note
    assert "with 2 seeds and 3 images" in logged(ROWS, several).note
    single = [r for r in results if r.seed < 1 or r.variant != {"network.concat_layer": "none"}]
    assert "with 3 seeds and 3 images" in logged(ROWS, single).note


def test_contrasts_that_the_description_has_no_room_for_are_in_their_table_alone():
    """The store cuts descriptions at 8000 characters, and what could be told stands last."""
    results = [result(variant, seed) for seed in (0, 1) for variant in CURVE.variants()]
    parent = logged(CURVE, results, "x" * 5600)
    assert len(parent.note) < 8000
    assert "minus others" not in parent.note
    assert "in `contrasts.csv`.\n\nWhat can be told: with 2 seeds" in parent.note
    assert len(parent.tables["contrasts"]) == 4 + 6


def test_some_contrasts_stay_where_there_is_room_for_some():
    results = [result(variant, seed) for seed in (0, 1) for variant in CURVE.variants()]
    whole = logged(CURVE, results).note
    first, second = contrasts_to_markdown(contrasts(CURVE, results))
    note = logged(CURVE, results, "x" * (7500 - len(whole) + 100)).note
    assert first in note
    assert second not in note
    assert "Further contrasts are in `contrasts.csv`." in note


def test_results_of_different_environments_are_told():
    same, other = "cpu AVX512; torch 2.13.0; numpy 2.3.5", "NVIDIA H100; torch 2.11.0; numpy 2.3.5"
    results = [replace(result(variant), environments=(same, same)) for variant in ROWS.variants()]
    assert "different environments" not in logged(ROWS, results).note
    for environments, differing in (
        ((other, same), "cpu AVX512, torch 2.13.0, NVIDIA H100, torch 2.11.0"),
        (("",), "cpu AVX512, torch 2.13.0, numpy 2.3.5, not recorded"),
    ):
        note = logged(ROWS, [*results[:2], replace(results[2], environments=environments)]).note
        assert f"These runs were computed in different environments ({differing}), which may shift scores." in note


def test_without_test_pictures():
    """A result whose test images are none has a table without rows."""
    empty = [Result(r.variant, r.seed, r.table, r.panels[:1]) for r in map(result, ROWS.variants())]
    assert len(logged(ROWS, empty).figures["contact_sheet.png"].axes) == 1 + 3


def test_the_description_ends_with_what_the_answer_is_from():
    origin = Origin("Profile x.", [("Budget", "3 steps")], [Departed("network.norm", "batch", "none", "")])
    results = [result(variant) for variant in ROWS.variants()]
    note = logged(ROWS, results, origin=origin).note
    titles = "| departure | here | in the paper | variants |\n| --- | --- | --- | --- |"
    assert note.endswith(f"- Budget: 3 steps\n\n{titles}\n| network.norm | batch | none |  |")
    many = origin._replace(departures=origin.departures * 300)
    note = logged(ROWS, results, origin=many).note
    assert len(note) < 7500
    assert note.endswith(
        "- Budget: 3 steps\n\nEach departure is told on the pages, and is a tag of the run that has it."
    )


def test_verdicts_stand_between_question_and_answer():
    claim = Claim(
        "1", "A 2020", "Table 1", "Features help.", "layers", "difference",
        "network.concat_layer=distmap - network.concat_layer=none", ">", ("sbd",),
    )  # fmt: skip
    ablation = replace(ROWS, claims=(claim,))
    results = [result(variant, seed) for seed in (0, 1) for variant in ROWS.variants()]
    parent = Parent()
    log_answer(parent, ablation, results, "a caption", "**What?**\n\n6 runs", where="toys, profile smoke")
    table = verdicts_to_markdown(verdicts(ablation, results, "toys, profile smoke"))
    found, answer = finding(ROWS, summarize(ROWS, results)), to_markdown(ROWS, summarize(ROWS, results))
    assert parent.note.startswith(f"{found}\n\n**What?**\n\n{table}\n\n6 runs\n\n{answer}")
    assert parent.tables["claims"]["measured_on"].tolist() == ["toys, profile smoke"]


def test_the_contact_sheet_has_the_declared_order_and_scores():
    results = [result(variant) for variant in reversed(CURVE.variants())]
    figure = logged(CURVE, results).figures["contact_sheet.png"]
    labels = [label for axis in figure.axes if (label := axis.get_ylabel())]
    assert [label.partition("\n")[0] for label in labels] == [variant_label(v) for v in CURVE.variants()]
    scores = [f"SBD {result(v).table['sbd'].mean():.3f}" for v in CURVE.variants()]
    assert [label.partition("\n")[2] for label in labels] == scores


def test_the_parent_has_the_scores_of_the_best_and_of_the_control():
    results = [result(variant) for variant in ROWS.variants()]
    means = {r.variant["network.concat_layer"]: r.table["sbd"].mean() for r in results}
    wanted = {"best/sbd": max(means.values()), "control/sbd": means["dfeat.32"]}
    assert logged(ROWS, results).metrics == {name: round(value, 4) for name, value in wanted.items()}
    assert logged(ROWS, results[:2]).metrics.keys() == {"best/sbd"}  # the control has none
