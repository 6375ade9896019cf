import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from PIL import Image

import ablations
from ablations import asked_by, find_ablations, find_questions
from ablations.__main__ import main
from reports.blocks.launch_results import load_launches
from reports.blocks.subsets import group_scores, subset_results
from reports.build.choosing import newest_launches
from study.ablation.design import plan
from study.config import in_words
from study.data.sets.opening import open_dataset
from study.profiles import layers_of, load_settings, resolve

ABLATIONS, OF_ALL = find_ablations(), asked_by("all")
EACH = pytest.mark.parametrize("module", find_questions().values(), ids=lambda module: module.__name__)


def test_every_file_is_a_question():
    folder = Path(ablations.__file__).parent
    assert {file.stem for file in folder.glob("[!_]*.py")} == {
        module.__name__.removeprefix("ablations.") for module in find_questions().values()
    }
    assert replace(ABLATIONS["lambda"], claims=()) == find_questions()["lambda"].ABLATION


def test_all_are_asked_in_the_order_of_the_paper():
    paper = ["concat_layer", "constraints", "embedding_dim", "lambda", "clustering"]
    assert [ablation.name for ablation in OF_ALL] == paper
    assert list(ABLATIONS) == paper + sorted(ABLATIONS.keys() - {*paper})
    assert asked_by("subsets") == [ABLATIONS["subsets"]]
    assert all(ablation.defaults.keys() <= {"data.name"} for ablation in OF_ALL)


def test_the_panels_of_figure_7():
    """(a) to (d) of Wu et al. 2020: λ = 0.5, 10, 100, and the between-instance term alone."""
    panels = ABLATIONS["lambda"].pictures["figure_7"]
    assert [panel["loss.inter_weight"] for panel in panels] == [0.5, 10.0, 100.0, "only"]


def test_the_papers_tables_of_affinities():
    """Rows of Table 1 (ours), 2, 5, 6 and 7 of Huang et al. 2022, each with the settings that it names."""
    rows = {name: [run.settings for run in plan(ABLATIONS[name], at("full"), [0])] for name in ABLATIONS}
    backbones = [(s.network.name, s.network.base_width, s.network.depth) for s in rows["pea_backbones"]]
    assert backbones == [("residual", 16, 4), ("resnet-50", 32, 4), ("resnet-101", 32, 4)]
    modules = [(s.loss.cross_weight, s.loss.pyramid_weight) for s in rows["pea_modules"]]
    assert modules == [(0, 0), (0, 1), (1, 0), (1, 1)]
    views = {(s.loss.view_turns, s.loss.view_cutout, s.loss.view_intensity) for s in rows["pea_views"]}
    assert views == {(True, True, True), (False, True, True), (True, False, True), (True, True, False)}
    assert all(s.loss.ranges == s.clustering.ranges for s in rows["pea_ranges"])
    assert len({s.digest(groups=("data", "network", "loss", "training")) for s in rows["pea_adaptive"]}) == 1
    compared = {(s.network.name, s.loss.name, s.clustering.method) for s in rows["pea"]}
    assert compared == {
        ("residual", "affinity", "affinity-watershed"),
        ("affinity", "affinity", "affinity-watershed"),
        ("residual", "discriminative", "affinity-watershed"),
        ("residual", "discriminative", "mean-shift"),
    }


@pytest.mark.parametrize("profile", ["quick", "full"])
def test_the_methods_of_a_table_of_affinities_are_trained_alike(profile):
    """What a profile or a paper chooses for one of them, the others have too, as far as they have the setting."""
    plans = [run.settings.flat() for run in plan(ABLATIONS["pea"], at(profile), [0])]
    apart = {"system", "network.name", "loss.name", "clustering.method"}
    for name in {name for flat in plans for name in flat if name.split(".")[0] in ("training", "data")} - apart:
        assert len({flat.get(name) for flat in plans}) == 1, name
    shared = [flat for flat in plans if flat["clustering.method"] == "affinity-watershed"]
    for name in ("ranges", "neighbourhood", "stride", "bias", "fragment_size"):
        assert len({flat[f"clustering.{name}"] for flat in shared}) == 1, name


def at(profile, dataset="", overrides=""):
    def base(ablation, variant):
        system, changes = ablation.system_and_changes(variant)
        name = dataset or ablation.defaults.get("data.name", "synthetic-leaves")
        layers = layers_of(name, "", profile, "paper", overrides, system, changes, fixed=ablation.fixed)
        return resolve(layers).settings

    return base


@pytest.mark.parametrize("profile", ["smoke", "quick", "full"])
@pytest.mark.parametrize("name", ["constraints", "embedding_dim", "neighbour_distance"])
def test_questions_on_dimensions_have_the_loss_that_they_are_about(profile, name):
    """The square of the cosine keeps more objects apart than there are dimensions; images have more of them."""
    ablation = ABLATIONS[name]
    settings = [run.settings for run in plan(ablation, at(profile), [0])]
    assert {s.loss.similarity for s in settings if s.loss.name == "cosine"} == {"absolute"}
    records = open_dataset(settings[0].data).splits["val"]
    counts = [record.load().labels.max() for record in records]
    assert np.mean(counts) > 8
    result = CliRunner().invoke(main, [name, "--set", "loss.similarity=squared"])
    assert result.exit_code == 1
    assert "loss.similarity has no effect" in result.output


@pytest.mark.parametrize("profile", ["smoke", "quick", "full"])
def test_all_dimensions_see_the_same_images(profile):
    runs = plan(ABLATIONS["embedding_dim"], at(profile), [0]) + plan(ABLATIONS["constraints"], at(profile), [0])
    assert len({(s.training.batch_size, s.training.steps, s.training.epochs) for s in (r.settings for r in runs)}) == 1


@pytest.mark.parametrize(("profile", "distinct"), [("smoke", 29), ("quick", 29), ("full", 27)])
@pytest.mark.parametrize("seeds", [[0], [3, 5]])
def test_what_several_questions_share_is_trained_once(profile, distinct, seeds):
    base = at(profile, "synthetic-leaves")
    settings = [run.settings for ablation in OF_ALL for run in plan(ablation, base, seeds)]
    count = len(seeds)
    assert len(settings) == (7 + 4 + 10 + 12 + 8) * count
    # 7 layers; 3 further constraints; 10 - 3 further dimensions; 12 - 2 further weights; no further network. The small
    # profiles have another loss, but for constraints and dimensions: the control is trained with both
    assert len({s.digest(groups=("data", "network", "loss", "training")) for s in settings}) == distinct * count
    assert len({s.digest() for s in settings}) == (distinct + 3 * 2) * count  # three more clusterings of two networks


@pytest.mark.parametrize(
    ("variant", "dependent"),
    [
        ({"network.concat_layer": "none"}, {"network.name": "unet"}),
        ({"network.concat_layer": "coordinate"}, {"network.name": "unet"}),
        ({"network.concat_layer": "dfeat.8"}, {"network.name": "wnet"}),
    ],
)
def test_dependent_settings_of_a_variant(variant, dependent):
    (ablation,) = [ablation for ablation in OF_ALL if variant in ablation.variants()]
    for network in ("unet", "wnet"):  # whatever the base
        base = load_settings(overrides=f"network.name={network}")
        (run,) = [
            run
            for run in plan(ablation, lambda a, v, base=base: base.with_(a.system_and_changes(v)[1]), [0])
            if run.variant == variant
        ]
        assert (dependent | variant).items() <= run.settings.flat().items()


@EACH
def test_pictures_show_variants(module):
    ablation = module.ABLATION
    for name, variants in ablation.pictures.items():
        assert name.isidentifier()
        assert len(variants) > 1
        assert all(variant in ablation.variants() for variant in variants)


@EACH
def test_the_variants_hold_the_control_and_fit_every_profile(module):
    ablation = module.ABLATION
    assert ablation.control in ablation.variants()
    assert ablation.axis is None or (ablation.axis in ablation.varied and len(ablation.varied) == 2)  # axis and lines
    assert ablation.question.endswith("?")
    for profile in ("smoke", "quick", "full"):
        runs = plan(ablation, at(profile), [0])
        assert len({run.settings.digest() for run in runs}) == len(runs) == len(ablation.variants())
        assert len({run.name for run in runs}) == len(runs)


@EACH
def test_printed_values_belong_to_variants(module):
    ablation = module.ABLATION
    if ablation.printed is None:
        pytest.skip("the paper prints no values")
    printed = pd.read_csv(ablation.printed)
    assert set(printed.columns) == {*ablation.varied, "value", "test_set", "source"}
    variants = ablation.variants()
    for row in printed.to_dict("records"):
        assert {name: row[name] for name in ablation.varied} in variants
    assert not printed.duplicated(list(ablation.varied)).any()
    assert printed["value"].between(0, 1).all()
    assert printed["source"].str.contains(r"\d{4}.*legacy score").all()  # a paper's year; no true SBD is printed


@EACH
def test_the_file_tells_how_it_is_run(module):
    assert module.ABLATION.question in module.__doc__
    assert "Expected:" in module.__doc__
    (entry_point,) = re.findall(r"mlflow run \. -e (\w+)", module.__doc__)
    assert entry_point == module.ABLATION.entry_point


def test_all_questions_are_answered(store, monkeypatch):
    # seconds a run; has tests of its own
    tiny = "network.base_width=2,network.depth=1,training.steps=1,training.validations=1,training.threads=1"
    tiny += ",tuning.trials=0,data.images=1,data.image_size=16"
    options = ["--profile", "smoke", "--executor", "inline", "--report", "0", "--set", tiny]
    ended = CliRunner().invoke(main, ["all", *options])
    assert ended.exit_code == 0, ended.output
    runs = store.search_runs([e.experiment_id for e in store.search_experiments()])
    assert {run.info.status for run in runs} == {"FINISHED"}
    parents = {run.data.tags["ablation"]: run for run in runs if "mlflow.parentRunId" not in run.data.tags}
    asked = {ablation.name: ablation for ablation in OF_ALL}
    assert parents.keys() == asked.keys()
    for name, ablation in asked.items():
        parent = parents[name].info.run_id
        children = [run for run in runs if run.data.tags.get("mlflow.parentRunId") == parent]
        variants = [{name: in_words(value) for name, value in variant.items()} for variant in ablation.variants()]
        assert len(children) == len(variants)
        for variant in variants:
            assert any(variant.items() <= run.data.params.items() for run in children)
        assert all("test/sbd" in run.data.metrics for run in children)
        files = {item.path for item in store.list_artifacts(parent)}
        figures = {f"{figure}.png" for figure in (name, "contact_sheet", *ablation.pictures)}
        tables = ["answer", "claims", *(["contrasts"] if len(ablation.varied) > 1 else [])]
        assert files == {f"{table}.{kind}" for table in tables for kind in ("csv", "json")} | figures
        note = parents[name].data.tags["mlflow.note.content"]
        assert note.index("Claims and verdicts, on synthetic-") < note.index("Asked: SBD")
        assert "profile smoke:" in note


def test_subsets_are_trained_together_and_told_apart(store, monkeypatch, tmp_path):
    labels = np.zeros((16, 16), np.uint8)
    labels[2:8, 2:8], labels[9:15, 4:14] = 1, 2
    for subset, plants in (("A1", (1, 2, 3, 16)), ("A2", (1, 2, 3, 4, 5))):  # plants 2 and 16 of A1 are test images
        (tmp_path / subset).mkdir()
        for plant in plants:
            stem = tmp_path / subset / f"plant{plant:03d}"
            Image.fromarray(np.dstack([40 * labels + plant] * 3)).save(f"{stem}_rgb.png")
            Image.fromarray(labels).save(f"{stem}_label.png")
    tiny = "network.base_width=2,network.depth=1,training.steps=1,training.threads=1,tuning.trials=0,data.image_size=16"
    options = ["--profile", "smoke", "--data_root", str(tmp_path), "--executor", "inline"]
    ended = CliRunner().invoke(main, ["subsets", *options, "--report", "0", "--set", tiny])
    assert ended.exit_code == 0, ended.output
    found = subset_results(load_launches(newest_launches()))
    assert found.keys() == {"unet", "wnet"}
    for _, results in found.values():
        table = results[0].table
        of_subset = table.groupby(table["image"].str[:2])["sbd"].mean()
        assert set(of_subset.index) == {"A1", "A2"}
        scores = group_scores([table], "sbd")
        assert scores["A1"][0] == pytest.approx(of_subset["A1"])
        assert scores.keys() == {"A1", "A2"}  # no mean of a group of which a subset is missing
