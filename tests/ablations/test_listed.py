"""What the help says of the questions is what they are."""

import pytest
from click.testing import CliRunner

from ablations import ALL, asked_by, find_questions
from ablations.__main__ import main
from ablations._listed import ListedQuestion, listed_questions, wrapped
from study.ablation.design import plan
from study.networks import CONCAT_LAYERS
from study.profiles import layers_of, resolve

FIELDS = [name for name in ListedQuestion.__dataclass_fields__ if name != "about"]


def told(*arguments):
    ended = CliRunner().invoke(main, [*arguments, "--help"])
    assert ended.exit_code == 0, ended.output
    return ended.output


def flowing(text):
    return " ".join(text.split())


def test_the_list_is_that_of_the_questions_in_their_order():
    questions, listed = find_questions(), listed_questions()
    assert list(listed) == list(questions)
    for name, module in questions.items():
        for field in FIELDS:
            assert getattr(listed[name], field) == getattr(module.ABLATION, field), (name, field)
        assert listed[name].variants() == module.ABLATION.variants()


def settings_of(ablation, variant):
    system, changes = ablation.system_and_changes(variant)
    return resolve(
        layers_of("synthetic-leaves", "", "quick", "paper", "", system, changes, None, ablation.fixed)
    ).settings


@pytest.mark.parametrize("name", [name for name in listed_questions() if name != "em"])  # which takes volumes
def test_the_trainings_are_those_of_a_plan(name):
    (ablation,) = asked_by(name)
    runs = plan(ablation, settings_of, [0])
    distinct = {run.settings.digest(groups=("data", "network", "loss", "training")) for run in runs}
    assert listed_questions()[name].trainings() == len(distinct)


def test_the_help_has_a_line_for_each_question():
    text = flowing(told())
    assert "lambda How strongly should neighbouring objects be pushed apart? (Wu et al. 2020, section 4.5" in text
    for name, listed in listed_questions().items():
        assert f" {name} {listed.line}" in text
    assert f" {ALL} Ask the questions of the W-Net paper" in text


def test_the_help_of_a_question_tells_what_is_varied_the_control_and_the_cost():
    text = told("lambda")
    assert flowing(text).count("How strongly should neighbouring objects be pushed apart?") == 1
    for line in (
        "  Run:      mlflow run . -e ablate_lambda",
        "    network.name: unet, wnet",
        "    loss.inter_weight: 0.5, 1, 10, 100, 500, only",
        "    network.name = wnet, loss.inter_weight = 1",
        "    12 runs of 12 trainings for each seed.",
    ):
        assert line in text.splitlines()
    assert "--plan_only 1" in text
    assert "  --seeds TEXT" in text


def test_runs_that_share_a_training_are_told():
    assert "8 runs of 2 trainings for each seed; runs that differ in their clustering alone share one." in (
        flowing(told("clustering"))
    )
    assert "    and system = discriminative, clustering.method = mean-shift" in told("loss").splitlines()
    assert "    loss.similarity = absolute" in told("constraints").splitlines()  # fixed
    assert "    data.name = synthetic-cells" in told("constraints").splitlines()


def test_a_line_is_wrapped_below_its_words():
    assert wrapped("Expected: the first, and then the second", 22) == [
        "Expected: the first,",
        "          and then the",
        "          second",
    ]
    assert wrapped("    network.depth: 1, 2, 3, 4", 24) == ["    network.depth: 1, 2,", "      3, 4"]
    assert wrapped("  loss.inter_weight = 1, network.depth = 2", 28) == [
        "  loss.inter_weight = 1,",
        "    network.depth = 2",
    ]
    assert wrapped("", 20) == []


def test_a_command_can_be_copied_from_the_help():
    """Bash joins what a backslash has parted."""
    line = "Run:      mlflow run . -e ablate_pea_adaptive -P dataset=cvppp2017 -P data_root=/data -P set=a=1"
    lines = wrapped(line, 50)
    assert len(lines) == 3
    assert all(len(part) <= 50 and part.endswith(" \\") for part in lines[:-1])
    joined = "\n".join(lines).removeprefix("Run:").replace("\\\n", "")
    assert joined.split() == line.removeprefix("Run:").split()


def test_the_help_of_all_names_its_questions():
    assert "concat_layer, constraints, embedding_dim, lambda, clustering" in flowing(told(ALL))


def test_the_layers_that_are_written_out_are_those_of_the_networks():
    (ablation,) = asked_by("concat_layer")
    assert ablation.varied["network.concat_layer"] == list(CONCAT_LAYERS)
    given = {layer: settings["network.name"] for (_, layer), settings in ablation.dependent_settings.items()}
    assert given == CONCAT_LAYERS
