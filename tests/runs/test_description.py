import numpy as np
import pandas as pd

from study.runs.description import description


def test_what_was_found_stands_first():
    table = pd.DataFrame({"image": ["a", "b", "c", "d"], "sbd": [0.5, 0.25, 0.75, 0.5], "neighbour_angle": [60.0] * 4})
    assert description(table, {"clustering.angle": "37.5", "clustering.min_size": "10"}, "A note.").split("\n\n") == [
        "**4 test images: SBD 0.500, angle between neighbours 60.0°**",
        "Thresholds found on validation images: angle 37.5, min_size 10.",
        "Worst: b, SBD 0.250; best: c, SBD 0.750",
        "A note.",
    ]


def test_of_one_image_with_a_score_there_is_no_worst():
    table = pd.DataFrame({"image": ["a", "b"], "arand": [0.5, np.nan]})
    assert description(table, {}, "A note.").split("\n\n")[1:] == ["A note."]
