"""How figures look in print: their width, their letters, their files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cycler import cycler
from matplotlib import rcParams
from matplotlib.figure import Figure

WIDTH = 7.2  # inches, the text of a page; nothing is scaled down, so that no letter is smaller than 7 points
DPI = 220
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")  # Okabe and Ito
# of seaborn
_DEEP = ("#4C72B0", "#DD8452", "#55A868", "#C44E52", "#8172B3", "#937860", "#DA8BC3", "#8C8C8C", "#CCB974", "#64B5CD")

_LETTERS, _SMALL_LETTERS = 8.64, 7.92  # points
_GREY, _DARK = ".8", ".15"
# Seaborn's white grid for papers with letters of .9 of the size, as it is set by hand, because to import seaborn takes
# half a second, which the processes that train need not wait for.
_THEME: dict[Any, Any] = {
    "axes.axisbelow": True,
    "axes.edgecolor": _GREY,
    "axes.grid": True,
    "axes.labelcolor": _DARK,
    "axes.labelsize": _LETTERS,
    "axes.linewidth": 1.0,
    "axes.prop_cycle": cycler(color=list(_DEEP)),
    "axes.titlesize": _LETTERS,
    "font.sans-serif": ["Arial", "DejaVu Sans", "Liberation Sans", "Bitstream Vera Sans", "sans-serif"],
    "font.size": _LETTERS,
    "grid.color": _GREY,
    "legend.fontsize": _SMALL_LETTERS,
    "legend.title_fontsize": _LETTERS,
    "lines.linewidth": 1.2,
    "lines.markersize": 4.8,
    "lines.solid_capstyle": "round",
    "patch.edgecolor": "w",
    "patch.force_edgecolor": True,
    "patch.linewidth": 0.8,
    "text.color": _DARK,
    "xtick.bottom": False,
    "ytick.left": False,
}
for _axis in ("xtick", "ytick"):
    _THEME |= {f"{_axis}.color": _DARK, f"{_axis}.labelsize": _SMALL_LETTERS}
    _THEME |= {f"{_axis}.major.size": 4.8, f"{_axis}.major.width": 1.0}
    _THEME |= {f"{_axis}.minor.size": 3.2, f"{_axis}.minor.width": 0.8}

# for the whole process, and only here: letters of 8 to 9 points, light grids, and text that stays text in PDF files
rcParams.update(_THEME | {"pdf.fonttype": 42})  # type: ignore[call-overload]


def save(figure: Figure, file: Path) -> None:
    """Write a figure; the ending of `file` gives the format."""
    figure.savefig(file, dpi=DPI)
