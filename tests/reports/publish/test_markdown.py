import re

from reports.blocks.page import Block, Column, table_block
from reports.publish.markdown import as_markdown


def test_intervals_are_small_print_without_styles():
    shown = as_markdown(Block('<h2>A</h2>\n\n<td class="number">1.0 <span class="interval">0.9 to 1.1</span></td>'))
    assert shown == "<h2>A</h2>\n<td>1.0<br><sub>0.9&nbsp;to&nbsp;1.1</sub></td>"
    assert "Table&nbsp;1" not in as_markdown(Block('<span class="interval">Table 1, printed</span>')).strip()


def test_figures_are_markdown():
    figure = '<figure><img alt="A" style="b" src="c"><figcaption>Fig. [2]: the rest.</figcaption></figure>'
    assert as_markdown(Block(figure)) == "![Fig. 2: the rest.](c)\n\n<em>Fig. [2]: the rest.</em>"


def test_ids_of_runs_are_shortened():
    assert as_markdown(Block(f"<code>{'0123456789abcdef' * 2}</code>")) == "<code>01234567…</code>"


def rows_of(table):
    rows = re.findall(r"<tr>(.*?)</tr>", table)
    return [re.findall(r"<t[hd](?: colspan=\"\d+\")?>(.*?)</t[hd]>", row) for row in rows]


def test_a_table_that_fits_stays_one_without_its_styles():
    columns = [
        Column("name", ["a", "b"], numeric=False),
        Column("SBD", ["0.1", "0.2"]),
        Column("old", ["1", "2"], soft=True),
    ]
    shown = as_markdown(table_block(columns, "In grey: old. Shaded: the control.", [1]))
    assert shown.startswith("<div><p>In italics: old. Bold: the control.</p>\n<table><thead><tr><th>name</th>")
    assert rows_of(shown) == [
        ["name", "SBD", "<em>old</em>"],
        ["a", "0.1", "<em>1</em>"],
        ["<b>b</b>", "0.2", "<em>2</em>"],
    ]


def wide(name):
    return name + "x" * 10


def test_a_table_that_is_too_wide_is_parted_between_groups_of_columns():
    names = [Column("row", ["1"], numeric=False)]
    first = [Column(wide(f"old {i} "), [f"{i}"], group="legacy") for i in range(2)]
    last = [Column(wide(f"new {i} "), [f"{i}"], group="true") for i in range(6)]
    tables = as_markdown(table_block([*names, *first, *last], "A table.")).split("\n")[1:]
    assert [rows_of(table)[0] for table in tables] == [["", "legacy"], ["", "true"]]
    assert [rows_of(table)[2] for table in tables] == [["1", "0", "1"], ["1", *"012345"]]


def test_a_part_has_no_row_without_values():
    names = [Column("row", ["ours", "theirs"], numeric=False)]
    first = [Column(wide(f"old {i} "), ["–", f"{i}"], group="printed", soft=not i) for i in range(2)]
    last = [Column(wide(f"new {i} "), [f"{i}", "–"], group="true") for i in range(6)]
    tables = as_markdown(table_block([*names, *first, *last], "A table.")).split("\n")[1:]
    assert [[row[0] for row in rows_of(table)[2:]] for table in tables] == [["theirs"], ["ours"]]
    whole = as_markdown(table_block([*names, *first], "A table."))
    assert [row[0] for row in rows_of(whole)[2:]] == ["ours", "theirs"]


def test_a_group_that_is_too_wide_is_parted_itself():
    names = [Column(wide(f"name{i}"), [f"{i}"], numeric=False) for i in range(2)]
    scores = [
        Column(f"score {i}", [f'1 <span class="interval">−0.001 to +0.00{i}</span>'], group="true") for i in range(6)
    ]
    tables = as_markdown(table_block([*names, *scores], "A table.")).split("\n")[1:]
    assert [[*rows_of(table)[1][2:]] for table in tables] == [
        ["score 0", "score 1", "score 2"],
        ["score 3", "score 4", "score 5"],
    ]
    assert all(rows_of(table)[2][:2] == ["0", "1"] for table in tables)


def test_an_adjusted_p_stays_beside_its_difference():
    names = [Column("name", ["a"], numeric=False)]
    titles = ["tuned", "printed", "difference", "adjusted p", "other difference", "adjusted p, printed"]
    scores = [Column(title, ['1 <span class="interval">−0.001 to +0.001</span>'], group="true") for title in titles]
    tables = as_markdown(table_block([*names, *scores], "A table.")).split("\n")[1:]
    assert [rows_of(table)[1][1:] for table in tables] == [titles[:4], titles[4:]]
