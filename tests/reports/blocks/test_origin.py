from reports.blocks.launch_results import load_launch, load_launches
from reports.blocks.origin import launch_origins, origin_block
from reports.pages.compare import Comparison
from reports.pages.loss_comparison import LossComparison
from study.origin import Departed, Origin

FACTS = [("Budget", "3 steps"), ("Data", "a < b")]


def test_the_block_is_folded_and_its_line_is_the_summary(tables_of):
    origin = Origin("Profile x: 1 departure.", FACTS, [Departed("network.norm", "batch", "none", "")])
    text = origin_block(origin).html
    assert text.startswith("<details><summary>Profile x: 1 departure.</summary>")
    assert text.endswith("</details>")
    facts, departures = tables_of(text)
    assert facts == [["Budget", "Data"], ["3 steps", "a < b"]]
    assert departures == [["network.norm"], ["batch"], ["none"]]


def test_variants_have_a_column_where_they_differ(tables_of):
    rows = [Departed("network.norm", "batch", "none", "unet"), Departed("loss.balance", "both", "none", "")]
    _, departures = tables_of(origin_block(Origin("x", FACTS, rows)).html)
    assert departures[-1] == ["unet", ""]
    (facts,) = tables_of(origin_block(Origin("x", FACTS, [])).html)
    assert facts[0] == ["Budget", "Data"]


def test_the_origin_of_a_launch_is_that_of_its_runs(made, tables_of):
    launch = load_launch([made.concat_layer.id], "concat_layer")
    text = launch_origins([launch]).html
    assert "<summary>Profile smoke on synthetic-leaves, 6 steps (24 images) at 48 px, squared cosine, batch" in text
    assert "departures from Wu et al. 2020.</summary>" in text
    facts, departures = tables_of(text)
    assert dict(zip(*facts, strict=True))["Varied"] == "network.concat_layer, network.name"
    assert "a fixed split" in dict(zip(*facts, strict=True))["Data"]
    assert "network.norm" in departures[0]
    assert not {"network.concat_layer", "network.name"} & set(departures[0])  # are varied


def test_what_a_question_fixes_is_told(made, tables_of):
    facts, _ = tables_of(launch_origins([load_launch([made.on_cells.id], "neighbour_distance")]).html)
    assert dict(zip(*facts, strict=True))["Fixed by the question"] == "loss.similarity = absolute"


def test_several_launches_have_a_block_each_and_one_without_runs_has_none(made):
    ids = [made.concat_layer.id, made.partial.id, made.constraints.id]
    text = launch_origins(load_launches(ids).values()).html
    assert text.count("<details>") == 2
    assert "<summary>concat_layer: Profile smoke" in text
    assert "<summary>lambda: Profile smoke" in text


def test_pages_say_what_they_are_from(made):
    assert LossComparison(made.store, made.losses.id, str(made.folder)).about().html.count("<details>") == 1
    runs = [made.on_cells.children["three-class", 0], made.labels["Cellpose"]]
    text = Comparison(made.store, ",".join(runs), str(made.folder)).about().html
    assert text.count("<details>") == 1
    assert "from Chen et al. 2019.</summary>" in text
    only_labels = Comparison(made.store, made.labels["Cellpose"], str(made.folder))
    assert "<details>" not in only_labels.about().html


def test_captions_say_the_profile(made):
    words = load_launch([made.concat_layer.id], "concat_layer").measured_on()
    assert words.endswith("Profile smoke: 6 steps (24 images) at 48 px.")
