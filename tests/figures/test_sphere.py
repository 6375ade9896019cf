import numpy as np

from study.figures import label_colours, sphere_figure


def test_pixels_of_objects_are_points_on_the_sphere(units, png):
    truth = np.array([[0, 1, 1], [2, 2, 2]])
    vectors, means = units(2, 3, 3), np.eye(3)
    image = np.zeros((2, 3, 3), np.uint8)
    figure = sphere_figure(image, truth, [("local", vectors, means), ("global", -vectors, means)])
    assert [axis.get_title() for axis in figure.axes] == ["image", "truth", "local", "global"]
    points = figure.axes[2].collections[-1]
    drawn = np.stack(points._offsets3d, axis=1)
    np.testing.assert_allclose(drawn, vectors[truth > 0], atol=1e-6)
    wanted = {tuple(colour) for colour in (label_colours(np.array([1, 2])) / 255).round(6).tolist()}
    assert {tuple(colour) for colour in points.get_facecolors()[:, :3].round(6).tolist()} == wanted
    ends = [np.array(line.get_data_3d())[:, 1] for line in figure.axes[2].lines]
    np.testing.assert_array_equal(ends, means[1:])
    assert png(figure).std() > 10
