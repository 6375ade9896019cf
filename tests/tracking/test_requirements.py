import re
from importlib import metadata

import pytest

from study.errors import StudyError
from study.tracking import requirements as module
from study.tracking.requirements import requirements


def test_each_package_in_the_version_that_is_installed():
    found = dict(line.split("==") for line in requirements())
    for name in ("numpy", "scipy", "scikit-image", "scikit-learn", "bioimage-cpp", "tifffile", "imagecodecs", "mlflow"):
        assert found[name] == metadata.version(name)
    assert found["torch"] == metadata.version("torch").partition("+")[0]
    assert not {"dask", "bioio", "pytest"} & set(found)  # of extras


def test_what_is_declared_is_what_the_installation_says_where_there_is_no_checkout(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "CODE", tmp_path / "study")
    monkeypatch.setattr(module.metadata, "requires", lambda _: ["numpy>=2", "pytest>=8 ; extra == 'dev'"])
    assert requirements() == [f"numpy=={metadata.version('numpy')}"]
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'another'\ndependencies = ['scipy']\n")
    assert requirements() == [f"numpy=={metadata.version('numpy')}"]


def test_a_package_that_is_missing(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "CODE", tmp_path / "study")
    monkeypatch.setattr(module.metadata, "requires", lambda _: ["no-such-package"])
    with pytest.raises(StudyError, match=re.escape("the package no-such-package is not installed")):
        requirements()
