"""The values that papers print: on which test set they were measured, and whether a launch tests on the same one."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping

import pandas as pd

from study.ablation.design import Ablation
from study.data.sets.cvppp import A1_TEST
from study.runs.job import Result

TEST_SET = "test_set"  # column of a file of printed values: in words, on what they were measured
SAME = "same"  # column that is added to it: whether the launch tests on that
A1 = "cvppp2017 A1, the 20 listed plants"
A2 = "cvppp2017 A2, all 31 plants"
BBBC039 = "bbbc039, the 50 listed test images"


def _is_a2(names: Collection[str]) -> bool:
    return len(names) == 31 and all(name.startswith("A2/") for name in names)


# Test set -> data set, and whether the test images of those names are all of it. Of a test set that is not listed here,
# because its labels are private or nobody has published which images it has, no launch can know that it tests on it.
_KNOWN: Mapping[str, tuple[str, Callable[[Collection[str]], bool]]] = {
    A1: ("cvppp2017", lambda names: set(names) == set(A1_TEST)),
    A2: ("cvppp2017", _is_a2),
    BBBC039: ("bbbc039", lambda names: len(names) == 50),
}


def same_test_set(test_set: str, dataset: str, images: Collection[str]) -> bool:
    """Whether the test images of a launch are those that printed values were measured on.

    Parameters
    ----------
    test_set : str
        As the file of printed values names it.
    dataset : str
        Name of the data set that the launch is on.
    images : collection of str
        Names of its test images, each once.
    """
    if test_set not in _KNOWN:
        return False
    needed, is_all_of = _KNOWN[test_set]
    return dataset == needed and is_all_of(images)


def tested_images(results: Iterable[Result]) -> set[str]:
    """Names of the images that some results are scores of."""
    return {name for result in results for name in result.table["image"].astype(str)}


def printed_values(ablation: Ablation, dataset: str, results: Iterable[Result]) -> pd.DataFrame | None:
    """The paper's values of an ablation, with the columns `test_set` and `same`; None where it prints none."""
    if ablation.printed is None:
        return None
    values = pd.read_csv(ablation.printed)
    return marked(values, dataset, tested_images(results))


def marked(values: pd.DataFrame, dataset: str, images: Collection[str], told: Collection[str] = ()) -> pd.DataFrame:
    """Printed values with the column `same`; `told` are test sets that the user says are those of the launch.

    A file without the column `test_set` does not say what its values were measured on.
    """
    if TEST_SET not in values:
        values = values.assign(**{TEST_SET: "images that are not named"})
    same = [name in told or same_test_set(name, dataset, images) for name in values[TEST_SET]]
    return values.assign(**{SAME: same})
