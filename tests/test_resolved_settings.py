import pytest
from click.testing import CliRunner

from ablations.__main__ import main as ablations
from study.__main__ import main
from study.errors import StudyError
from study.profiles import Layer, layers_of, resolve
from study.resolved_settings import check_options, table_of_settings


def rows(text):
    """Setting -> the other columns of its line."""
    return {line.split()[0]: " ".join(line.split()[1:]) for line in text.splitlines()}


def table(dataset="synthetic-leaves", system="wnet", profile="smoke", preset="paper", overrides="", **more):
    layers = layers_of(dataset, "", profile, preset, overrides, system, more.pop("changes", {}), **more)
    return table_of_settings(layers)


def test_each_source_is_named():
    found = rows(
        table(
            system="elc",
            profile="quick",
            preset="code",
            overrides="training.batch_size=2",
            changes={"loss.inter_weight": 0.5},
            defaults={"training.epochs": 7, "training.batch_size": 8},
        )
    )
    assert found["network.dropout"] == "0 profile 0.2 (ours: the text is silent)"
    assert found["network.embedding_dim"] == "16 system"
    assert found["clustering.overwrite"] == "true preset"
    assert found["data.image_size"] == "96 data set 512 (ours: the text is silent)"
    assert found["training.batch_size"] == "2 option 4 (ours: the text is silent)"
    assert found["training.epochs"] == "7 default of the question 500 (ours: the text is silent)"
    assert found["loss.inter_weight"] == "0.5 question 1"
    assert found["training.amsgrad"] == "false default"
    assert found["loss.balance"] == "distance preset"


def test_the_settings_of_the_paper_differ_in_nothing():
    for system in ("wnet", "pea", "discriminative"):
        assert table(system=system, profile="full").splitlines()[-1].startswith("0 of ")


def test_the_number_of_differences():
    last = table(profile="full", overrides="loss.inter_weight=3,network.depth=3,seed=1").splitlines()[-1]
    assert last.startswith("2 of ")  # no paper names a seed


def test_the_command_prints_before_anything_is_trained(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = CliRunner().invoke(main, ["settings", "--profile", "smoke", "--dataset", "neurites", "--system", "pea"])
    assert found.exit_code == 0
    assert rows(found.output)["loss.name"] == "affinity system"
    assert not list(tmp_path.iterdir())


def test_the_settings_of_a_question_are_those_of_its_control():
    found = CliRunner().invoke(ablations, ["em", "--profile", "smoke", "--settings", "1"])
    assert found.exit_code == 0, found.output
    assert found.output.startswith("em, control:\n")
    assert rows(found.output)["data.name"].startswith("neurites")


def test_an_option_that_no_variant_has_is_refused(store):
    options = ["lambda", "--profile", "smoke", "--plan_only", "1", "--set"]
    found = CliRunner().invoke(ablations, [*options, "loss.inter_weight=3"])
    assert found.exit_code == 1
    assert "--set loss.inter_weight has no effect in lambda: each variant sets it itself" in found.output


def test_an_option_that_one_variant_has_is_taken():
    variants = [
        resolve([Layer("option", {"clustering.angle": 40}), Layer("question", {"clustering.method": method})])
        for method in ("angular", "mutex-watershed")
    ]
    check_options("clustering.angle=40", variants, "clustering")
    with pytest.raises(StudyError, match=r"--set clustering.angle has no effect in clustering"):
        check_options("clustering.angle=40", variants[1:], "clustering")
