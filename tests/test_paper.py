"""What each system's paper says of its set-up, beside the settings of the profile `full`; and departures from it."""

import pytest

from study.paper import departures, origin_tags, paper_settings
from study.profiles import load_settings
from study.systems import SYSTEMS

SETUPS = {  # system -> setting: value, where the paper has it
    "wnet": {  # Wu et al. 2020
        "network.concat_layer": ("dfeat.32", "section 4.2: 32 distance features are best"),
        "network.embedding_dim": (8, "section 4.4"),
        "loss.inter_weight": (1.0, "section 4.5"),
        "loss.constraints": ("local", "section 4.3"),
        "loss.embedding_weight": (1.0, "section 3: the two losses are summed"),
        "loss.intra_reduction": ("object", "Eq. 1"),
        "loss.inter_reduction": ("object", "Eq. 1"),
        "training.steps": (0, "section 4: epochs are named"),
        "training.epochs": (500, "section 4"),
        "training.batch_size": (4, "section 4"),
        "training.learning_rate": (1e-4, "section 4"),
        "training.schedule": ("staircase", "section 4"),
        "training.decay": (0.9, "section 4"),
        "training.decay_steps": (5000, "section 4"),
        "data.augmentation": ("none", "section 4"),
        "clustering.method": ("angular", "section 3.3"),
        "clustering.seed_threshold": (0.7, "section 3.3"),
        "clustering.angle": (45.0, "section 3.3"),
    },
    "unet": {"network.name": ("unet", "section 4.1"), "network.decoders": ("shared", "Fig. 3a")},
    "elc": {  # Chen et al. 2019
        "network.name": ("unet", "section 2"),
        "network.depth": (3, "section 3.2: three poolings"),
        "network.head_layers": (2, "section 2: two convolutions in each branch"),
        "network.embedding_dim": (16, "Tables 1 and 2"),
        "loss.similarity": ("absolute", "section 2.1"),
        "loss.embedding_weight": (5.0, "section 2.1"),
        "loss.balance": ("both", "section 2.1"),
        "loss.intra_reduction": ("pixel", "section 2.1"),
        "loss.background_as_object": (True, "section 2.1"),
        "loss.neighbour_distance": (10, "Tables 1 and 2, the best"),
        "loss.distance_scale": (1.0, "section 2.1: the map is normalised"),
        "clustering.method": ("growing", "section 2.2"),
        "clustering.seed_threshold": (0.7, "section 2.2"),
        "clustering.angle": (45.0, "section 2.2: a cosine distance of .3"),
        "clustering.overwrite": (False, "section 2.2: a pixel once assigned stays"),
        "clustering.foreground": ("none", "section 2.2 knows no foreground"),
        "clustering.seed_smoothing": (0.0, "section 2.2 knows no smoothing"),
        "clustering.min_size": (0, "section 2.2 removes nothing"),
        "clustering.min_distance": (0.0, "section 2.2 removes nothing"),
    },
    "discriminative": {  # De Brabandere et al. 2017, on the slides
        "loss.name": ("discriminative", "the slides"),
        "loss.constraints": ("global", "the slides: all pairs"),
        "loss.inter_reduction": ("pair", "the slides: C (C - 1)"),
        "loss.pull_margin": (0.5, "2017"),
        "loss.push_margin": (1.5, "2017"),
        "loss.regulariser_weight": (1e-3, "2017"),
        "clustering.method": ("mean-shift", "2017"),
    },
    "three-class": {  # Chen et al. 2019
        "clustering.method": ("components", "section 3.2"),
        "network.depth": (3, "section 3.2: one backbone for all methods"),
    },
    "pea": {  # Huang et al. 2022
        "network.base_width": (16, "implementation details"),
        "network.embedding_dim": (16, "implementation details"),
        "loss.ranges": ("1+3+5+9+27", "implementation details"),
        "loss.neighbourhood": (4, "implementation details"),
        "loss.cross_weight": (1.0, "Eq. 7"),
        "loss.pyramid_weight": (1.0, "Eq. 7"),
        "loss.cross_detach": (False, "section 3.2: both views are learned"),
        "loss.pair_balance": (False, "Eq. 3 is a mean"),
        "loss.mask_weight": ("auto", "Eq. 7 has no mask; that of nuclei is predicted"),
        "training.steps": (200_000, "implementation details"),
        "training.batch_size": (2, "implementation details"),
        "training.learning_rate": (1e-4, "implementation details"),
        "training.decay": (1.0, "implementation details name none"),
        "data.augmentation": ("flips+scaling", "datasets: flipping, cropping, scaling"),
        "clustering.method": ("affinity-watershed", "section 3.4"),
        "clustering.ranges": ("1+3+5+9+27", "implementation details"),
    },
}
SETUPS["affinity-learning"] = SETUPS["ml-de"] = {
    name: pair for name, pair in SETUPS["pea"].items() if name.startswith(("training.", "data."))
}


@pytest.mark.parametrize("system", SYSTEMS)
def test_the_set_up_of_each_system_is_its_papers(system):
    flat = load_settings("cvppp2017", profile="full", system=system).flat()
    for name, (value, source) in SETUPS[system].items():
        assert flat[name] == value, f"{name}: {source}"


def test_pea_on_nuclei_has_shorter_ranges():
    settings = load_settings("bbbc039", profile="full", system="pea")
    assert (settings.loss.ranges, settings.clustering.ranges) == ("1+3+5+9+11",) * 2


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize("preset", ["paper", "code"])
@pytest.mark.parametrize("dataset", ["cvppp2017", "bbbc039", "synthetic-cells"])
def test_a_full_training_departs_in_nothing(system, preset, dataset):
    settings = load_settings(dataset, profile="full", preset=preset, system=system)
    assert departures(settings) == {}
    assert paper_settings(settings) == settings
    components = (settings.network.key, settings.loss.key, settings.clustering.key)
    assert tuple(origin_tags(settings).values()) == (system, preset, "full", *components)


def test_the_paper_is_that_of_the_system():
    """Half of a probability is the mask's threshold of Huang et al. 2022, five times the embedding loss Chen's."""
    pea = load_settings("bbbc039", profile="quick", system="pea", overrides="clustering.foreground_threshold=0.2")
    assert paper_settings(pea).clustering.foreground_threshold == 0.5
    assert departures(pea)["clustering.foreground_threshold"] == (0.2, 0.5)
    assert departures(pea)["training.steps"] == (1500, 200_000)
    elc = load_settings("cvppp2017", profile="full", system="elc", overrides="loss.embedding_weight=1")
    assert departures(elc) == {"loss.embedding_weight": (1.0, 5.0)}
    code = load_settings("cvppp2017", profile="full", preset="code", system="elc", overrides="clustering.angle=45")
    assert departures(code) == {"clustering.angle": (45.0, 45.57)}


def test_another_component_is_a_departure_and_so_are_its_settings_from_their_defaults():
    settings = load_settings("cvppp2017", profile="full", overrides="clustering.method=mean-shift")
    assert departures(settings) == {"clustering.method": ("mean-shift", "angular")}
    settings = settings.with_({"clustering.bandwidth": 0.7})
    assert departures(settings)["clustering.bandwidth"] == (0.7, 0.5)


def test_what_the_data_decide_and_what_no_paper_has_is_no_departure():
    settings = load_settings("cvppp2017", profile="full", overrides="tuning.trials=3,training.validations=2,seed=4")
    resolved = settings.with_({"clustering.foreground": "truth"})
    assert departures(resolved) == {}
    assert origin_tags(resolved)["clustering.foreground"] == "truth"  # but a tag tells of it
