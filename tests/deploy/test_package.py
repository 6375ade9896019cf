import json
import pickle

import numpy as np
import pytest
import torch

from study.deploy.package import load_package, save_package
from study.errors import StudyError
from study.profiles import load_settings
from tests.networks.built import build

FACTS = {"run_id": "abc", "val/sbd": "0.5"}


@pytest.fixture
def saved(tmp_path):
    settings = load_settings(profile="smoke", overrides="clustering.angle=33,clustering.foreground=predicted")
    network = build(3, settings).eval()
    save_package(tmp_path / "m", network.state_dict(), settings.with_({"data.root": "/somewhere"}), 3, FACTS)
    return tmp_path / "m", network, settings


def test_round_trip(saved):
    folder, network, settings = saved
    model = load_package(folder, "cpu")
    assert model.settings == settings.with_({"training.device": "cpu"})  # without the folder of the data
    assert (model.channels, model.facts) == (3, FACTS)
    assert not model.network.training
    for name, tensor in network.state_dict().items():
        assert torch.equal(model.network.state_dict()[name], tensor)
    image = np.random.default_rng(0).integers(0, 255, (30, 30, 3), dtype=np.uint8)
    np.testing.assert_array_equal(model(image), load_package(folder)(image))


def test_pickled_code_is_not_run(saved, tmp_path):
    folder, *_ = saved

    class Evil:
        def __reduce__(self):
            return (open, (str(tmp_path / "ran"), "w"))

    torch.save({"a": Evil()}, folder / "weights.pt", pickle_module=pickle)
    with pytest.raises(StudyError, match="cannot read a model"):
        load_package(folder)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("damage", ["weights.pt", "model.json"])
def test_damaged_or_missing_files(saved, damage):
    folder, *_ = saved
    (folder / damage).write_bytes((folder / damage).read_bytes()[:100])
    with pytest.raises(StudyError, match=r"it needs model.json and weights.pt, as python -m study promote"):
        load_package(folder)
    (folder / damage).unlink()
    with pytest.raises(StudyError, match="cannot read a model"):
        load_package(folder)


@pytest.mark.parametrize(
    "wrong", [["a list"], {"settings": None}, {"settings": 3}, {"channels": "x"}, {"facts": None}, "a text"]
)
def test_a_model_of_another_shape(saved, wrong):
    folder, *_ = saved
    about = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps(about | wrong if isinstance(wrong, dict) else wrong))
    with pytest.raises(StudyError, match="promote the run again"):
        load_package(folder)


def test_a_huge_network_is_compared_before_it_is_built(saved):
    """One of gigabytes."""
    folder, *_ = saved
    about = json.loads((folder / "model.json").read_text())
    about["settings"] |= {"network.base_width": 512, "network.depth": 4}
    (folder / "model.json").write_text(json.dumps(about))
    with pytest.raises(StudyError, match="are of different models"):
        load_package(folder)


def test_a_later_format_is_refused(saved):
    folder, *_ = saved
    about = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps(about | {"format": 2, "study_version": "9.1"}))
    with pytest.raises(StudyError, match=r"has format 2, which version .* does not know: use version 9.1"):
        load_package(folder)


def test_files_of_two_models_are_refused(saved):
    folder, *_ = saved
    wider = load_settings(profile="smoke", overrides="network.base_width=6")
    torch.save(build(3, wider).state_dict(), folder / "weights.pt")
    with pytest.raises(StudyError, match=r"weights.pt and model.json in .* are of different models"):
        load_package(folder)
