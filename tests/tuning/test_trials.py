from dataclasses import replace

import numpy as np
import pytest

from study.clustering.angular import Angular
from study.data.batches import NetworkImage
from study.data.targets import distance_map
from study.errors import StudyError
from study.evaluation import evaluate, means
from study.settings import Tuning
from study.tuning import check_objectives, score_on, search
from tests.maps import image_maps

HARD = np.linspace(0, 0.2, 12)  # how much worse each image is
GIVEN = Angular(angle=60.0, seed_threshold=0.4)
PAPER = Angular()
BUDGET = Tuning(trials=25, patience=25)


def score(clustering, i):
    """Best at 30 degrees and 0.5, on every image; fewer objects are miscounted the higher the threshold."""
    sbd = 0.95 - abs(clustering.angle - 30) / 80 - abs(clustering.seed_threshold - 0.5) - HARD[i]
    return {"sbd": sbd, "fbd": sbd, "map": sbd / 2, "abs_dic": 10 * (1 - clustering.seed_threshold)}


def searched(budget=BUDGET, given=GIVEN, **options):
    return search(score, len(HARD), given, PAPER, budget, **options)


def timeless(found):
    return found.trials.drop(columns="seconds")


def test_the_first_trials_are_the_papers_and_the_own_values():
    trials = searched().trials
    assert list(trials["stage"][:3]) == ["paper", "given", "search"]
    assert list(trials["angle"][:2]) == [45.0, 60.0]
    assert list(trials["seed_threshold"][:2]) == [0.7, 0.4]
    assert (trials["state"][:2] == "complete").all()


@pytest.mark.parametrize("seed", range(4))
def test_nothing_worse_than_the_paper_is_found(seed):
    found = searched(seed=seed)
    complete = found.trials[found.trials["state"] == "complete"]
    best = complete["sbd"].max()
    assert best >= complete["sbd"].iloc[0]
    expected = np.mean([score(found.best, i)["sbd"] for i in range(len(HARD))])
    assert best == pytest.approx(expected, abs=1e-12)
    assert best > complete["sbd"].iloc[0] + 0.1  # a search of a smooth function gets somewhere
    assert found.trials.loc[found.trials["front"], "sbd"].tolist() == [best]


def test_settings_that_are_not_searched_stay():
    given = Angular(seeds="regions", foreground="none", seed_min_distance=7)
    found = searched(given=given)
    assert found.names == ("seed_threshold", "seed_smoothing", "angle", "min_size", "min_distance")
    assert replace(found.best, **{name: getattr(given, name) for name in found.names}) == given


def test_where_nothing_is_better_the_papers_values_are_taken():
    found = search(lambda *_: dict.fromkeys(("sbd", "fbd", "map", "abs_dic"), 0.5), 3, GIVEN, PAPER, Tuning(trials=8))
    assert replace(found.best, angle=GIVEN.angle, seed_threshold=GIVEN.seed_threshold) == GIVEN
    assert (found.best.angle, found.best.seed_threshold) == (45.0, 0.7)
    assert found.importance == {}


def test_trials_that_will_not_win_end_early():
    trials = searched().trials
    pruned, complete = (trials[trials["state"] == state] for state in ("pruned", "complete"))
    assert len(pruned) > 5
    assert (pruned["images"] < len(HARD)).all()
    assert (pruned["images"] % 4 == 0).all()
    assert (complete["images"] == len(HARD)).all()
    assert pruned["sbd"].max() < complete["sbd"].max()
    assert set(pruned["stage"]) == {"search", "around"}


@pytest.mark.parametrize("seed", range(4))
def test_no_trial_that_ended_early_would_have_won(seed):
    found = searched(seed=seed)
    settings = [replace(GIVEN, **row) for row in found.trials[list(found.names)].to_dict("records")]
    whole = [np.mean([score(clustering, i)["sbd"] for i in range(len(HARD))]) for clustering in settings]
    assert (found.trials["state"] == "pruned").any()
    assert settings[int(np.argmax(whole))] == found.best


def test_around_the_optimum_nothing_is_tried_twice():
    trials = searched().trials
    tried = trials[list(searched().names)]
    assert not tried[(trials["stage"] == "around") & tried.duplicated()].size


def test_a_trial_that_wins_is_never_ended_early():
    """Each trial better than all before: its images are never worse."""
    calls = []

    def better_and_better(clustering, i):
        calls.append(i)
        return dict.fromkeys(("sbd", "fbd", "map", "abs_dic"), len(calls) / 1e4)

    trials = search(better_and_better, 12, GIVEN, PAPER, Tuning(trials=10)).trials
    assert (trials["state"] == "complete").all()


def test_the_sensitivity_is_measured_around_the_optimum():
    found = searched()
    trials = found.trials
    own, around = (trials[(trials["stage"] == "around") == flag] for flag in (False, True))
    first = own.loc[own[own["state"] == "complete"]["sbd"].idxmax()]
    changed = (around[list(found.names)] != first[list(found.names)]).sum(axis=1)
    assert (changed.iloc[:8] == 1).all()  # up and down, of five settings, some of which stand at the end of their range


@pytest.mark.parametrize("patience", [3, 8])
def test_a_search_stops_when_nothing_gets_better(patience):
    flat = {"sbd": 0.5, "fbd": 0.5, "map": 0.5, "abs_dic": 0.5}
    trials = search(lambda *_: flat, 3, GIVEN, PAPER, Tuning(trials=50, patience=patience)).trials
    assert (trials["stage"] != "around").sum() == 1 + patience
    trials = searched(Tuning(trials=9, patience=patience)).trials
    assert (trials["stage"] != "around").sum() <= 9


@pytest.mark.parametrize("threads", [1, 3])
def test_the_number_of_threads_changes_nothing(threads):
    assert timeless(searched(threads=threads)).equals(timeless(searched()))


def test_another_seed_is_another_search():
    assert not timeless(searched(seed=1)).equals(timeless(searched()))


@pytest.mark.parametrize("scored", [0, 5, 13, 60, 110, 200])
def test_a_search_that_was_cut_off_goes_on_to_the_same_end(scored, tmp_path):
    """While images are scored, between trials, around the optimum."""
    calls = []

    def until(clustering, i):
        calls.append(i)
        if len(calls) > scored:
            raise KeyboardInterrupt
        return score(clustering, i)

    whole, file = searched(), tmp_path / "search.log"
    assert scored < whole.trials["images"].sum()
    with pytest.raises(KeyboardInterrupt):
        search(until, len(HARD), GIVEN, PAPER, BUDGET, file=file)
    calls.clear()
    scored += 10**6
    again = search(until, len(HARD), GIVEN, PAPER, BUDGET, file=file)
    assert timeless(again).equals(timeless(whole))
    assert again.best == whole.best
    assert len(calls) <= whole.trials["images"].sum()


def test_a_finished_search_is_not_made_again(tmp_path):
    file = tmp_path / "search.log"
    whole = searched(file=file)
    again = search(lambda *_: pytest.fail("scored again"), len(HARD), GIVEN, PAPER, BUDGET, file=file)
    assert again.trials.equals(whole.trials)


@pytest.mark.parametrize("cut", [1, 30, 2000])
def test_half_a_line_at_the_end_is_left_out(cut, tmp_path):
    whole, file = searched(file=tmp_path / "search.log"), tmp_path / "search.log"
    file.write_bytes(file.read_bytes()[:-cut])
    assert timeless(searched(file=file)).equals(timeless(whole))


@pytest.mark.parametrize("content", [b"no such thing\n", b"{}\n{}\n", b"\xff\xfe\n\n"])
def test_a_damaged_file_is_kept_aside_told_and_begun_anew(content, tmp_path, capsys):
    file = tmp_path / "search.log"
    file.write_bytes(content)
    assert timeless(searched(file=file)).equals(timeless(searched()))
    assert (tmp_path / "search.log.damaged").read_bytes() == content
    told = capsys.readouterr().out
    assert told.startswith(f"cannot read the trials in {file} (")
    assert told.endswith("): they are made again; see search.log.damaged\n")


def test_damage_in_the_middle_is_told(tmp_path, capsys):
    file = tmp_path / "search.log"
    searched(file=file)
    lines = file.read_bytes().splitlines(keepends=True)
    lines[5] = b"no such thing\n"
    file.write_bytes(b"".join(lines))
    assert timeless(searched(file=file)).equals(timeless(searched()))
    assert (tmp_path / "search.log.damaged").read_bytes() == b"".join(lines)
    assert "they are made again" in capsys.readouterr().out


def test_the_lock_of_a_killed_process_is_no_hindrance(tmp_path):
    (tmp_path / "search.log.lock").touch()
    assert timeless(searched(file=tmp_path / "search.log")).equals(timeless(searched()))


def test_the_front_of_two_objectives():
    found = searched(objectives=("sbd", "abs_dic"))
    assert found.objectives == ("sbd", "abs_dic")
    trials = found.trials
    assert set(trials["state"]) == {"complete"}
    assert "around" not in set(trials["stage"])
    for _, row in trials.iterrows():
        better = (trials["sbd"] >= row["sbd"]) & (trials["abs_dic"] <= row["abs_dic"])
        strictly = (trials["sbd"] > row["sbd"]) | (trials["abs_dic"] < row["abs_dic"])
        assert row["front"] == (not (better & strictly).any())
    best = trials[trials["sbd"] == trials["sbd"].max()]
    assert found.best.seed_threshold == best.sort_values("abs_dic")["seed_threshold"].iloc[0]


def test_importance_is_a_share():
    found = searched()
    assert set(found.importance) == set(found.names)
    assert sum(found.importance.values()) == pytest.approx(1)
    assert max(found.importance, key=lambda name: found.importance[name]) in ("angle", "seed_threshold")
    assert found.importance["min_size"] < 0.1  # the score does not depend on it


@pytest.mark.parametrize(
    ("objectives", "words"),
    [
        (["dice"], r"unknown objective 'dice', did you mean abs_dic\? Choose one of abs_dic, fbd, map, sbd"),
        (["sbd", "sbd"], "names a score twice"),
    ],
)
def test_objectives_that_cannot_be_searched(objectives, words):
    with pytest.raises(StudyError, match=words):
        check_objectives(objectives)


def test_scores_of_stored_maps_are_those_of_an_evaluation():
    labels = np.zeros((20, 24), np.int32)
    labels[2:10, 2:10], labels[2:10, 10:20] = 1, 2
    image = NetworkImage("a", np.zeros((20, 24, 1), np.float16), labels, labels)
    maps = image_maps(distance_map(labels).astype(np.float16), np.eye(3, dtype=np.float16)[labels])
    clustering = Angular(foreground="none", min_size=5)
    found = score_on([maps], [image])(clustering, 0)
    expected = means(evaluate([maps], [image], clustering).table)
    assert found.items() <= expected.items()
    assert found["sbd"] == 1
