import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from reports.blocks.page import (
    Block,
    Column,
    figure_block,
    number,
    picture_block,
    remarks,
    table_block,
    with_interval,
    without_pictures,
)


@pytest.mark.parametrize(
    ("value", "form", "text"),
    [
        (0.1234, ".3f", "0.123"),
        (-0.5, "+.3f", "−0.500"),
        (-0.0001, ".3f", "0.000"),
        (np.nan, ".3f", "–"),
        (3, ".0f", "3"),
        (-1234567.0, ",.0f", "−1,234,567"),
    ],
)
def test_numbers(value, form, text):
    assert number(value, form) == text


def test_intervals():
    assert with_interval(0.5, 0.4, 0.6, ".1f") == '0.5 <span class="interval">0.4 to 0.6</span>'
    assert with_interval(0.5, np.nan, np.nan) == "0.500"
    assert with_interval(np.nan, np.nan, np.nan) == "–"


def test_a_table_has_its_caption_groups_and_marked_rows():
    columns = [
        Column("name", ["a", "b"], numeric=False),
        Column("x", ["1", "2"], "both"),
        Column("y", ["3", "4"], "both"),
    ]
    text = table_block(columns, "5 < 6", marked=[1]).html
    assert "<figcaption>5 &lt; 6</figcaption>" in text
    assert '<th class="group starts" colspan="2">both</th>' in text
    assert '<tr class="marked"><td>b</td><td class="number starts">2</td><td class="number">4</td></tr>' in text
    assert 'class="table"' in text
    assert text.count("<tr") == 4


def test_a_table_of_words_folds_and_names_its_cells():
    text = table_block([Column('the "claim"', ["a"], numeric=False)], "", folds=True).html
    assert 'class="table folds"' in text
    assert '<td data-title="the &quot;claim&quot;">a</td>' in text


def test_remarks_and_pictures():
    assert remarks("Missing:", []).html == ""
    assert "<li>a &lt;b&gt;</li>" in remarks("Missing:", ["a <b>"]).html
    picture = picture_block(np.zeros((2, 3, 3), np.uint8), "black")
    assert (Block("<p>") + picture).html.startswith("<p>\n<figure><img")
    assert 'src="data:image/png;base64,' in picture.html


def test_figures_that_show_images_can_be_withheld(tmp_path):
    curve, images = Figure(), Figure()
    curve.subplots().plot([0, 1])
    images.subplots().imshow(np.zeros((2, 2)))
    data = pd.DataFrame({"a": [1]})
    with without_pictures("The terms forbid it."):
        shown, withheld = (figure_block(tmp_path, n, f, "Words.", data) for n, f in (("a", curve), ("b_2", images)))
    assert "<img" in shown.html
    assert "<img" not in withheld.html
    assert "Not shown: b 2. The terms forbid it." in withheld.html
    assert {file.stem for file in tmp_path.iterdir()} == {"a"}
    assert "<img" in figure_block(tmp_path, "b", images, "Words.", data).html
