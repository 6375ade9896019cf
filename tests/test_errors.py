import pytest

from study.errors import unknown_name

KNOWN = ["network.norm", "loss.name", "network.name", "data.name", "network.depth", "seed"]
ALL = "data.name, loss.name, network.depth, network.name, network.norm, seed"


@pytest.mark.parametrize(
    ("name", "similar"),
    [
        # at most three, the most similar first
        ("network.nane", "network.name or network.norm or network.depth"),
        ("x.name", "data.name or loss.name or network.name"),  # equally similar
        ("sed", "seed"),
        ("depth", "network.depth"),  # without its group
        ("dept", "network.depth"),
        ("Loss.Name", "loss.name"),
    ],
)
def test_similar_names_come_first_and_all_after_them(name, similar):
    assert str(unknown_name("setting", name, KNOWN)) == (
        f"unknown setting {name!r}, did you mean {similar}? Choose one of {ALL}"
    )


def test_where_no_name_is_similar_all_are_listed():
    assert str(unknown_name("setting", "quite another", KNOWN)) == (
        f"unknown setting 'quite another': choose one of {ALL}"
    )


def test_all_keys_of_a_dictionary_are_listed():
    assert str(unknown_name("key", "c", {"b": 1, "a": 2})) == "unknown key 'c': choose one of a, b"


def test_many_names_stand_below_the_sentence_in_lines_that_can_be_read():
    names = [f"group.setting-{i:02}" for i in range(90)]
    sentence, *lines = str(unknown_name("setting", "setting-07", names)).splitlines()
    assert sentence.startswith("unknown setting 'setting-07', did you mean group.setting-07 or ")
    assert sentence.endswith("? Choose one of these:")
    assert all(line.startswith("  ") and len(line) <= 79 for line in lines)
    assert " ".join(line.strip() for line in lines) == ", ".join(names)
