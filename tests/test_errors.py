import pytest

from study.errors import unknown_name

KNOWN = ["network.norm", "loss.name", "network.name", "data.name", "network.depth", "seed"]


@pytest.mark.parametrize(
    ("name", "listed"),
    [
        # at most three similar names, the most similar first, then the others by the alphabet
        ("network.nane", "network.name, network.norm, network.depth, data.name, loss.name, seed"),
        ("x.name", "data.name, loss.name, network.name, network.depth, network.norm, seed"),  # equally similar
        ("sed", "seed, data.name, loss.name, network.depth, network.name, network.norm"),
        ("quite another", "data.name, loss.name, network.depth, network.name, network.norm, seed"),
    ],
)
def test_similar_names_come_first(name, listed):
    assert str(unknown_name("setting", name, KNOWN)) == f"unknown setting {name!r}: choose one of {listed}"


def test_all_keys_of_a_dictionary_are_listed():
    assert str(unknown_name("key", "c", {"b": 1, "a": 2})) == "unknown key 'c': choose one of a, b"
