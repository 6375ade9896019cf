import sys
from importlib import import_module

import pytest

_CALL = """
def call(task):
    name, given = task
    return globals()[name](given)
"""


@pytest.fixture
def importable(monkeypatch):
    """Make a module that other processes can import from a folder, as they cannot that of a test.

    Gives a function that calls one of its functions: (name, argument) -> result.
    """
    made = []

    def make(folder, name, source):
        (folder / f"{name}.py").write_text(source + _CALL)
        monkeypatch.syspath_prepend(folder)
        made.append(name)
        return import_module(name).call

    yield make
    for name in made:
        del sys.modules[name]
