import dataclasses

import pytest
import torch

from study.affinities import parse_ranges
from study.components import GROUPS, RENAMED
from study.config import fields_of
from study.data.batches import Batch
from study.errors import StudyError
from study.losses import LOSSES
from study.networks import CONCAT_LAYERS, build_network, centre_embeddings
from study.networks.unet import DistanceHead
from study.profiles import (
    DATASET_PROFILES,
    PRESETS,
    PROFILES,
    SYSTEM_PROFILES,
    SYSTEMS,
    load_settings,
    parse_overrides,
)
from study.settings import Settings, all_names


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
    flat, settings = Settings().flat(), Settings()
    groups = (settings.data, settings.network, settings.loss, settings.training, settings.clustering, settings.tuning)
    elsewhere = ("data.crop_planes", "data.planes", "data.side", "loss.mask_weight")
    fields = sum(len(dataclasses.fields(group)) for group in groups) - len(elsewhere)
    assert len(flat) == 4 + 3 + fields  # the three choose components
    assert set(elsewhere) <= set(all_names())
    assert Settings().with_(flat) == Settings()


def test_every_value_of_a_profile_or_preset_is_a_setting():
    """What one component lacks is skipped, so that a name that none has would go unnoticed."""
    layers = [*SYSTEMS.values(), *PROFILES.values(), *SYSTEM_PROFILES.values(), *DATASET_PROFILES.values()]
    layers += [layer for preset in PRESETS.values() for layer in preset.values()]
    known = set(all_names())
    for name in {name for layer in layers for name in layer}:
        group, *component, leaf = name.split(".")
        assert f"{group}.{leaf}" in known
        if component:
            assert leaf in fields_of(GROUPS[group].registry[component[0]])


OTHER = {bool: lambda v: not v, int: lambda v: v + 1, float: lambda v: 0.7 * v + 0.2}


@pytest.mark.parametrize("system", SYSTEMS)
def test_every_setting_that_a_system_accepts_is_read(system):
    """Every setting of the network and the loss changes the network, its loss, or the neighbours that it is given."""
    settings = load_settings(profile="smoke", system=system, overrides="training.epsilon=1e-6")
    if "loss.constraints" in settings.flat():  # under global ones, and means over objects, some others are the same
        local = {"loss.constraints": "local", "loss.intra_reduction": "pixel"}
        settings = settings.with_(local | {"loss.background_as_object": True})  # else there is nothing to balance
    base = _traces(settings)
    for name in (name for name in settings.flat() if name.split(".")[0] in ("network", "loss")):
        spec = fields_of(type(getattr(settings, name.split(".")[0]))).get(name.split(".")[1])
        if spec is None:  # that chooses the component
            continue
        value = getattr(getattr(settings, name.split(".")[0]), spec.name)
        others = [choice for choice in spec.metadata.get("choices", ()) if choice != value]
        others = others or (["1+3"] if spec.name == "ranges" else [OTHER[type(value)](value)])
        changed = []
        for other in others:
            try:
                changed.append(_traces(settings.with_({name: other})))
            except StudyError:  # what does not go with the others, and says so
                changed.append(None)
        assert any(trace != base for trace in changed), name


def _traces(settings):
    """Weights, loss terms and gradient of a few steps, as numbers, and the reach of neighbours."""
    torch.manual_seed(0)
    images, labels = torch.randn(2, 1, 16, 16), torch.randint(0, 4, (2, 16, 16))
    network = build_network(1, settings.network, settings.loss)
    if getattr(settings.network, "centre_embedding", False):
        centre_embeddings(network, images)
    neighbours = torch.zeros((2, 4, 4), dtype=torch.bool)
    neighbours[:, 0, 1:] = neighbours[:, 1:, 0] = neighbours[:, 1, 2] = neighbours[:, 2, 1] = True
    batch = Batch(images, (labels > 0) * torch.rand(labels.shape), labels, neighbours)
    found = [settings.loss.reach, [name for name, _ in network.named_parameters()]]
    for distance in (0.0, -20.0):  # also with a distance head that gives zero
        for module in network.modules():
            if isinstance(module, DistanceHead):
                torch.nn.init.constant_(module.conv.bias, module.conv.bias.item() + distance)
        torch.manual_seed(1)
        output = network(images)
        view = settings.loss.second_view(batch, settings.network.heads, torch.Generator().manual_seed(2))
        other = None if view is None else view.back(network(view.images).embedding)
        terms = settings.loss.terms(output, batch, other)
        network.zero_grad()
        terms["loss"].backward()
        found.append({name: term.item() for name, term in terms.items()})
        found.append([float(w.grad.abs().sum()) for w in network.parameters() if w.grad is not None])
    return found


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("dataset", ["synthetic-leaves", "cvppp2017", "folder"])
def test_every_profile_and_preset_is_valid(profile, preset, dataset):
    assert load_settings(dataset, profile=profile, preset=preset).data.name == dataset


def test_later_layers_win():
    assert load_settings(profile="quick").network.base_width == 16
    assert load_settings(profile="quick", overrides="network.base_width=8").network.base_width == 8
    assert load_settings(preset="code", profile="quick").network.aux_embedding


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
            "did you mean mean-shift? Choose one of these:",
        ),
        ("clustering.method=mutex-watershed,clustering.range=1", "at least 2"),
        ("clustering.method=mean-shift,clustering.bandwidth=3", "at most 2"),
        ("network.stop_gradient=perhaps", "true or false"),
        ("loss.inter_weight=all", "a number or only"),
        ("training.learning_rate=nan", "at least 1e-08"),
        ("training.learning_rate=inf", "at most 10"),
        ("loss.inter_weight", "name=value"),
        ("=3", "name=value"),
        ("data.crop_size=100", "multiple of 16"),
        ("data.image_size=128,data.crop_size=256", "must not exceed"),
        ("network.name=unet,network.concat_layer=dfeat.8", "choose one of coordinate, none"),
        ("network.concat_layer=coordinate", "unknown value of network.concat_layer 'coordinate'"),
        (
            "network.name=three-class,loss.name=classes,network.concat_layer=none",
            "network.concat_layer has no effect with network.name=three-class",
        ),
        ("network.name=three-class", "loss.name=cosine trains embedding, which network.name=three-class does not have"),
        ("network.name=three-class,loss.name=classes", "is no embedding: choose components"),
        (
            "loss.name=discriminative",
            "clustering.method=angular cannot tell pixels apart by what loss",
        ),
        (
            "loss.name=discriminative,clustering.method=hdbscan",
            "choose mutex-watershed, mean-shift, affinity-watershed, components",
        ),
        ("clustering.metric=euclidean", "clustering.metric follows from loss.name and network.name now: leave it out"),
        ("system=elc", "choose a system by --system"),
        ("network.name=affinity,clustering.method=affinity-watershed", "which network.name=affinity does not have"),
        ("network.name=unet,loss.name=affinity", "set network.name=residual or affinity"),
        ("network.name=residual,loss.name=affinity,loss.ranges=1+3+3", "ranges are ascending whole numbers"),
        ("clustering.method=affinity-watershed,clustering.ranges=3+5", "ranges are ascending whole numbers"),
        ("network.name=residual,loss.name=affinity,loss.neighbourhood=6", "choose one of 4, 8"),
        ("network.name=residual,loss.name=affinity,training.epsilon=0.01", "set loss.scale=code"),
    ],
)
def test_a_wrong_override_is_refused_with_its_name(overrides, words):
    with pytest.raises(StudyError) as error:
        load_settings(overrides=overrides)
    assert words in str(error.value)
    assert all(len(line) <= 300 for line in str(error.value).splitlines())


@pytest.mark.parametrize("name", RENAMED)
def test_an_earlier_name_is_refused_with_the_new_one(name):
    current = RENAMED[name][1]
    words = f"is called {current} now" if current else "leave it out"
    with pytest.raises(StudyError, match=words):
        Settings().with_({name: 1})
    assert not current or current in all_names()


@pytest.mark.parametrize("name", ["norm", "dropout", "head_layers", "decoders", "stop_gradient", "concat_layer"])
def test_a_setting_of_another_component_is_refused(name):
    with pytest.raises(StudyError) as error:
        load_settings(system="pea", overrides=f"network.{name}=none")
    assert f"network.{name} has no effect with network.name=residual" in str(error.value)
    assert "network.name=unet" in str(error.value) or "network.name=wnet" in str(error.value)
    assert "residual has base_width, depth, embedding_dim" in str(error.value)


def test_a_setting_without_its_head_is_refused():
    with pytest.raises(StudyError, match=r"loss\.distance_scale has no effect with loss\.name=discriminative, network"):
        load_settings(system="ml-de", overrides="loss.distance_scale=2")
    assert "loss.distance_scale" in load_settings(system="discriminative").flat()


def test_a_question_may_take_the_component_of_an_option_away():
    changes = {"clustering.method": "mean-shift"}
    settings = load_settings(overrides="clustering.angle=40", changes=changes)
    assert settings.clustering.method == "mean-shift"
    with pytest.raises(StudyError, match="no effect"):
        load_settings(overrides="clustering.angle=40,clustering.method=mean-shift")


def test_settings_of_another_component_are_carried_over():
    wnet = load_settings(profile="quick")
    unet = wnet.with_({"network.name": "unet"})
    assert (unet.network.base_width, unet.network.norm, unet.network.concat_layer) == (16, "batch", "none")
    assert unet.with_({"network.name": "wnet"}).network == wnet.network


def test_settings_of_earlier_versions_are_read():
    """Once every run had the settings of all methods."""
    old = {"network.name": "wnet", "network.norm": "batch", "loss.aux_embedding_loss": True, "loss.ranges": "1+3"}
    old |= {"clustering.method": "mutex-watershed", "clustering.mutex_stride": 3, "clustering.affinity_stride": 5}
    old |= {"clustering.metric": "angle", "clustering.angle": 30.0, "seed": 4}
    settings = Settings.from_stored(old)
    assert (settings.network.norm, settings.network.aux_embedding, settings.seed) == ("batch", True, 4)
    assert (settings.clustering.method, settings.clustering.stride) == ("mutex-watershed", 3)
    three = {"network.name": "three-class", "loss.name": "cosine", "loss.balance": "both"}
    three["clustering.method"] = "components"
    assert Settings.from_stored(three).loss == LOSSES["classes"](balance=True)
    assert Settings.from_stored(Settings().flat()) == Settings()


def test_the_metric_follows_from_loss_and_network():
    settings = Settings().with_({"loss.name": "discriminative", "clustering.method": "mean-shift"})
    assert settings.embedding_metric == "euclidean"
    assert settings.with_({"loss.name": "cosine"}).embedding_metric == "angle"
    assert load_settings(system="three-class").embedding_metric == "none"


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("profile", PROFILES)
def test_every_system_is_valid_and_keeps_its_own_settings(system, preset, profile):
    settings = load_settings(profile=profile, preset=preset, system=system)
    assert settings.system == system
    own = SYSTEMS[system] | PRESETS[preset].get(system, {})
    flat, smaller = settings.flat(), PROFILES[profile]
    kept = {name: value for name, value in own.items() if name in flat and name not in smaller}
    assert len(kept) >= len(own) // 2
    assert kept.items() <= flat.items()


def test_predicted_affinities_are_those_of_the_training():
    with pytest.raises(
        StudyError, match=r"only affinities that are known are those that were trained, .*: set clustering\.ranges"
    ):
        load_settings(system="affinity-learning", overrides="clustering.ranges=1+3")
    other = "clustering.ranges=1+3,clustering.neighbourhood=8"
    assert load_settings(system="pea", overrides=other).clustering.neighbourhood == 8
    assert load_settings(system="affinity-learning").embedding_metric == "affinity"


def test_the_large_epsilon_of_the_programs_comes_with_their_large_loss():
    code = load_settings(profile="full", preset="code", system="pea")
    assert (code.training.epsilon, code.loss.scale) == (0.01, "code")


def test_parse_ranges():
    assert parse_ranges("1+3+27") == (1, 3, 27)


def test_systems_differ():
    assert len({load_settings(system=system).digest() for system in SYSTEMS}) == len(SYSTEMS)


def test_chens_programs_differ_from_the_paper():
    paper, code = (load_settings(profile="full", preset=preset, system="elc") for preset in PRESETS)
    assert (paper.loss.embedding_weight, paper.loss.balance, paper.network.head_layers) == (5.0, "both", 2)
    assert (code.loss.embedding_weight, code.loss.balance, code.network.head_layers) == (1.0, "distance", 1)
    assert code.clustering.overwrite
    assert paper.network.dropout == 0.2


def test_an_override_of_the_network_leaves_the_systems_layer_out():
    assert load_settings(system="unet", overrides="network.name=wnet").network.concat_layer == "dfeat.32"


def test_unknown_profile_preset_and_system():
    with pytest.raises(
        StudyError, match=r"unknown system 'w-net', did you mean wnet or unet\? Choose one of affinity-learning"
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
    for layer, name in CONCAT_LAYERS.items():
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
