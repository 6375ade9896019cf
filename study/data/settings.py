"""The settings of a run that say which images it has."""

from __future__ import annotations

from dataclasses import dataclass

from study.config import setting


@dataclass(frozen=True)
class Data:
    """Which images, at which size. Sizes in pixels."""

    name: str = "synthetic-leaves"  # a key of DATASETS
    root: str = ""  # folder of the data set; not part of the digest, the data's own digest is
    subsets: str = "A1"  # of CVPPP2017: joined by '+' such as A1+A2, or all that are there
    test_subsets: str = ""  # of CVPPP2017: whole subsets to test on, such as A2; else the test split of `subsets`
    image_size: int = setting(512, low=0, high=8192, needs="images")  # all are resized to this square; 0 keeps sizes
    crop_size: int = setting(0, low=0, high=8192)  # side of training crops (and of tiles); 0 trains on whole images
    crop_planes: int = setting(18, low=2, high=512, needs="volumes")  # planes of training crops and of tiles
    planes: int = setting(0, low=0, needs="volumes")  # at most the first so many of each volume; 0 = all
    side: int = setting(0, low=0, needs="volumes")  # at most the first so many rows and columns of each; 0 = all
    # flips: mirror images and quarter turns; scaling: of images, by 4/5 to 5/4
    augmentation: str = setting("none", choices=("none", "flips", "flips+scaling"))
    all_test: bool = False  # take all images for test images, to score a network of other images on them
    images: int = setting(0, low=0)  # at most this many images of each split; 0 = all
    split_seed: int = setting(2020, low=0)  # of the splits that the data set does not publish itself
