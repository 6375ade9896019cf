from ablations import find_ablations
from study.origin import as_markdown, budget, departures_in_words, origin_of
from study.profiles import load_settings
from study.runs.job import variant_name

IMAGES = {"train": 92, "val": 16, "test": 20}


def quick(system="wnet", dataset="cvppp2017", overrides="", preset="paper"):
    return load_settings(dataset, profile="quick", preset=preset, system=system, overrides=overrides)


def test_the_summary_says_the_budget_and_counts_the_departures():
    origin = origin_of({"it": quick("elc", "synthetic-leaves")}, "it", IMAGES)
    begin = "Profile quick on synthetic-leaves, 400 steps (1600 images) at 96 px, squared cosine, batch normalisation"
    assert origin.summary == f"{begin}, flips: 12 departures from Chen et al. 2019."
    assert len(origin.departures) == 12


def test_a_training_as_in_the_paper_has_no_departures():
    full = load_settings("cvppp2017", profile="full")
    origin = origin_of({"it": full}, "it", IMAGES)
    budget_of_paper = "11500 steps (46000 images) at 512 px"
    words = f"Profile full on cvppp2017, {budget_of_paper}, absolute cosine, no augmentation"
    assert origin.summary == f"{words}: no departures from Wu et al. 2020."
    assert origin.departures == []
    assert "| departure |" not in as_markdown(origin)


def test_each_fact():
    origin = origin_of({"it": quick()}, "it", IMAGES, note="by hand", varied=["seed"], fixed={"loss.balance": "none"})
    facts = dict(origin.facts)
    assert facts["Profile and preset"] == "quick, paper"
    assert facts["System"] == "wnet (Wu et al. 2020)"
    assert facts["Budget"].endswith("batches of 4, learning rate 0.003, one-cycle")
    assert facts["Loss"] == "cosine loss of the squared cosine, λ = 1, local constraints, d = 10 px"
    assert facts["Data"].startswith(
        "cvppp2017 A1; 92 train, 16 val, 20 test; by hand. In the paper: CVPPP2017, trained on"
    )
    assert facts["Foreground"] == "auto"
    assert facts["Thresholds"] == "searched on validation images, at most 30 trials"
    assert (facts["Varied"], facts["Fixed by the question"]) == ("seed", "loss.balance = none")


def test_what_zero_stands_for_is_told():
    own = quick(overrides="training.gradient_clip=0.5,data.images=8,data.image_size=0")
    words = departures_in_words(own)
    assert words["training.steps"] == ("1500", "500 epochs")
    assert words["training.gradient_clip"] == ("0.5", "off")
    assert words["data.images"] == ("8", "all")
    assert words["data.image_size"] == ("the images' own size", "512")
    assert words["network.dropout"] == ("0", "0.5")


def test_values_that_no_text_has_are_marked():
    rows = {row.setting: (row.here, row.paper) for row in origin_of({"it": quick()}, "it", IMAGES).departures}
    assert rows["network.dropout"] == ("0", "0.5 (ours)")
    assert rows["network.norm"] == ("batch", "none")
    assert rows["training.steps"] == ("1500", "500 epochs")
    code = origin_of({"it": quick(preset="code")}, "it", IMAGES)
    assert {row.setting: row.paper for row in code.departures}["clustering.angle"] == "45.57"
    assert code.summary.endswith("from Wu et al. 2020, where the authors' program counts in place of the text.")


def test_where_variants_differ_each_has_its_own():
    variants = {name: quick(name) for name in ("wnet", "elc", "pea")}
    origin = origin_of(variants, "elc", IMAGES)
    assert dict(origin.facts)["Foreground"] == "none. wnet, pea: auto"
    assert origin.summary.endswith(
        "12 (elc) departures from Chen et al. 2019; 12 (wnet) from Wu et al. 2020; 12 (pea) from Huang et al. 2022."
    )
    rows = [(row.here, row.paper, row.variants) for row in origin.departures if row.setting == "data.augmentation"]
    assert rows == [
        ("flips", "none (ours in elc)", "elc, wnet"),
        ("flips", "flips+scaling", "pea"),
    ]


def test_what_is_varied_is_no_departure():
    ablation = find_ablations()["concat_layer"]
    settings = {variant_name(v): quick(overrides="") for v in ablation.variants()}
    settings["concat_layer none"] = load_settings(profile="quick", changes={"network.name": "unet"})
    told = origin_of(settings, "concat_layer dfeat.32", IMAGES, varied=ablation.varied_names())
    assert "network.name" in ablation.varied_names()
    assert not [row for row in told.departures if row.setting.startswith(("network.name", "network.concat"))]
    untold = origin_of(settings, "concat_layer dfeat.32", IMAGES)
    assert ("network.name", "unet", "wnet", "concat_layer none") in untold.departures


def test_many_variants_are_not_all_named():
    settings = {f"λ {weight}": quick(overrides=f"loss.inter_weight={weight}") for weight in (1, 2, 3, 4, 5)}
    settings["U-Net"] = quick(overrides="network.name=unet")
    rows = origin_of(settings, "λ 1", IMAGES, varied=["network.name"]).departures
    assert [row.variants for row in rows if row.setting == "loss.inter_weight"] == ["λ 2", "λ 3", "λ 4", "λ 5"]
    settings = {name: s if name == "U-Net" else s.with_({"loss.balance": "both"}) for name, s in settings.items()}
    rows = origin_of(settings, "λ 1", IMAGES).departures
    assert [row.variants for row in rows if row.setting == "loss.balance"] == ["λ 1; λ 2; λ 3 and 2 others"]


def test_the_budget():
    assert budget(load_settings(profile="full"), 0) == "500 epochs at 512 px"
    assert budget(quick("pea", "neurites"), 0) == "800 steps (1600 images) in crops of 8 x 64 x 64"
    assert budget(quick(dataset="dsb2018"), 9) == "1500 steps (6000 images) at the images' own size in crops of 128 px"


def test_the_markdown_has_a_row_for_each_departure():
    origin = origin_of({"it": quick()}, "it", IMAGES)
    lines = as_markdown(origin).splitlines()
    assert lines[:3] == ["#### What this is from", "", origin.summary]
    table = lines[lines.index("| departure | here | in the paper | variants |") + 2 :]
    assert len(table) == len(origin.departures)
    assert "| network.norm | batch | none |  |" in table
