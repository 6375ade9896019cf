"""For scripts: an image file, or one of labels, as trainings read it."""

from study.data.files.reading import read_image, read_labels

__all__ = ["read_image", "read_labels"]
