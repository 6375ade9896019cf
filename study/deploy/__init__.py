"""A finished run as a tool: promote, predict, submit, serve."""

from study.deploy.promote import load_model
