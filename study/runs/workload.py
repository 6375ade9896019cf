"""What the time of a training depends on, by which earlier ones tell how long it will take."""

from __future__ import annotations

import hashlib
import json

from study.runs.job import Job

WORKLOAD = "workload"  # tag of a run that has trained
_GROUPS = ("data", "network", "training")
_NO_MATTER = ("data.root", "training.device", "training.threads")  # for which the others stand


def workload(job: Job, environment: str, threads: int) -> str:
    """12 hexadecimal digits: jobs that share them take equally long, with so many threads each.

    They stand for the network, the kind of loss, the budget and the images, and for device and libraries, see
    `study.runs.environment`; neither the values of a loss nor the seed count.
    """
    settings = job.planned.settings
    kept = {
        name: value
        for name, value in settings.flat().items()
        if name == "loss.name" or (name.partition(".")[0] in _GROUPS and name not in _NO_MATTER)
    }
    text = json.dumps([kept, job.data_digest, environment, threads], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]
