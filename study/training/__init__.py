"""The training of a network, and the checkpoint that it resumes from."""
