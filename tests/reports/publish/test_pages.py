import base64

import numpy as np
import pytest
from PIL import Image

from reports.publish.pages import _once, _value_of, _with_files


def test_a_cell_has_the_value_of_its_last_line():
    namespace = {"given": 2}
    assert _value_of("double = 2 * given", namespace) is None
    assert _value_of("more = double + 1\nmore + double", namespace) == 9


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
        text = f"# {name}\n<h2>Claims and verdicts</h2>\n<div>{table}</div>\n<div>launches</div>"
        return _once(text, claims, tmp_path / name, name.upper())

    claims: dict[str, str] = {}
    assert "<div>a</div>\n<div>launches" in page("first", "a")
    assert page("second", "a").endswith(
        "</h2>\n\nThey are on the page [FIRST](../first/README.md).\n\n<div>launches</div>"
    )
    assert "<div>b</div>" in page("third", "b")
    assert _once("# no claims", claims, tmp_path, "D") == "# no claims"
    assert sorted(file.parent.name for file in tmp_path.rglob("claims.csv")) == ["first", "third"]
