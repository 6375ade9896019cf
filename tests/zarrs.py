"""OME-Zarr as microscopes and converters write it."""

from bioio_ome_zarr.writers import Channel, OMEZarrWriter

_TYPES = {"t": "time", "c": "channel"}


def write_zarr(path, pixels, axes, channels=("grey",)):
    """An OME-Zarr whose pixels are 0.25 micrometres wide, and its planes 2 apart."""
    size = {"z": 2.0, "y": 0.25, "x": 0.25}
    writer = OMEZarrWriter(
        str(path),
        level_shapes=[pixels.shape],
        dtype=pixels.dtype,
        zarr_format=2,
        axes_names=list(axes),
        axes_types=[_TYPES.get(axis, "space") for axis in axes],
        axes_units=["micrometer" if axis in size else None for axis in axes],
        physical_pixel_size=[size.get(axis, 1.0) for axis in axes],
        channels=[Channel(label=name, color="FFFFFF") for name in channels] if "c" in axes else None,
    )
    writer.write_full_volume(pixels)
    return path
