"""Maps for tests."""

from study.maps import ImageMaps


def image_maps(distance, embedding):
    """Maps of an image from a distance map and an embedding of unit vectors."""
    return ImageMaps({"distance": distance, "embedding": embedding})
