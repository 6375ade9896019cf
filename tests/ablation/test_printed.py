from pathlib import Path

import pandas as pd
import pytest

import ablations
from study.ablation.design import Ablation
from study.ablation.printed import A1, A2, BBBC039, marked, printed_values, same_test_set
from study.data.sets.cvppp import A1_TEST
from study.runs.job import Result

PLANTS_OF_A2 = [f"A2/plant{i:03}" for i in range(1, 32)]
FILES = sorted((Path(ablations.__file__).parent / "printed").glob("*.csv"))


@pytest.mark.parametrize(
    ("test_set", "dataset", "images", "same"),
    [
        (A1, "cvppp2017", A1_TEST, True),
        (A1, "cvppp2017", A1_TEST[1:], False),
        (A1, "cvppp2017", (*A1_TEST, "A1/plant001"), False),
        (A1, "cvppp2017", PLANTS_OF_A2, False),
        (A1, "folder", A1_TEST, False),
        (A1, "synthetic-leaves", ("test_0",), False),
        (A2, "cvppp2017", PLANTS_OF_A2, True),
        (A2, "cvppp2017", PLANTS_OF_A2[:5], False),  # of A2, split by a seed
        (A2, "cvppp2017", A1_TEST, False),
        (BBBC039, "bbbc039", [str(i) for i in range(50)], True),
        (BBBC039, "bbbc039", [str(i) for i in range(4)], False),  # with data.images
        (BBBC039, "dsb2018", [str(i) for i in range(50)], False),
        ("CodaLab test A1-5 (labels private)", "cvppp2017", A1_TEST, False),
        ("AC3, its first 100 sections", "volume", ("planes 0",), False),
        (A1, "cvppp2017", (), False),
    ],
)
def test_a_test_set_is_the_same_only_with_all_of_its_images(test_set, dataset, images, same):
    assert same_test_set(test_set, dataset, images) is same


def test_a_user_may_say_what_nobody_else_can_know():
    values = pd.DataFrame({"value": [0.9, 0.8], "test_set": ["AC3", A1]})
    assert marked(values, "volume", {"planes 0"}, ["AC3"])["same"].tolist() == [True, False]
    assert marked(values, "volume", {"planes 0"})["same"].tolist() == [False, False]


def test_values_of_a_file_that_names_no_test_set_are_of_others(tmp_path):
    file = tmp_path / "printed.csv"
    file.write_text("network.name,value\nwnet,0.9\n")
    ablation = Ablation("a", "?", {"network.name": ["unet", "wnet"]}, {"network.name": "wnet"}, printed=file)
    result = Result({"network.name": "wnet"}, 0, pd.DataFrame({"image": A1_TEST}), [])
    values = printed_values(ablation, "cvppp2017", [result])
    assert values["same"].tolist() == [False]
    assert values["test_set"].tolist() == ["images that are not named"]
    file.write_text(f'network.name,value,test_set\nwnet,0.9,"{A1}"\n')
    assert printed_values(ablation, "cvppp2017", [result])["same"].tolist() == [True]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_file_names_its_test_sets(file):
    """By one of the names that are known, or in words why nobody can be tested on it."""
    values = pd.read_csv(file)
    words = values["test_set"]
    assert words.notna().all()
    known = words.isin([A1, A2, BBBC039]) | words.str.contains("labels private|not listed|first 100 sections")
    assert known.all()
    assert values["source"].str.contains(r"et al\. \d{4}, ").all()
