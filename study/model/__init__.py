"""A finished run as a tool: predict, submit, serve."""
