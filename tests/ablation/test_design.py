from dataclasses import replace

import pytest

from study.ablation.design import Ablation, parse_seeds, plan
from study.errors import StudyError
from study.runs.job import variant_name
from study.settings import Settings

ABLATION = Ablation(
    name="x",
    question="Which?",
    varied={"network.name": ["unet", "wnet"], "loss.inter_weight": [1.0, "only"]},
    control={"network.name": "wnet", "loss.inter_weight": 1.0},
    axis="loss.inter_weight",
)
VARIANTS = [
    {"network.name": "unet", "loss.inter_weight": 1.0},
    {"network.name": "unet", "loss.inter_weight": "only"},
    {"network.name": "wnet", "loss.inter_weight": 1.0},
    {"network.name": "wnet", "loss.inter_weight": "only"},
]


def variant_of(settings):
    """Base of a plan: any system has `settings`, with the changes of the variant."""
    return lambda ablation, variant: settings.with_(ablation.system_and_changes(variant)[1])


def test_variants_are_all_combinations():
    assert ABLATION.variants() == VARIANTS


def test_a_plan_goes_seed_by_seed():
    base = Settings().with_({"network.embedding_dim": 3, "seed": 9})
    runs = plan(ABLATION, variant_of(base), [4, 2])
    assert [run.settings.seed for run in runs] == [4] * 4 + [2] * 4
    assert [run.variant for run in runs] == VARIANTS * 2
    for run in runs:
        flat = run.settings.flat()
        assert {name: flat[name] for name in run.variant} == run.variant
        assert flat["network.embedding_dim"] == 3
    assert runs[0].settings.network.concat_layer == "none"
    assert len({run.settings.digest() for run in runs}) == 8
    assert runs[0].name == "U-Net, λ = 1, seed 4"


def test_dependent_settings_come_along_beneath_the_variant():
    dependent = {
        ("network.name", "unet"): {
            "training.batch_size": 2,
            "loss.inter_weight": 7.0,
            "network.concat_layer": "coordinate",
        },
        ("loss.inter_weight", "only"): {"training.batch_size": 3},
    }
    runs = plan(
        replace(ABLATION, dependent_settings=dependent), variant_of(Settings().with_({"training.batch_size": 5})), [0]
    )
    assert [run.variant for run in runs] == VARIANTS  # without the dependent settings
    assert [run.name for run in runs] == [run.name for run in plan(ABLATION, variant_of(Settings()), [0])]
    assert [run.settings.training.batch_size for run in runs] == [2, 3, 5, 3]  # the later setting wins
    assert [run.settings.loss.inter_weight for run in runs] == [1.0, "only", 1.0, "only"]  # the variant wins
    assert [run.settings.network.concat_layer for run in runs] == ["coordinate", "coordinate", "dfeat.32", "dfeat.32"]


def test_a_plan_refuses_what_no_run_could_take():
    wrong = Ablation("x", "?", {"network.depth": [4, 99]}, {"network.depth": 4})
    with pytest.raises(StudyError, match=r"network\.depth must be at least 1 and at most 7"):
        plan(wrong, variant_of(Settings()), [0])
    with pytest.raises(StudyError, match="seed must be at least 0"):
        plan(ABLATION, variant_of(Settings()), [-1])


EXTRA = {"system": "three-class"}
BOTH = ABLATION.varied


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"varied": {}}, "it varies nothing: give `varied` a setting"),
        ({"varied": {**BOTH, "network.name": []}}, "no value of network.name"),
        ({"varied": {**BOTH, "loss.inter_weight": [1, "only", 1.0]}}, "the value 1.0 of loss.inter_weight twice"),
        ({"varied": {"network.nam": ["unet"]}}, "unknown setting 'network.nam', did you mean network.name"),
        ({"varied": {**BOTH, "seed": [0, 1]}}, "seed is no setting of a variant"),
        ({"extra_variants": [{**EXTRA, "loss.name": "cosine", "los.x": 1}]}, "unknown setting 'los.x'"),
        (
            {"extra_variants": [VARIANTS[1]], "axis": None},
            "have the same name, 'unet, inter_weight only', by which tables",
        ),
        ({"extra_variants": [{"system": "a"}, {"network.name": "a"}], "axis": None}, "have the same name, 'a'"),
        ({"control": {"network.name": "wnet", "loss.inter_weight": 10.0}}, "`control` names {'network.name': 'wnet'"),
        ({"control": {"network.name": "wnet"}}, "none of its variants: take one of unet, inter_weight 1; unet, inter"),
        ({"pictures": {"figure_7": [VARIANTS[0], {"network.name": "vnet"}]}}, "`pictures` (figure_7) names {'net"),
        (
            {"dependent_settings": {("network.name", "vnet"): {}}},
            "`dependent_settings` names network.name = 'vnet', which no variant has",
        ),
        (
            {"dependent_settings": {("network.norm", "none"): {}}},
            "`dependent_settings` names network.norm = 'none', which no variant has",
        ),
        ({"dependent_settings": {("network.name", "wnet"): {"training.batch": 2}}}, "unknown setting 'training.batch'"),
        ({"axis": "network.depth"}, "`axis` is network.depth, which is not varied: take one of network.name, loss.int"),
        (
            {"varied": {"loss.inter_weight": [1.0]}, "control": {"loss.inter_weight": 1.0}},
            "a line for each value of one other varied setting, not of 0: vary two settings",
        ),
        (
            {"varied": {**BOTH, "network.depth": [4]}, "control": VARIANTS[0] | {"network.depth": 4}},
            "a line for each value of one other varied setting, not of 2",
        ),
        (
            {"extra_variants": [{"network.norm": "batch"}]},
            "{'network.norm': 'batch'}, which has no place in a figure along",
        ),
        ({"extra_variants": [EXTRA | {"loss.inter_weight": 5.0}]}, "has no place in a figure along loss.inter_weight"),
        ({"pictures": {"contact_sheet": [VARIANTS[0]]}}, "`pictures` has a figure contact_sheet, as another"),
        ({"pictures": {"x": [VARIANTS[0]]}}, "`pictures` has a figure x, as another"),
    ],
)
def test_what_could_not_be_answered_is_no_ablation(changes, words):
    with pytest.raises(StudyError) as error:
        replace(ABLATION, **changes)
    assert str(error.value).startswith("ablation 'x': ")
    assert words in str(error.value)
    assert all(len(line) <= 300 for line in str(error.value).splitlines())


def test_what_can_be_answered_is_an_ablation(tmp_path):
    printed = tmp_path / "printed.csv"
    printed.write_text("loss.inter_weight,network.name,value,source\n")
    extra = [EXTRA, VARIANTS[0] | {"loss.inter_weight": 5}]
    pictures, dependent = {"y": [EXTRA, VARIANTS[3]]}, {("system", "three-class"): {"network.depth": 2}}
    sound = replace(ABLATION, extra_variants=extra, pictures=pictures, dependent_settings=dependent, printed=printed)
    assert sound.variants() == VARIANTS + extra
    assert replace(sound, control={"network.name": "wnet", "loss.inter_weight": 1}).control in VARIANTS


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "cannot be read ([Errno 2] No such file"),
        ("", "cannot be read (No columns"),
        (
            "network.name,value\n",
            "has the columns network.name, value: it needs loss.inter_weight, network.name, value",
        ),
        ("network.name,loss.inter_weight,sbd\n", "it needs loss.inter_weight, network.name, value"),
        ("network.name,loss.inter_weight,network.depth,value\n", "has the columns loss.inter_weight, network.depth"),
    ],
)
def test_a_file_of_printed_values_that_could_not_be_drawn(text, words, tmp_path):
    file = tmp_path / "printed.csv"
    if text is not None:
        file.write_text(text)
    with pytest.raises(StudyError) as error:
        replace(ABLATION, printed=file)
    assert f"ablation 'x': `printed`, {file}, " in str(error.value)
    assert words in str(error.value)


@pytest.mark.parametrize(
    ("variant", "name"),
    [
        ({"network.name": "unet", "loss.inter_weight": 0.5}, "unet, inter_weight 0.5"),
        ({"network.name": "wnet", "loss.inter_weight": "only"}, "wnet, inter_weight only"),
        ({"loss.inter_weight": 500.0, "network.embedding_dim": 16}, "inter_weight 500, embedding_dim 16"),
        ({"network.stop_gradient": True}, "stop_gradient True"),
    ],
)
def test_variant_name(variant, name):
    assert variant_name(variant) == name


def test_parse_seeds():
    assert parse_seeds("0") == [0]
    assert parse_seeds(" 2, 0,1") == [2, 0, 1]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "--seeds takes whole numbers joined by commas"),
        ("0,,1", "whole numbers"),
        ("0;1", "'0;1'"),
        ("1.5", "whole numbers"),
        ("3,1,3", "--seeds repeats a seed: 3,1,3"),
    ],
)
def test_wrong_seeds(text, words):
    with pytest.raises(StudyError) as error:
        parse_seeds(text)
    assert words in str(error.value)


def test_a_control_and_pictures_take_the_order_of_the_varied_settings():
    """The name of a variant follows that order, and tags and pages tell variants apart by their names."""
    turned = [dict(reversed(variant.items())) for variant in VARIANTS[:2]]
    ablation = replace(ABLATION, control=turned[0], pictures={"figure_x": turned})
    assert list(ablation.control) == list(VARIANTS[0])
    assert [list(variant) for variant in ablation.pictures["figure_x"]] == [list(VARIANTS[0])] * 2
