"""The only package that knows MLflow."""

from study.tracking.checkpoints import drop_checkpoints, fetch_checkpoint, keep_checkpoint
from study.tracking.claims import claim, is_claimed
from study.tracking.commit import commit_in_words, commit_of
from study.tracking.durations import run_seconds
from study.tracking.experiment_note import describe_experiment
from study.tracking.faults import STOPPED, StoreGoneError, gone_in_words, is_gone, reason_of, told_if_gone
from study.tracking.given import name_given_run, tell_given_run
from study.tracking.heartbeat import end_abandoned, send_heartbeats
from study.tracking.lookup import (
    FinishedRun,
    MatchingRun,
    Scores,
    commits_of_unknown_code,
    copy_run,
    environments_in,
    environments_of,
    finished_launch,
    finished_run,
    finished_runs,
    load_run,
    read_scores,
    run_with_network,
)
from study.tracking.reading import (
    StoredRun,
    children_of,
    experiment_of,
    files_in,
    imported_runs,
    launch_with_variances,
    launches,
    metric_curve,
    runs_at_work,
    split_sizes,
    stored_arrays,
    stored_picture,
    stored_run,
    stored_scores,
    stored_settings,
    stored_text,
    training_of,
)
from study.tracking.records import RunRecord, make_store, record_of
from study.tracking.registry import MODEL_FOLDER, About, fetch_model, register_model
from study.tracking.run import (
    ASKED,
    ENVIRONMENT,
    TRAINED_IN,
    Point,
    TrackedRun,
    picture_key,
    start_run,
    traceback_is_kept,
    tuned_settings,
    working_on,
)
from study.tracking.store import (
    check_reachable,
    connect,
    current_store,
    how_to_open,
    page_of_run,
    share_view,
    use_store,
)
