import threading
from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
import torch

from study.data.batches import NetworkImage, TrainingImages
from study.errors import StudyError
from study.inference import predict_maps
from study.settings import Settings, Training
from study.training.loop import learning_rate, number_of_steps, train

CPU = torch.device("cpu")


class Recorder:
    """A monitor that keeps what it is told."""

    def __init__(self):
        self.steps, self.validations, self.checkpoints = {}, {}, []
        self.untrained = self.taken_up = None

    def started(self, network):
        self.untrained = deepcopy(network.state_dict())
        return {}

    def resumed(self, history):
        self.taken_up = deepcopy(history)

    def step(self, step, values):
        self.steps[step] = values

    def validated(self, step, values):
        self.validations[step] = values

    def saved(self, step):
        self.checkpoints.append(step)


def pictures(count=4, size=16):
    """Noise images with two objects that are brighter than the background."""
    labels = np.zeros((size, size), np.int32)
    labels[1:7, 1:7], labels[8:15, 6:15] = 1, 2
    noise = np.random.default_rng(0).normal(size=(count, size, size, 1))
    return [
        NetworkImage(f"i{i}", (image + 2 * labels[..., None]).astype(np.float16), labels, labels)
        for i, image in enumerate(noise)
    ]


def tiny(**more):
    changes = {
        "network.name": "unet",
        "network.base_width": 4,
        "network.depth": 2,
        "network.embedding_dim": 4,
        "network.norm": "batch",
        "network.dropout": 0.3,
        "data.augmentation": "flips",
        "data.image_size": 16,
        "training.batch_size": 2,
        "training.learning_rate": 3e-3,
        "training.steps": 12,
        "training.validations": 4,
    }
    return Settings().with_(changes | {name.replace("__", "."): value for name, value in more.items()})


def images_for(settings, bound=None):
    return TrainingImages(pictures(), settings.data, 3, CPU, bound)


def score(network):
    """A validation score that depends on the weights."""
    with torch.no_grad():
        return {"val/sbd": sum(float(p.abs().mean()) for p in network.parameters()) / 100}


def run(settings, monitor=None, validate=score, checkpoint=None, images=None):
    return train(images or images_for(settings), settings, monitor or Recorder(), validate, checkpoint)


def assert_same_weights(a, b):
    for (name, x), y in zip(a.state_dict().items(), b.state_dict().values(), strict=True):
        assert torch.equal(x, y), name


def without_time(history):
    """All that a history holds but time and speed."""
    timed = ("seconds", "perf/images_per_second")
    return [{k: v for k, v in entry.items() if k not in timed} for entry in (*history.curve, *history.validations)]


def test_the_seed_decides_everything():
    monitors = [Recorder() for _ in range(3)]
    (a, one), (b, two), (c, other) = (
        run(tiny(seed=seed), monitor) for seed, monitor in zip((5, 5, 6), monitors, strict=True)
    )
    assert_same_weights(a, b)
    assert without_time(one) == without_time(two) != without_time(other)
    losses = [[values["train/loss"] for values in monitor.steps.values()] for monitor in monitors]
    assert losses[0] == losses[1] != losses[2]
    assert not torch.equal(a.distance.conv.weight, c.distance.conv.weight)
    assert not a.training


def test_the_monitor_hears_of_every_term_and_validation():
    monitor = Recorder()
    _, history = run(tiny(), monitor)
    assert list(monitor.steps) == list(range(1, 13))
    assert [entry["step"] for entry in history.validations] == [3, 6, 9, 12]
    assert list(monitor.validations) == [3, 6, 9, 12]
    assert set(monitor.steps[12]) == {
        *(f"train/{name}" for name in ("loss", "loss_distance", "loss_inter", "loss_intra")),
        "perf/images_per_second",
    }
    assert monitor.validations[12] == {"val/sbd": history.validations[-1]["val/sbd"]}
    assert 0 < history.validations[0]["seconds"] < history.seconds
    assert history.points() == [*monitor.steps.items(), *monitor.validations.items()]


def test_the_monitor_sees_the_network_before_its_first_step():
    short, long = Recorder(), Recorder()
    network, _ = run(tiny(training__steps=1), short)
    run(tiny(), long)
    assert short.untrained.keys() == network.state_dict().keys()
    assert all(torch.equal(short.untrained[name], long.untrained[name]) for name in short.untrained)
    assert not torch.equal(short.untrained["distance.conv.weight"], network.distance.conv.weight)
    assert short.taken_up is None


def test_fewer_steps_than_validations():
    monitor = Recorder()
    run(tiny(training__steps=1, training__validations=10), monitor)
    assert list(monitor.steps) == [1]
    assert list(monitor.validations) == [1]


def test_validating_leaves_no_trace_in_the_training():
    """Neither of the network untrained nor of a later one: on its weights, its statistics or the random numbers."""
    settings = tiny(network__name="wnet")
    seen = []

    class Looking(Recorder):
        def started(self, network):
            seen.append(predict_maps(network, pictures(), settings))
            return {}

    def validate(network):
        seen.append(predict_maps(network, pictures(), settings))
        return score(network)

    network, history = run(settings, Looking(), validate)
    plain, whole = run(settings)
    assert_same_weights(network, plain)
    assert without_time(history) == without_time(whole)
    assert len(seen) == 5
    assert np.abs(seen[0][0].embedding - seen[-1][0].embedding).max() > 0.01


def test_reported_losses_are_means_over_the_steps_since_the_last_report():
    each, every_second = Recorder(), Recorder()
    for monitor, steps in ((each, 50), (every_second, 100)):
        run(tiny(training__steps=steps, training__validations=1, data__augmentation="none"), monitor)
    assert list(every_second.steps) == list(range(2, 101, 2))
    for step in (2, 10, 50):
        mean = (each.steps[step - 1]["train/loss"] + each.steps[step]["train/loss"]) / 2
        assert every_second.steps[step]["train/loss"] == pytest.approx(mean)


@pytest.mark.parametrize("name", ["unet", "wnet"])
def test_the_loss_falls_on_a_fixed_set(name):
    monitor = Recorder()
    settings = tiny(
        network__name=name,
        network__dropout=0,
        network__centre_embedding=True,
        training__steps=100,
        training__validations=1,
        training__learning_rate=1e-2,
    )
    run(settings, monitor)
    first, last = (monitor.steps[step] for step in (2, 100))
    assert last["train/loss"] < 0.5 * first["train/loss"]
    for term in ("loss_distance", "loss_inter"):
        assert last[f"train/{term}"] < 0.8 * first[f"train/{term}"], term


@pytest.mark.parametrize(
    "more",
    [
        {"training__schedule": "one-cycle", "training__gradient_clip": 1.0},
        {"network__norm": "none", "network__dropout": 0.0},
        {"network__name": "wnet", "network__centre_embedding": True, "training__checkpoint": "best"},
    ],
)
@pytest.mark.parametrize("where", ["validate", "validated"])
def test_a_killed_training_goes_on_as_if_nothing_had_happened(more, where, tmp_path):
    settings, file = tiny(**more), tmp_path / "new" / "x.pt"
    undisturbed, whole = run(settings)
    calls = 0

    def killing(network):
        nonlocal calls
        calls += 1
        if where == "validate" and calls == 3:
            raise KeyboardInterrupt
        return score(network)

    class Killing(Recorder):
        def validated(self, step, values):
            if where == "validated" and step == 9:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(settings, Killing(), killing, file)
    assert torch.load(file, weights_only=True)["step"] == {"validate": 6, "validated": 9}[where]

    resumed = Recorder()
    network, history = run(settings, resumed, checkpoint=file)
    assert min(resumed.steps) == {"validate": 7, "validated": 10}[where]
    assert min(resumed.validations) == {"validate": 9, "validated": 12}[where]
    last = {"validate": 6, "validated": 9}[where]
    assert [entry["step"] for entry in resumed.taken_up.curve] == list(range(1, last + 1))
    assert [entry["step"] for entry in resumed.taken_up.validations] == list(range(3, last + 1, 3))
    assert resumed.untrained is None
    assert_same_weights(network, undisturbed)
    assert without_time(history) == without_time(whole)
    assert not list(tmp_path.rglob("*.partial"))


def test_where_validations_are_rare_checkpoints_are_written_between_them(tmp_path, monkeypatch):
    """So that a training goes on that is slower than the time limit of its job."""
    settings, file = tiny(network__name="unet", training__validations=1), tmp_path / "x.pt"
    kept, whole = run(settings)
    monkeypatch.setattr("study.training.checkpoint.SAVE_EVERY", 0.0)

    class Killing(Recorder):
        def step(self, step, values):
            if step == 6:
                raise KeyboardInterrupt

    killed = Killing()
    with pytest.raises(KeyboardInterrupt):
        run(settings, killed, checkpoint=file)
    assert killed.checkpoints == [1, 2, 3, 4, 5]
    resumed = Recorder()
    network, history = run(settings, resumed, checkpoint=file)
    assert min(resumed.steps) == 6
    assert resumed.checkpoints == [6, 7, 8, 9, 10, 11, 12]
    assert_same_weights(network, kept)
    assert without_time(history) == without_time(whole)


def threads_that_make_batches():
    return [thread for thread in threading.enumerate() if thread.name.startswith("batches")]


def test_images_on_the_disk_give_the_same_weights_also_after_an_interruption(tmp_path):
    settings, file = tiny(network__name="wnet", network__centre_embedding=True), tmp_path / "x.pt"
    kept, whole = run(settings)
    images = images_for(settings, bound=0)
    assert images.streams
    streamed, history = run(settings, images=images)
    assert_same_weights(kept, streamed)
    assert without_time(history) == without_time(whole)

    class Killing(Recorder):
        def validated(self, step, values):
            assert threads_that_make_batches()
            if step == 6:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(settings, Killing(), checkpoint=file, images=images)
    assert not threads_that_make_batches()
    resumed = Recorder()
    network, history = run(settings, resumed, checkpoint=file, images=images)
    assert min(resumed.steps) == 7
    assert_same_weights(network, kept)
    assert without_time(history) == without_time(whole)
    assert not threads_that_make_batches()


def test_a_finished_training_is_not_continued(tmp_path):
    file, again = tmp_path / "x.pt", Recorder()
    network, history = run(tiny(), checkpoint=file)
    same, _ = run(tiny(), again, checkpoint=file)
    assert_same_weights(network, same)
    assert not again.steps
    assert not again.validations
    assert without_time(again.taken_up) == without_time(history)


def test_a_loss_that_is_not_finite_ends_the_training_and_keeps_the_last_good_checkpoint(tmp_path):
    settings, file = tiny(), tmp_path / "x.pt"
    images = images_for(settings)
    good = images.pixels.clone()

    class Poisoning(Recorder):
        def validated(self, step, values):
            if step == 6:
                images.pixels.fill_(np.nan)

    with pytest.raises(StudyError, match=r"loss.* is not finite after 7 steps: lower training\.learning_rate") as error:
        run(settings, Poisoning(), checkpoint=file, images=images)
    assert str(file) in str(error.value)
    images.pixels.copy_(good)
    network, _ = run(settings, checkpoint=file, images=images)
    assert_same_weights(network, run(settings)[0])


def test_without_a_good_checkpoint_none_is_promised(tmp_path):
    settings = tiny(network__norm="none")
    settings = replace(settings, training=replace(settings.training, learning_rate=1e9))
    with pytest.raises(StudyError, match="not finite") as error:
        run(settings, checkpoint=tmp_path / "x.pt")
    assert "checkpoint" not in str(error.value)
    assert not list(tmp_path.iterdir())


def test_a_checkpoint_never_holds_weights_that_are_not_finite(tmp_path):
    settings, file = tiny(training__validations=12), tmp_path / "x.pt"

    networks = []

    class Exploding(Recorder):
        def validated(self, step, values):
            """From the first step on the loss is finite, its gradient is not."""
            if step == 1:
                networks[-1].distance.conv.bias.register_hook(lambda gradient: gradient * np.inf)

    def validate(network):
        networks.append(network)
        return score(network)

    with pytest.raises(StudyError, match="a weight is not finite after 2 steps"):
        run(settings, Exploding(), validate, file)
    kept = torch.load(file, weights_only=True)
    assert kept["step"] == 1
    assert all(torch.isfinite(weight).all() for weight in kept["network"].values())


@pytest.mark.parametrize("damage", ["cut", "text", "other network", "other content"])
def test_a_damaged_checkpoint_is_named(damage, tmp_path):
    file = tmp_path / "x.pt"
    run(tiny(), checkpoint=file)
    if damage == "cut":
        file.write_bytes(file.read_bytes()[:1000])
    elif damage == "text":
        file.write_text("no checkpoint")
    elif damage == "other content":
        torch.save({"step": 3}, file)
    more = {"network__base_width": 2} if damage == "other network" else {}
    with pytest.raises(StudyError, match=r"cannot read the checkpoint .*x\.pt: delete it to start afresh"):
        run(tiny(**more), checkpoint=file)


def test_a_checkpoint_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StudyError, match=r"cannot write .*x\.pt: .*; free disk space or rights") as error:
        run(tiny(), checkpoint=tmp_path / "file" / "x.pt")
    assert "\n" not in str(error.value)


def test_the_best_weights_or_the_last_are_kept(tmp_path):
    seen = []

    def validate(network):
        seen.append({name: value.clone() for name, value in network.state_dict().items()})
        return {"val/sbd": [0.2, 0.9, 0.9, 0.1][len(seen) - 1]}

    best, _ = run(tiny(training__checkpoint="best"), validate=validate)
    assert all(torch.equal(value, seen[2][name]) for name, value in best.state_dict().items())
    last, _ = run(tiny())
    assert all(torch.equal(value, seen[3][name]) for name, value in last.state_dict().items())
    without_scores, _ = run(tiny(training__checkpoint="best"), validate=lambda network: {})
    assert_same_weights(without_scores, last)


@pytest.mark.parametrize(("kept", "twice"), [("last", False), ("best", True)])
def test_a_checkpoint_holds_the_best_weights_where_they_are_asked_for(kept, twice, tmp_path):
    network, _ = run(tiny(training__checkpoint=kept), checkpoint=tmp_path / "x.pt")
    state = torch.load(tmp_path / "x.pt", weights_only=True)
    assert bool(state["best"]) == twice
    assert all(torch.equal(value, network.state_dict()[name]) for name, value in state["best"].items())


def test_staircase():
    plan = Training(learning_rate=1e-4, decay=0.9, decay_steps=5000)
    rates = {0: 1e-4, 4999: 1e-4, 5000: 0.9e-4, 9999: 0.9e-4, 10000: 0.81e-4, 50000: 1e-4 * 0.9**10}
    for step, rate in rates.items():
        assert learning_rate(plan, step, 10**6) == pytest.approx(rate)


def test_one_cycle():
    plan = Training(learning_rate=2.0, schedule="one-cycle")
    rates = {0: 0.2, 4: 1.0, 9: 2.0, 10: 2.0, 40: 1.5, 55: 1.0, 70: 0.5}
    for step, rate in rates.items():
        assert learning_rate(plan, step, 100) == pytest.approx(rate)
    assert 0 < learning_rate(plan, 99, 100) < 1e-3
    assert learning_rate(plan, 0, 1) == 2.0


def test_the_schedule_reaches_the_optimiser(tmp_path):
    file = tmp_path / "x.pt"
    settings = tiny(training__decay_steps=3, training__decay=0.5, training__learning_rate=0.08)
    run(settings, checkpoint=file)
    assert torch.load(file, weights_only=True)["optimizer"]["param_groups"][0]["lr"] == pytest.approx(0.01)


def test_number_of_steps():
    assert number_of_steps(Training(epochs=500, batch_size=4), 92) == 11500
    assert number_of_steps(Training(epochs=3, batch_size=4), 5) == 4
    assert number_of_steps(Training(epochs=3, batch_size=4, steps=7), 5) == 7


def test_gradients_are_clipped():
    free, held = (run(tiny(training__steps=1, training__gradient_clip=clip))[0] for clip in (0, 1e-12))
    moved = (free.distance.conv.weight - held.distance.conv.weight).abs()
    torch.testing.assert_close(moved, torch.full_like(moved, 3e-3), rtol=0.01, atol=0)  # Adam's first step: its rate


def largest_distance(seed, **more):
    """Of all images after a short training of a W-Net."""
    settings = tiny(seed=seed, network__name="wnet", network__dropout=0, training__steps=40, **more)
    network, _ = run(settings)
    return max(float(maps.objectness.max()) for maps in predict_maps(network, pictures(), settings))


@pytest.mark.parametrize("seed", range(3))
def test_small_budgets_do_not_kill_the_distance_head(seed):
    assert largest_distance(seed, network__leaky_distance_gradient=True, training__learning_rate=1e-2) > 0.3


def test_the_leaky_gradient_keeps_a_head_alive_that_dies_without_it():
    harsh = {"network__norm": "none", "network__base_width": 8, "network__depth": 3, "training__learning_rate": 3e-2}
    seed = next(seed for seed in (0, 3, 4, 5, 1, 2) if largest_distance(seed, **harsh) == 0)
    assert largest_distance(seed, network__leaky_distance_gradient=True, **harsh) > 0.05


def affine(**more):
    """Pixel-embedded affinity on the same pictures."""
    changes = {"network.name": "residual", "loss.name": "affinity", "clustering.method": "affinity-watershed"}
    given = changes | {name.replace("__", "."): value for name, value in more.items()}
    return tiny(network__norm="none").with_(given)


@pytest.mark.parametrize("detach", [True, False])
def test_a_training_with_a_second_view_goes_on_as_if_nothing_had_happened(tmp_path, detach):
    settings = affine(loss__cross_detach=detach)
    whole, history = run(settings)
    assert {"train/loss_self", "train/loss_cross", "train/loss_pyramid", "train/loss_mask"} < history.curve[0].keys()

    class Stopped(Recorder):
        def validated(self, step, values):
            if step == 6:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(settings, Stopped(), checkpoint=tmp_path / "c.pt")
    resumed, again = run(settings, checkpoint=tmp_path / "c.pt")
    assert_same_weights(whole, resumed)
    assert without_time(history) == without_time(again)


def test_views_that_do_not_differ_correlate_like_one():
    """Without any transform the second view is the first, and the cross term equals the self term."""
    same = dict.fromkeys(("loss__view_turns", "loss__view_intensity", "loss__view_cutout"), False)
    _, history = run(affine(training__steps=1, training__validations=1, **same))
    first = history.curve[0]
    assert first["train/loss_cross"] == pytest.approx(first["train/loss_self"], rel=1e-5)
    _, history = run(affine(training__steps=1, training__validations=1))
    assert history.curve[0]["train/loss_cross"] != pytest.approx(history.curve[0]["train/loss_self"], rel=1e-3)


def test_without_cross_correlation_there_is_no_second_view(monkeypatch):
    monkeypatch.setattr("study.losses.affinity.random_view", None)
    _, history = run(affine(loss__cross_weight=0.0))
    assert "train/loss_cross" not in history.curve[0]
