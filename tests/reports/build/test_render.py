import json
import sys

import nbformat
import pytest

from reports.build.kernel import own_kernel
from reports.build.names import NAMES, TEMPLATES
from reports.build.render import NotebookError, checked_parameters, render
from study.errors import StudyError


def notebook(file, *cells):
    """A notebook with a parameter `number` and code cells."""
    first = nbformat.v4.new_code_cell("number = 3", metadata={"tags": ["parameters"]})
    kernel = {"kernelspec": {"name": "python3", "language": "python", "display_name": "Python 3"}}
    cells = [nbformat.v4.new_markdown_cell("# A page"), first, *map(nbformat.v4.new_code_cell, cells)]
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), file)
    return file


SHOW = "from reports.blocks.page import Block\nBlock(f'<p>{number} in {sys.executable}</p>')"


def rendered(*given):
    with own_kernel() as kernel:
        return render(*given, kernel)


def test_the_kernel_is_this_python_whatever_kernels_there_are(tmp_path, monkeypatch, capfd):
    bad = tmp_path / "jupyter" / "kernels" / "python3"
    bad.mkdir(parents=True)
    (bad / "kernel.json").write_text(
        json.dumps({"argv": ["/no/such/python"], "language": "python", "display_name": "x"})
    )
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    noise = "import sys, warnings\nwarnings.warn('beware')\nprint('some words')"
    page = rendered(notebook(tmp_path / "page.ipynb", noise, SHOW), {"number": "7"}, _folder(tmp_path))
    text = page.read_text()
    assert f"<p>7 in {sys.executable}</p>" in text
    assert "<title>A page</title>" in text
    for absent in ("beware", "some words", "import sys", "number =", "<script", "<link", "http:", "https:"):
        assert absent not in text
    assert capfd.readouterr() == ("", "")


def _folder(tmp_path):
    folder = tmp_path / "made"
    folder.mkdir()
    return folder


def test_a_failing_cell_leaves_what_came_before_it(tmp_path):
    template = notebook(tmp_path / "page.ipynb", f"import sys\n{SHOW}", "raise ValueError('no <such> thing')", "1 + 1")
    folder = _folder(tmp_path)
    with pytest.raises(NotebookError, match=r"the notebook page has failed \(ValueError: no <such> thing\)"):
        rendered(template, {}, folder)
    cells = nbformat.read(folder / "page.ipynb", 4).cells
    ended = [cell.outputs[0].output_type for cell in cells if cell.get("outputs")]
    assert ended[-2:] == ["execute_result", "error"]
    text = (folder / "page.html").read_text()
    assert "This page is incomplete: ValueError: no &lt;such&gt; thing" in text
    assert f"<p>3 in {sys.executable}</p>" in text
    assert "Traceback" not in text


def test_a_kernel_that_dies(tmp_path):
    folder = _folder(tmp_path)
    template = notebook(tmp_path / "page.ipynb", "import os\nos._exit(3)")
    with pytest.raises(NotebookError, match=r"the notebook page has failed \(DeadKernelError: "):
        rendered(template, {}, folder)
    assert "This page is incomplete: DeadKernelError" in (folder / "page.html").read_text()


@pytest.mark.parametrize("name", NAMES)
def test_templates_are_clean_and_take_ids_not_data(name):
    cells = nbformat.read(TEMPLATES / f"{name}.ipynb", 4).cells
    code = [cell for cell in cells if cell.cell_type == "code"]
    assert code[0].metadata.tags == ["parameters"]
    assert not any(cell.outputs or cell.execution_count for cell in code)
    assert max(len(cell.source.splitlines()) for cell in code) <= 4
    assert checked_parameters(TEMPLATES / f"{name}.ipynb", {"store": "s", "run_ids": "a,b", "folder": "f"})


def test_unknown_parameters_are_refused():
    template = TEMPLATES / "run_card.ipynb"
    assert checked_parameters(template, {"shown": "5"}) == {"shown": 5}
    with pytest.raises(StudyError, match="unknown parameter of the notebook run_card 'show', did you mean shown"):
        checked_parameters(template, {"show": "5"})
    with pytest.raises(StudyError, match="parameter shown of the notebook run_card must be a whole number, not 'x'"):
        checked_parameters(template, {"shown": "x"})
