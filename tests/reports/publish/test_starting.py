import numpy as np
import pandas as pd
import pytest

from ablations import find_ablations
from reports.publish.starting import recommended, start_frame, start_section
from study.runs.job import Result

SYSTEMS = find_ablations()["systems"].variants()


def results(better, seeds=(0, 1, 2)):
    """All systems score alike but for noise, and those of `better` by so much more."""
    rng = np.random.default_rng(0)
    made = []
    for seed in seeds:
        for variant in SYSTEMS:
            scores = 0.5 + better.get(variant["system"], 0) + 0.01 * rng.normal(size=6)
            table = pd.DataFrame({"image": list("abcdef"), "sbd": scores, "sbd_paper_thresholds": scores - 0.1})
            made.append(Result(variant, seed, table, []))
    return {(1, "systems"): made}


@pytest.mark.parametrize(
    ("nuclei", "leaves", "names"),
    [
        ({"pea": 0.2, "unet": 0.2}, {"pea": 0.2, "unet": -0.2}, ["PEA"]),
        ({"pea": 0.2}, {"unet": 0.2}, []),
        ({"pea": -0.2}, {"pea": -0.2}, []),
    ],
)
def test_a_system_is_recommended_where_it_is_above_the_default_on_both(nuclei, leaves, names):
    frame = start_frame({"Nuclei": results(nuclei), "Leaves": results(leaves)}, {"Nuclei", "Leaves"})
    assert recommended(frame) == names
    words = start_section(frame)[-1]
    assert words.endswith(f"here on Nuclei and Leaves: {'PEA is' if names else 'none is'}.")


def test_one_data_set_recommends_nothing():
    found = {"Nuclei": results({"pea": 0.2}), "Drawn": results({"pea": 0.2})}
    frame = start_frame(found, {"Nuclei"})
    assert recommended(frame) == []
    assert "so far Nuclei alone has all seeds" in start_section(frame)[-1]


def test_a_data_set_that_lacks_a_seed_decides_nothing():
    found = {"Nuclei": results({"pea": 0.2}), "Leaves": results({"pea": 0.2}, (0, 1))}
    frame = start_frame(found, set(found))
    assert recommended(frame) == []
    assert "so far Nuclei alone has all seeds" in start_section(frame)[-1]


def test_the_best_comes_first_and_the_default_is_compared_with_nothing():
    frame = start_frame({"Nuclei": results({"pea": 0.2})}, {"Nuclei"})
    best, default = frame.iloc[0], frame[frame["variant"] == "W-Net"].iloc[0]
    assert best["variant"] == "PEA"
    assert (best["sbd"] - best["by_paper"], best["seeds"]) == (pytest.approx(0.1), 3)
    assert best["difference"] == pytest.approx(best["sbd"] - default["sbd"])
    assert np.isnan(default["difference"])
    table = start_section(frame)[2].splitlines()
    assert len(table) == 2 + len(SYSTEMS)
    assert sum("**W-Net**" in line for line in table) == 1


def test_one_seed_tells_nothing():
    assert start_section(start_frame({"Nuclei": results({}, (0,))}, {"Nuclei"})) == []
