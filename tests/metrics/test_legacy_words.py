"""That the legacy SBD is the larger best Dice is a reading, and is nowhere said to be a fact."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "study").rglob("*.py")]
FILES += [*(ROOT / "study").rglob("*.csv"), *(ROOT / "reports").rglob("*.py"), *(ROOT / "reports").rglob("*.ipynb")]
LEGACY, LARGER = re.compile(r"legacy|leaderboard", re.IGNORECASE), re.compile(r"the larger|maximum", re.IGNORECASE)
READING = re.compile(r"not\s+known\s+for\s+a\s+fact|as far as can be told|the reading that fits best", re.IGNORECASE)
NEAR = 300  # characters


def explanations(text):
    """The surroundings of each place that says which best Dice the legacy score is."""
    around = (text[max(0, found.start() - NEAR) : found.end() + NEAR] for found in LARGER.finditer(text))
    return [place for place in around if LEGACY.search(place) and "Dice" in place]


EXPLAINED = {file: explanations(file.read_text(encoding="utf-8")) for file in FILES}


def test_it_is_explained_where_readers_look():
    named = {file.relative_to(ROOT).as_posix() for file, places in EXPLAINED.items() if places}
    assert named >= {"README.md", "docs/choices.md", "study/metrics/leaf.py", "reports/blocks/printed.py"}


@pytest.mark.parametrize("file", [file for file, places in EXPLAINED.items() if places], ids=lambda file: file.name)
def test_it_is_called_a_reading(file):
    assert all(READING.search(place) for place in EXPLAINED[file])


def test_a_bare_claim_would_be_found():
    (place,) = explanations("The legacy SBD is the larger best Dice of an image.")
    assert not READING.search(place)
