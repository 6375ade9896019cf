from study.metrics import score_of
from study.tracking.page_view import shared_view


def test_pictures_stand_first_at_the_last_step_without_params():
    view = shared_view("abc", ["network.name"], ["images/val a", "images/val A1/b"], 60, [score_of("sbd")])
    assert view["compareRunSections"][0]["uuid"] == "images"
    cards = [card for card in view["compareRunCharts"] if card["type"] == "IMAGE"]
    assert [card["imageKeys"] for card in cards] == [["images/val a"], ["images/val A1/b"]]
    for card in cards:
        assert (card["type"], card["step"], card["showRunParams"]) == ("IMAGE", 60, False)
        assert card["metricSectionId"] == "images"
    for part in ("compareRunSections", "compareRunCharts"):
        ids = [item["uuid"] for item in view[part]]
        assert len(set(ids)) == len(ids)


def test_the_table_has_scores_and_what_is_varied():
    view = shared_view("abc", ["network.name", "loss.inter_weight"], [], 0, [score_of("sbd"), score_of("map")])
    assert view["selectedColumns"][0] == view["orderByKey"] == "metrics.`test/sbd`"
    assert view["selectedColumns"][1] == "metrics.`test/map`"
    assert not view["orderByAsc"]
    assert shared_view("abc", [], [], 0, [score_of("arand")])["orderByAsc"]
    assert view["selectedColumns"][-3:] == ["params.`network.name`", "params.`loss.inter_weight`", "params.`seed`"]
    assert view["searchFilter"] == "tags.launch = 'abc'"


def test_bars_of_the_scores_stand_in_the_order_of_the_table():
    view = shared_view("abc", [], ["images/val a"], 0, [score_of("sbd"), score_of("abs_dic")])
    bars = [card for card in view["compareRunCharts"] if card["type"] == "BAR"]
    assert [bar["metricKey"] for bar in bars] == ["test/sbd", "test/abs_dic"]
    assert {bar["metricSectionId"] for bar in bars} == {"test"}
    assert view["runsHiddenMode"] == "SHOWALL"
