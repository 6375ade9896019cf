"""Files or synthetic images -> samples (image, labels, name)."""

from study.data.dataset import Dataset, Record, Sample
from study.data.sets.opening import DATASETS, open_dataset
