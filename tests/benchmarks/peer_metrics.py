"""Times stardist's and cellpose's metrics on label images; run by the Python of an environment that has them.

Takes the path of an .npz file with `true` and `pred` and the number of rounds; prints a JSON object: name -> seconds of
each round, and the average precisions found. For the environment see `peers.txt`.
"""

import json
import sys
import time

import numpy as np

THRESHOLDS = [percent / 100 for percent in range(50, 91, 5)]


def ways():
    """Name -> function of two label images that gives the average precision at each threshold."""
    from cellpose.metrics import average_precision
    from stardist.matching import matching

    return {
        "stardist, a call per threshold": lambda true, pred: [matching(true, pred, t).accuracy for t in THRESHOLDS],
        "stardist, one call": lambda true, pred: [found.accuracy for found in matching(true, pred, tuple(THRESHOLDS))],
        "cellpose": lambda true, pred: average_precision([true], [pred], threshold=THRESHOLDS)[0][0].tolist(),
    }


def main() -> None:
    images = np.load(sys.argv[1])
    found = {}
    for name, way in ways().items():
        scores = way(images["true"], images["pred"])  # not timed: compiles what is compiled at the first call
        times = []
        for _ in range(int(sys.argv[2])):
            start = time.perf_counter()
            way(images["true"], images["pred"])
            times.append(time.perf_counter() - start)
        found[name] = {"seconds": times, "scores": [float(score) for score in scores]}
    print(json.dumps(found))


if __name__ == "__main__":
    main()
