import threading

import pytest
import torch

from study.data.streaming import batches_of


class Numbers:
    """Images whose batch is the sample itself, and which note the threads that make it."""

    device = torch.device("cpu")

    def __init__(self, streams, broken=None):
        self.streams, self.broken, self.made = streams, broken, []

    def batch(self, samples):
        self.made.append((int(samples), threading.current_thread()))
        if samples == self.broken:
            raise ValueError("a broken batch")
        return samples


def threads_of(images):
    return {thread for _, thread in images.made}


@pytest.mark.parametrize("streams", [False, True])
@pytest.mark.parametrize("steps", [0, 1, 5])
def test_batches_come_in_the_order_of_the_samples(steps, streams):
    images = Numbers(streams)
    assert [int(batch) for batch in batches_of(images, torch.arange(steps))] == list(range(steps))
    assert [number for number, _ in images.made] == list(range(steps))
    assert (threading.current_thread() in threads_of(images)) == (not streams and steps > 0)
    assert not any(thread.is_alive() for thread in threads_of(images) - {threading.current_thread()})


def test_the_next_batch_is_made_while_one_is_in_use_and_no_other():
    images, batches = Numbers(True), None
    batches = batches_of(images, torch.arange(9))
    for step in (0, 1, 2):
        assert next(batches) == step
    batches.close()
    assert [number for number, _ in images.made] == [0, 1, 2, 3]
    assert len(threads_of(images)) == 1
    assert not next(iter(threads_of(images))).is_alive()


def test_a_fault_of_a_batch_ends_the_thread_and_comes_through():
    images = Numbers(True, broken=2)
    with pytest.raises(ValueError, match="a broken batch"):
        list(batches_of(images, torch.arange(9)))
    assert not any(thread.is_alive() for thread in threads_of(images))
