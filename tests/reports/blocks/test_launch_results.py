from reports.blocks import launch_results
from reports.blocks.launch_results import keep_launches, load_launch


def test_a_launch_is_read_anew_but_where_launches_are_kept(made, monkeypatch):
    def load():
        return load_launch([made.broken_losses.id], "loss")

    monkeypatch.setattr(launch_results, "_kept", None)
    assert load() is not load()  # runs may have ended since
    keep_launches()
    assert load() is load()
