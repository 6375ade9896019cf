import pytest

from ablations import find_ablations
from reports.build import choosing
from reports.build.choosing import chosen_reports, pages_of_launches
from reports.build.names import NAMES
from study.errors import StudyError
from study.tracking import connect, start_run


def chosen(name="wnet_tables", run_ids="", dataset=""):
    return chosen_reports([name], run_ids, dataset)[name]


def all_chosen(run_ids="", dataset=""):
    return chosen_reports([], run_ids, dataset)


def test_the_newest_launches_of_the_newest_data_set(made):
    assert chosen() == [made.concat_layer.id, made.constraints.id, made.partial.id]
    assert chosen(dataset="cvppp2017") == [made.on_cvppp.id]


def launched(name, status, experiment=None):
    run = start_run(experiment or connect(), name, "", {"ablation": name, "dataset": "leaves", "control": "c"})
    run.end(status)
    return run.run_id


@pytest.mark.usefixtures("store")
def test_a_finished_launch_is_preferred_to_a_newer_one():
    finished, _, failed, _ = (
        launched(*of)
        for of in (("lambda", "FINISHED"), ("lambda", "FAILED"), ("clustering", "FAILED"), ("unknown", "FINISHED"))
    )
    assert {*chosen()} == {finished, failed}


def test_the_newest_launch_counts_wherever_it_is(store):
    newest = [launched("lambda", "FINISHED", experiment) for experiment in (None, "0", store.create_experiment("x"))][
        -1
    ]
    assert chosen() == [newest]


@pytest.mark.usefixtures("store")
def test_no_launch_at_all():
    with pytest.raises(StudyError, match="holds no launch of an ablation: start one with"):
        chosen()


@pytest.mark.parametrize(
    ("name", "run_ids", "dataset", "words"),
    [
        ("wnet_tables", "abc", "", "there is no run 'abc'"),
        ("wnet_tables", "child", "", "is one run of the launch"),
        (
            "wnet_figures",
            "",
            "moon",
            "--dataset moon: no launch of an ablation is on it; there are some on cvppp2017, l",
        ),
        ("run_card", "", "", "run_card takes one run, by --run_ids ID, not 0"),
        ("run_card", "parent", "", "is the launch of an ablation; run_card takes one of the runs below it"),
        (
            "run_card",
            "",
            "leaves",
            "--dataset chooses launches for chen_tables, .*wnet_tables; run_card takes",
        ),
        ("run_card", "child", "leaves", "--dataset chooses launches where --run_ids names none"),
        ("chen_tables", "parent", "", "names no launch that chen_tables shows: it is about neighbour_distance"),
        ("chen_tables", "", "leaves", "--dataset leaves: no launch of the ablation neighbour_distance is on it; there"),
        ("compare", "child", "", "compare takes two or more runs"),
    ],
)
def test_wrong_runs_are_refused(made, name, run_ids, dataset, words):
    ids = {"child": next(iter(made.concat_layer.children.values())), "parent": made.concat_layer.id}
    with pytest.raises(StudyError, match=words):
        chosen(name, ids.get(run_ids, run_ids), dataset)


def test_runs_of_all_kinds(made):
    child, other = list(made.concat_layer.children.values())[:2]
    assert chosen("run_card", child) == [child]
    assert chosen("compare", f"{child}, {other},{child}") == [child, other]
    assert chosen("compare", made.concat_layer.id) == [made.concat_layer.id]


def test_each_ablation_is_shown_by_a_report():
    pages = pages_of_launches()
    shown = {name for shown in pages.values() for name in shown}
    assert shown - {"em"} == find_ablations().keys() - {"em"}  # a page whose question may be missing
    assert pages.keys() | {"run_card", "compare", "claims"} == {*NAMES}


def test_without_a_name_the_launches_choose_the_reports(made):
    given = [made.partial.id, made.on_cells.id, made.systems.id]
    assert all_chosen(",".join(given)) == {
        "wnet_tables": [made.partial.id],
        "wnet_figures": [made.partial.id],
        "chen_tables": [made.on_cells.id],
        "systems": [made.systems.id],
    }
    on_cells = {"chen_tables": [made.on_cells.id], "loss_comparison": [made.losses.id], "systems": [made.systems.id]}
    assert all_chosen(dataset="dsb2018") == on_cells
    assert all_chosen().keys() == {"wnet_tables", "wnet_figures", "loss_comparison"}  # of the newest data set


def name_of(launch):
    """The ablation that a launch among those made is of; None for everything else."""
    return launch.ablation.name if hasattr(launch, "ablation") else None


def test_all_claims_are_judged_by_the_newest_launch_of_each_question_on_any_data(made):
    newest = {ablation: launch for launch in vars(made).values() if (ablation := name_of(launch))}
    newest["loss"] = made.losses  # the newer one has failed
    assert chosen("claims") == [newest[name].id for name in find_ablations() if name in newest]
    assert len({made.client.get_run(run_id).data.tags["dataset"] for run_id in chosen("claims")}) > 2
    of_one = chosen("claims", dataset="dsb2018")
    assert {made.client.get_run(run_id).data.tags["dataset"] for run_id in of_one} == {"dsb2018"}
    assert chosen("claims", made.systems.id) == [made.systems.id]


def test_a_launch_that_no_page_shows_is_shown_by_compare(made, monkeypatch):
    monkeypatch.setattr(choosing, "pages_of_launches", lambda: {"systems": ("systems",)})
    given = f"{made.partial.id},{made.systems.id}"
    assert all_chosen(given) == {"systems": [made.systems.id], "compare": [made.partial.id]}


def test_a_launch_that_no_named_report_shows(made):
    with pytest.raises(StudyError, match=f"run {made.losses.id} is a launch of the ablation 'loss', which wnet_tables"):
        chosen(run_ids=f"{made.partial.id},{made.losses.id}")


@pytest.mark.usefixtures("store")
def test_a_report_of_one_ablation_tells_how_to_launch_it():
    launched("lambda", "FINISHED")
    with pytest.raises(
        StudyError, match="no launch of the ablation systems: start one with python -m ablations systems"
    ):
        chosen("systems")
