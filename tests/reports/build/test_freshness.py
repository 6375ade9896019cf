import pytest

from reports.build import making
from reports.build.making import MADE_FROM, is_fresh, made_from
from study.tracking import start_run


@pytest.fixture
def parent(asked):
    return asked.parent.info.run_id


def test_a_page_is_fresh_while_nothing_that_it_shows_changes(parent, asked, monkeypatch):
    first = made_from("wnet_tables", [parent], {})
    assert made_from("wnet_tables", [parent], {}) == first
    assert made_from("wnet_figures", [parent], {}) != first
    assert made_from("wnet_tables", [parent], {"shown": "5"}) != first
    assert made_from("wnet_tables", [parent, asked.children["unet"].info.run_id], {}) != first
    with monkeypatch.context() as edited:
        edited.setattr(making, "_code", lambda: "an edited template")
        assert made_from("wnet_tables", [parent], {}) != first


def test_labels_of_other_software_make_a_page_stale(parent, asked):
    first = made_from("systems", [parent], {})
    tags = {"imported": "StarDist", "split": "test", "data_digest": asked.parent.data.tags["data_digest"]}
    imported = start_run(asked.experiment.experiment_id, "StarDist", "", tags)
    imported.end("FINISHED")
    try:
        assert made_from("systems", [parent], {}) != first
    finally:
        asked.client.delete_run(imported.run_id)
    assert made_from("systems", [parent], {}) == first


def test_a_page_is_where_its_mark_is(tmp_path):
    assert not is_fresh(tmp_path, "abc")
    (tmp_path / MADE_FROM).write_text("abc")
    assert not is_fresh(tmp_path, "abc")
    (tmp_path / "page.html").write_text("")
    assert is_fresh(tmp_path, "abc")
    assert not is_fresh(tmp_path, "abd")
