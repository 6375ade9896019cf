"""Fig. 1 of Chen et al. 2019, an embedding on the sphere, from a launch of the ablation `sphere`."""

from __future__ import annotations

from reports.blocks.gallery import chosen_images, common_images, data_of, missing_gallery, pictured
from reports.blocks.launch_page import OneLaunch
from reports.blocks.page import Block, figure_block, heading
from reports.blocks.pictures import angle_figure
from study import figures
from study.figures.names import value_label
from study.metrics import mean_directions

SHOWS = ("sphere",)  # ablations
_VARIED, _ANGLE = "loss.constraints", "neighbour_angle"


class Sphere(OneLaunch):
    """The figure."""

    ABLATION = SHOWS[0]
    ABSENT = ("Fig. 1a and 1b (the drawing)", "Fig. 1c and 1d (embeddings of earlier steps, which runs do not keep)")

    def figure_1(self) -> Block:
        """The embedding of a test image as points on the sphere, under local and global constraints."""
        title = "Fig. 1: embeddings on the sphere"
        variants = self.launch.ablation.variants()
        runs = pictured(self.launch, variants, [value_label(_VARIED, variant[_VARIED]) for variant in variants])
        runs = [run for run in runs if all(image.vectors is not None for image in run.images.values())]
        if not (names := common_images(runs)):
            return missing_gallery(title)
        first = runs[0].images
        (name,) = chosen_images(names, 1, lambda name: -int(first[name].truth.max(initial=0)))
        truth = first[name].scaled(first[name].truth)
        embeddings = []
        for run in runs:
            vectors = run.images[name].vectors
            assert vectors is not None
            angle = run.score(name, _ANGLE)
            words = f"{run.title}: {angle:.0f}° between neighbours"
            directions = mean_directions(vectors, truth, int(truth.max(initial=0)) + 1)
            embeddings.append((words, vectors, directions.vectors))
        figure = figures.sphere_figure(first[name].picture, truth, embeddings)
        caption = (
            f"Fig. 1. Embeddings of the test image {name}, that of most objects among {len(names)}, on the unit "
            "sphere: points are pixels, lines the mean directions of objects, in the colours of the true objects. The "
            "background is left out, of the loss too. A direction and its opposite are orthogonal to the same others, "
            "as the loss takes the absolute cosine. The networks were trained on all training images, where the paper "
            "shows how a loss converges on a drawing of four objects; embeddings of steps in between are not kept. "
            f"Seed {runs[0].result.seed}. {self.measured_on()}"
        )
        data = data_of(runs, [name]).assign(angle=[run.score(name, _ANGLE) for run in runs])
        return heading(title) + figure_block(self.folder, "figure_1", figure, caption, data)

    def angles(self) -> Block:
        """Angle between neighbours over the training."""
        return angle_figure(self.launch, _VARIED, None, self.folder)

    def table(self) -> Block:
        """Scores under both constraints."""
        caption = f"Constraints in three dimensions. {self.measured_on()}"
        return self.result_block("sphere", "Scores in three dimensions", caption, "constraints")
