"""The published study, `docs/study`: one folder from the launches that `ablations/study.csv` lists."""
