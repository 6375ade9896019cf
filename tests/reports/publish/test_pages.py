import base64

import numpy as np
import pytest
from PIL import Image

from reports.blocks.page import Block
from reports.publish.pages import _as_markdown, _once, _value_of, _with_files


def test_a_cell_has_the_value_of_its_last_line():
    namespace = {"given": 2}
    assert _value_of("double = 2 * given", namespace) is None
    assert _value_of("more = double + 1\nmore + double", namespace) == 9


def test_intervals_are_small_print_without_styles():
    shown = _as_markdown(Block('<h2>A</h2>\n\n<td class="number">1.0 <span class="interval">0.9 to 1.1</span></td>'))
    assert shown == "<h2>A</h2>\n<td>1.0<br><sub>0.9&nbsp;to&nbsp;1.1</sub></td>"
    assert "Table&nbsp;1" not in _as_markdown(Block('<span class="interval">Table 1, printed</span>')).strip()


def test_figures_are_markdown():
    figure = '<figure><img alt="A" style="b" src="c"><figcaption>Fig. [2]: the rest.</figcaption></figure>'
    assert _as_markdown(Block(figure)) == "![Fig. 2: the rest.](c)\n\n<em>Fig. [2]: the rest.</em>"


def test_ids_of_runs_are_shortened():
    assert _as_markdown(Block(f"<code>{'0123456789abcdef' * 2}</code>")) == "<code>01234567…</code>"


@pytest.mark.parametrize(("width", "shown"), [(300, 300), (2400, 1200)])
def test_figures_are_files_no_wider_than_a_page(tmp_path, width, shown):
    noise = np.random.default_rng(0).integers(0, 255, (40, width, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "a.png")
    data = base64.b64encode((tmp_path / "a.png").read_bytes()).decode()
    (tmp_path / "a.pdf").write_bytes(b"the same")
    assert _with_files(f"![A](data:image/png;base64,{data})", tmp_path) == "![A](a.png)"
    assert [file.name for file in tmp_path.iterdir()] == ["a.png"]
    with Image.open(tmp_path / "a.png") as figure:
        assert figure.size == (shown, 40 * shown // width)


def test_a_table_of_claims_is_shown_once_and_linked_after(tmp_path):
    def page(name, table):
        (tmp_path / name).mkdir()
        (tmp_path / name / "claims.csv").touch()
        text = f"# {name}\n<h2>Claims and verdicts</h2>\n<figure>{table}</figure>\n<figure>launches</figure>"
        return _once(text, claims, tmp_path / name, name.upper())

    claims: dict[str, str] = {}
    assert "<figure>a</figure>\n<figure>launches" in page("first", "a")
    assert page("second", "a").endswith(
        "</h2>\n\nThey are on the page [FIRST](../first/README.md).\n\n<figure>launches</figure>"
    )
    assert "<figure>b</figure>" in page("third", "b")
    assert _once("# no claims", claims, tmp_path, "D") == "# no claims"
    assert sorted(file.parent.name for file in tmp_path.rglob("claims.csv")) == ["first", "third"]
