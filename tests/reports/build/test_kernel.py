"""Notebooks that share a kernel: what one does must not reach the next."""

import nbformat
import pytest

from reports.build.kernel import own_kernel
from reports.build.render import NotebookError, render

KERNEL = {"kernelspec": {"name": "python3", "language": "python", "display_name": "Python 3"}}


@pytest.fixture
def executed(tmp_path):
    """Executes code cells as a notebook of its own; gives the texts of their outputs, and the numbers of the cells."""

    def execute(kernel, *cells):
        template = tmp_path / "page.ipynb"
        first = nbformat.v4.new_code_cell("number = 3", metadata={"tags": ["parameters"]})
        cells = [nbformat.v4.new_markdown_cell("# A page"), first, *map(nbformat.v4.new_code_cell, cells)]
        nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=KERNEL), template)
        folder = tmp_path / "made"
        folder.mkdir(exist_ok=True)
        render(template, {}, folder, kernel)
        made = [cell for cell in nbformat.read(folder / "page.ipynb", 4).cells if cell.cell_type == "code"]
        texts = [output["data"]["text/plain"] for cell in made for output in cell.outputs]
        return texts, [cell.execution_count for cell in made]

    return execute


def test_notebooks_share_a_process_and_its_modules_but_no_names(executed):
    with own_kernel() as kernel:
        before = executed(kernel, "import os, study.errors\nkept = 1\nos.getpid()", "study.errors.kept = 2\n'x'")
        after = executed(kernel, "import sys, os\nos.getpid()", "'kept' in globals(), sys.modules['study.errors'].kept")
    assert before[0][0] == after[0][0]
    assert after[0][1] == "(False, 2)"
    assert before[1] == after[1] == [1, 2, 3]  # the cells are counted from 1


def test_the_memory_of_a_notebook_is_free_before_the_next(executed):
    watched = (
        "import weakref, builtins\nclass Large: ...\nlarge = Large()\nbuiltins.watched = weakref.ref(large)\nlarge"
    )
    with own_kernel() as kernel:
        executed(kernel, watched)
        assert executed(kernel, "watched() is None")[0] == ["True"]


@pytest.mark.parametrize(("fault", "same"), [("1 / 0", True), ("os._exit(3)", False)])
def test_a_notebook_that_fails_leaves_the_next(fault, same, executed):
    with own_kernel() as kernel:
        ((before,), _) = executed(kernel, "import os\nos.getpid()")
        with pytest.raises(NotebookError, match="ZeroDivisionError" if same else "DeadKernelError"):
            executed(kernel, f"import os\n{fault}")
        ((after,), _) = executed(kernel, "import os\nos.getpid()")
    assert (before == after) == same


def test_pages_of_a_kernel_read_a_launch_once(executed):
    with own_kernel() as kernel:
        assert executed(kernel, "import reports.blocks.launch_results as of\nof._kept")[0] == ["{}"]
