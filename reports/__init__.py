"""The papers' tables and figures, and pages about runs, from what MLflow keeps."""
