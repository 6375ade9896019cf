import subprocess
import sys
from pathlib import Path

import pytest

from study.choices import choice_of, choices, mark, markdown
from study.config import in_words
from study.data.sets.opening import VOLUMES
from study.paper import departures
from study.profiles import load_settings
from study.settings import NOT_IN_DIGEST, all_names
from study.systems import PAPERS, PRESETS, SYSTEMS

ROWS = [pytest.param(choice, id=f"{choice.setting} {choice.systems} {choice.data}") for choice in choices()]
# they choose a part of the system, or bear on no result, or take less data than there is
CHOOSERS = {"network.name", "loss.name", "clustering.method"}
LESS_DATA = {"data.name", "data.images", "data.all_test", "data.planes", "data.side"}
OF_THE_CURVE = {"training.validations", "training.validation_images"}
OF_THE_SEARCH = {"tuning.patience", "tuning.images", "seed"}
NO_CHOICE = {*NOT_IN_DIGEST, *CHOOSERS, *LESS_DATA, *OF_THE_CURVE, *OF_THE_SEARCH}
ALL = [(system, "cvppp2017") for system in SYSTEMS]
ALL += [(system, name) for system in ("pea", "affinity-learning") for name in ("bbbc039", *VOLUMES)]


def loaded(system, data, preset="paper"):
    return load_settings(data, profile="full", system=system, preset=preset)


def about(choice):
    """Settings of the systems that a choice is about, in the preset of the papers, and its name in them."""
    group, *_, leaf = choice.setting.split(".")
    name = f"{group}.{leaf}"
    runs = [loaded(system, data) for system, data in ALL]
    return [(run, name) for run in runs if name in run.flat() and choice_of(name, run) == choice]


@pytest.mark.parametrize("choice", ROWS)
def test_a_choice_is_whole(choice):
    assert choice.basis in ("text", "program", "ours")
    assert set(choice.systems.split()) <= set(SYSTEMS)
    assert choice.setting
    assert choice.taken
    if choice.basis == "text":
        assert choice.text
    elif choice.basis == "program":
        assert choice.program
    else:
        assert choice.why


@pytest.mark.parametrize("choice", [row for row in ROWS if row.values[0].is_setting])
def test_what_is_taken_is_what_a_run_of_the_paper_has(choice):
    group, *component, leaf = choice.setting.split(".")
    assert f"{group}.{leaf}" in all_names()
    runs = about(choice)
    assert runs or component  # the methods that W-Net is compared with are of no system
    for run, name in runs:
        assert in_words(run.flat()[name]) == choice.taken
    if component and not runs:
        system = (choice.systems.split() or ["wnet"])[0]
        run = loaded(system, "cvppp2017").with_components({f"{group}.method": component[0]})
        assert choice_of(f"{group}.{leaf}", run) == choice
        assert in_words(run.flat()[f"{group}.{leaf}"]) == choice.taken


@pytest.mark.parametrize("system", PRESETS["code"])
def test_the_programs_values_are_those_of_the_preset(system):
    run = loaded(system, "cvppp2017", "code").flat()
    assert PRESETS["code"][system].keys() & run.keys()
    for name in run:
        choice = choice_of(name, loaded(system, "cvppp2017"))
        in_preset = name in PRESETS["code"][system] and in_words(run[name]) != (choice.taken if choice else "")
        if in_preset:
            assert choice.code == in_words(run[name])
            assert choice.program


def test_a_value_of_the_preset_code_is_in_the_preset():
    for choice in (choice for choice in choices() if choice.code):
        systems = {run.system for run, _ in about(choice)} & PRESETS["code"].keys()
        group, *_, leaf = choice.setting.split(".")
        given = {in_words(PRESETS["code"][system].get(f"{group}.{leaf}", "")) for system in systems}
        assert choice.code in given, choice.setting


@pytest.mark.parametrize(("system", "data"), ALL)
def test_every_setting_of_a_system_has_one_choice(system, data):
    run = loaded(system, data)
    elsewhere = set() if data == "cvppp2017" else {"data.subsets", "data.test_subsets"}
    for name in run.flat().keys() - NO_CHOICE - elsewhere:
        group, leaf = name.split(".")
        ranks = [
            choice.rank(run)
            for choice in choices()
            if choice.is_setting and (choice.setting.split(".")[0], choice.setting.split(".")[-1]) == (group, leaf)
        ]
        ranks = [rank for rank in ranks if rank is not None]
        assert ranks, f"{name} of {system} on {data} has no row in study/choices.csv"
        assert ranks.count(max(ranks)) == 1, f"{name} of {system} on {data} has two rows"


def test_every_setting_of_a_component_has_a_choice():
    there = {(choice.setting.split(".")[0], choice.setting.split(".")[-1]) for choice in choices()}
    absent = [name for name in all_names() if name not in NO_CHOICE and tuple(name.split(".")) not in there]
    assert absent == []


def test_the_page_is_written_from_the_table():
    assert Path("docs/choices.md").read_text(encoding="utf-8") == markdown()
    command = [sys.executable, "-m", "study.choices"]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == markdown()


def test_every_system_has_a_paper():
    assert PAPERS.keys() == SYSTEMS.keys()


def test_what_no_text_has_is_marked():
    wnet, elc, pea = (loaded(system, "cvppp2017") for system in ("wnet", "elc", "pea"))
    assert mark("loss.distance_scale", wnet) == "ours; the text: distances divided by the object's largest"
    assert mark("network.dropout", wnet) == "ours: the text is silent"
    assert mark("loss.similarity", wnet).startswith("ours; the text: the signed cosine (Eq. 1)")
    assert mark("network.depth", wnet) == "ours: the text is silent"
    assert [mark(name, elc) for name in ("network.depth", "loss.similarity", "clustering.seed_smoothing")] == [""] * 3
    assert mark("data.crop_size", pea) == "ours; the text: cropping, the size is not said"
    assert mark("training.learning_rate", pea) == ""
    assert mark("tuning.images", pea) == ""  # is no choice of a paper


def test_a_run_of_the_papers_departs_in_nothing():
    for system, data in ALL:
        assert departures(loaded(system, data)) == {}
