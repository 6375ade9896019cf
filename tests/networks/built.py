"""Networks from the settings of a run."""

from study.networks import build_network


def build(channels, settings):
    return build_network(channels, settings.network, settings.loss)
