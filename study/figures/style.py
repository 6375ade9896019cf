"""How figures look in print: their width, their letters, their files."""

from __future__ import annotations

from pathlib import Path

import seaborn as sns
from matplotlib.figure import Figure

WIDTH = 7.2  # inches, the text of a page; nothing is scaled down, so that no letter is smaller than 7 points
DPI = 220
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")  # Okabe and Ito


# for the whole process, and only here: letters of 8 to 9 points, light grids, and text that stays text in PDF files
sns.set_theme(style="whitegrid", context="paper", font_scale=0.9, rc={"pdf.fonttype": 42})


def save(figure: Figure, file: Path) -> None:
    """Write a figure; the ending of `file` gives the format."""
    figure.savefig(file, dpi=DPI)
