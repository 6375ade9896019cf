"""Whole systems and other software side by side, from a launch of the ablation `systems`."""

from __future__ import annotations

from reports.blocks.launch_page import BARS, OneLaunch
from reports.blocks.page import Block, figure_block, heading, paragraph, stacked
from reports.blocks.pictures import NO_PICTURES, first_with_pictures, side_by_side
from reports.blocks.results import COSTS
from study import figures
from study.figures.names import variant_label

SHOWS = ("systems",)  # ablations
_AT_ONCE = 5  # systems next to each other in a figure of labels
_FURTHER = ("dic", "ap_50", "ap_75")


class Systems(OneLaunch):
    """The comparison."""

    ABLATION = SHOWS[0]
    IMPORTED = True

    def table(self) -> Block:
        """Scores and costs of all systems."""
        caption = "All systems have the same budget of steps. Training: seconds of the whole training. "
        caption += self.measured_on()
        return self.result_block("systems", "Systems", caption, "system", means=_FURTHER, shown=(*_FURTHER, *COSTS))

    def scores(self) -> Block | None:
        """The scores as a figure."""
        return self.score_block("scores", "Scores as a figure", f"Systems. {BARS} {self.measured_on()}")

    def predictions(self) -> Block:
        """Labels of all systems on the first test images."""
        title = heading("Labels side by side")
        results = [first_with_pictures(self.launch.of(variant)) for variant in self.launch.ablation.variants()]
        shown = [(result, self.launch.run_of(result)) for result in results if result]
        shown += [(other.result, other.run_id) for other in self.competitors if other.result.panels]
        if not shown:
            return title + paragraph(NO_PICTURES, "soft")
        blocks = []
        for k in range(0, len(shown), _AT_ONCE):
            part = {variant_label(pair[0].variant): pair for pair in shown[k : k + _AT_ONCE]}
            strips, data = side_by_side(part)
            figure = figures.prediction_figure(strips)
            images, seeds = (", ".join(dict.fromkeys(map(str, data[name]))) for name in ("image", "seed"))
            caption = f"Test images {images}, their truth, and what is found in them; seed {seeds}. "
            caption += f"{self.launch.data_and_budget}"
            blocks.append(figure_block(self.folder, f"labels_{k // _AT_ONCE + 1}", figure, caption, data))
        return stacked([title, *blocks])
