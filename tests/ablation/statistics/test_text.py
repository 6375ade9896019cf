from study.ablation.statistics import as_text, summarize, to_markdown
from study.ablation.statistics.text import WIDTH
from tests.ablation.statistics.made import ABLATION, noisy


def test_paragraphs_and_lists_are_wrapped():
    text = as_text("**Which?** " + "`word` " * 30 + "\n\n- " + "item " * 30)
    lines = text.splitlines()
    assert lines[0].startswith("Which? word word ")
    assert max(map(len, lines)) <= WIDTH
    assert not set("*`") & set(text)
    assert [line[:2] for line in lines if "item" in line] == ["- ", "  "]


def test_a_table_is_aligned():
    assert as_text(
        "| variant | \\|DiC\\| | SBD |\n|---|---|---|\n| a | 1.5 | 0.9 (0.8 to 1.0) |\n| long name | 2 |  |"
    ) == ("variant    |DiC|               SBD\na            1.5  0.9 (0.8 to 1.0)\nlong name      2")


def test_columns_beyond_the_width_are_left_out():
    wide = "x" * 60
    assert as_text(f"| a | b | c |\n|---|---|---|\n| 1 | {wide} | {wide} |").splitlines()[0].split() == ["a", "b"]


def test_the_answer_of_an_ablation():
    results = [*noisy(ABLATION.variants()[0], 0.2), *noisy(ABLATION.control, 0.0)]
    text = as_text(to_markdown(ABLATION, summarize(ABLATION, results)))
    assert text.startswith("Asked: SBD by network and inter_weight; control: W-Net, λ = 1. Found: the best")
    assert max(map(len, text.splitlines())) <= WIDTH
    (row,) = [line for line in text.splitlines() if line.startswith("U-Net, λ = 1  ")]
    assert row.count("(") == 2  # the score and its difference to the control, with intervals
