"""Workers that are this process, so that what is asked of them can be seen and changed."""

from study.executors import Inline, LaunchExecutor


class TwoWorkers(LaunchExecutor):
    """Two of them; keeps their tasks."""

    def __init__(self):
        self.tasks = []

    def slots_for(self, trainings, gpus):
        return min(2, trainings)

    def allow(self, slots):
        """They have all slots they are told of."""

    def submit(self, work, task):
        self.tasks.append(task)
        return Inline().submit(work, task)
