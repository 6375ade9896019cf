import dataclasses

import pytest

from study.config import CONCAT_LAYERS, Settings
from study.errors import StudyError
from study.profiles import PRESETS, PROFILES, SYSTEMS, load_settings, parse_overrides
from study.ranges import parse_ranges


def test_defaults_are_the_papers_values():
    settings = load_settings("cvppp2017", profile="full")
    flat = settings.flat()
    assert (flat["data.image_size"], flat["network.base_width"], flat["network.depth"]) == (512, 32, 4)
    assert (flat["network.norm"], flat["training.learning_rate"], flat["training.batch_size"]) == ("none", 1e-4, 4)
    assert (flat["clustering.seed_threshold"], flat["clustering.angle"]) == (0.7, 45.0)
    # what makes small budgets work stays out of the paper's preset
    for name in ("network.centre_embedding", "network.leaky_distance_gradient"):
        assert flat[name] is False


def test_flat_names_every_setting_once():
    flat = Settings().flat()
    groups = [f for f in dataclasses.fields(Settings) if f.name not in ("system", "seed")]
    assert len(flat) == 2 + sum(len(dataclasses.fields(getattr(Settings(), g.name))) for g in groups)
    assert Settings().with_(flat) == Settings()


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("dataset", ["synthetic-leaves", "cvppp2017", "folder"])
def test_every_profile_and_preset_is_valid(profile, preset, dataset):
    assert load_settings(dataset, profile=profile, preset=preset).data.name == dataset


def test_later_layers_win():
    assert load_settings(profile="quick").network.base_width == 16
    assert load_settings(profile="quick", overrides="network.base_width=8").network.base_width == 8
    assert load_settings(preset="code", profile="quick").network.decoders == "separate"


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        ("network.embeding_dim=4", "unknown setting 'network.embeding_dim'"),
        ("network.embedding_dim=four", "network.embedding_dim must be a whole number"),
        ("network.embedding_dim=4.5", "network.embedding_dim must be a whole number"),
        ("network.embedding_dim=0", "at least 1"),
        ("network.dropout=1", "at most 0.95"),
        ("network.norm=layer", "choose one of batch, group, none"),
        (
            "clustering.method=kmeans",
            "choose one of mean-shift, affinity-watershed, angular, components, growing, hdbscan, mutex-watershed",
        ),
        ("clustering.mutex_range=1", "at least 2"),
        ("clustering.mean_shift_bandwidth=3", "at most 2"),
        ("network.stop_gradient=perhaps", "true or false"),
        ("loss.inter_weight=all", "a number or only"),
        ("training.learning_rate=nan", "at least 1e-08"),
        ("training.learning_rate=inf", "at most 10"),
        ("loss.inter_weight", "name=value"),
        ("=3", "name=value"),
        ("data.crop_size=100", "multiple of 16"),
        ("data.image_size=128,data.crop_size=256", "must not exceed"),
        ("network.name=unet,network.concat_layer=dfeat.8", "does not fit"),
        ("network.concat_layer=coordinate", "does not fit"),
        ("network.name=three-class,network.concat_layer=dfeat.8", "does not fit"),
        ("network.name=three-class", "set clustering.method=components"),
        ("loss.name=discriminative", "clustering.method=angular goes by angles"),
        ("loss.name=discriminative,clustering.method=hdbscan", "choose mutex-watershed, mean-shift, components"),
        ("clustering.metric=euclidean", "does not fit loss.name=cosine and network.name=wnet: set it to angle"),
        ("system=elc", "choose a system by --system"),
        ("network.name=affinity,clustering.method=affinity-watershed", "set loss.name=affinity"),
        ("network.name=unet,loss.name=affinity", "which network.name=unet does not have: set network.name=residual"),
        ("loss.ranges=1+3+3", "ranges are ascending whole numbers"),
        ("clustering.affinity_ranges=3+5", "ranges are ascending whole numbers"),
        ("loss.ranges=one", "ranges are ascending whole numbers"),
        ("loss.neighbourhood=6", "choose one of 4, 8"),
        ("network.name=residual,loss.name=affinity,training.epsilon=0.01", "set loss.affinity_scale=code"),
    ],
)
def test_a_wrong_override_is_refused_with_its_name(overrides, words):
    with pytest.raises(StudyError) as error:
        load_settings(overrides=overrides)
    assert words in str(error.value)
    assert "\n" not in str(error.value)


def test_the_metric_follows_the_loss():
    settings = Settings().with_({"loss.name": "discriminative", "clustering.method": "mean-shift"})
    assert settings.clustering.metric == "euclidean"
    assert settings.with_({"loss.name": "cosine"}).clustering.metric == "angle"


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("profile", PROFILES)
def test_every_system_is_valid_and_keeps_its_own_settings(system, preset, profile):
    settings = load_settings(profile=profile, preset=preset, system=system)
    assert settings.system == system
    own = SYSTEMS[system] | PRESETS[preset].get(system, {})
    smaller = PROFILES[profile]
    assert {k: settings.flat()[k] for k in own if k not in smaller} == {
        k: v for k, v in own.items() if k not in smaller
    }


def test_predicted_affinities_are_those_of_the_training():
    with pytest.raises(StudyError, match=r"knows only the affinities it was trained on: set clustering\.affinity"):
        load_settings(system="affinity-learning", overrides="clustering.affinity_ranges=1+3")
    other = "clustering.affinity_ranges=1+3,clustering.affinity_neighbourhood=8"
    assert load_settings(system="pea", overrides=other).clustering.affinity_neighbourhood == 8
    assert load_settings(system="affinity-learning").clustering.metric == "affinity"


def test_the_large_epsilon_of_the_programs_comes_with_their_large_loss():
    code = load_settings(profile="full", preset="code", system="pea")
    assert (code.training.epsilon, code.loss.affinity_scale) == (0.01, "code")


def test_parse_ranges():
    assert parse_ranges("1+3+27") == (1, 3, 27)


def test_systems_differ():
    assert len({load_settings(system=system).digest() for system in SYSTEMS}) == len(SYSTEMS)


def test_chens_programs_differ_from_the_paper():
    paper, code = (load_settings(profile="full", preset=preset, system="elc") for preset in PRESETS)
    assert (paper.loss.embedding_weight, paper.loss.balance, paper.network.head_layers) == (5.0, "both", 2)
    assert (code.loss.embedding_weight, code.loss.balance, code.network.head_layers) == (1.0, "distance", 1)
    assert code.clustering.growing_overwrite
    assert paper.network.dropout == 0.2


def test_an_override_of_the_network_leaves_the_systems_layer_out():
    assert load_settings(system="unet", overrides="network.name=wnet").network.concat_layer == "dfeat.32"


def test_unknown_profile_preset_and_system():
    with pytest.raises(
        StudyError, match="unknown system 'w-net': choose one of wnet, unet, affinity-learning, discriminative"
    ):
        load_settings(system="w-net")
    with pytest.raises(StudyError, match="unknown profile 'fast': choose one of full, quick, smoke"):
        load_settings(profile="fast")
    with pytest.raises(StudyError, match="unknown preset"):
        load_settings(preset="mine")


def test_parse_overrides():
    assert parse_overrides(" a.b=1 , c=x=y,") == {"a.b": "1", "c": "x=y"}
    assert parse_overrides("") == {}


def test_values_are_converted_from_text():
    settings = Settings().with_({"loss.inter_weight": "10", "network.stop_gradient": "1", "seed": "7"})
    assert settings.loss.inter_weight == 10.0
    assert settings.network.stop_gradient is True
    assert settings.seed == 7
    assert Settings().with_({"loss.inter_weight": "only"}).loss.inter_weight == "only"


def test_the_concatenative_layer_follows_the_network():
    unet = Settings().with_({"network.name": "unet"})
    assert unet.network.concat_layer == "none"
    assert unet.with_({"network.name": "wnet"}) == Settings()
    for layer in CONCAT_LAYERS:
        name = "unet" if layer in ("none", "coordinate") else "wnet"
        both = {"network.concat_layer": layer, "network.name": name}
        assert Settings().with_(both).network.concat_layer == layer


def test_digest_tells_settings_apart_but_not_machines():
    base = Settings()
    assert base.digest() == Settings().digest()
    assert len(base.digest()) == 12
    same = {"system": "elc", "data.root": "/elsewhere", "training.device": "cpu", "training.threads": 3}
    assert base.with_(same).digest() == base.digest()
    changed = [base.with_({"seed": 1}), base.with_({"clustering.angle": 40}), base.with_({"loss.inter_weight": 2})]
    assert len({base.digest(), base.digest("other data"), *(s.digest() for s in changed)}) == 5
