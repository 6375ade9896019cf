from study.tracking import connect, describe_experiment, share_view, start_run

NOTE = "mlflow.note.content"


def launched(experiment, ablation, found):
    run = start_run(experiment, f"{ablation} on leaves", f"{found}\n\nWhich?", {"control": "a", "ablation": ablation})
    return run.run_id


def described(store, experiment):
    describe_experiment(experiment)
    return store.get_experiment(experiment).tags[NOTE].splitlines()


def test_the_newest_answer_to_each_question_stands_on_the_page(store):
    experiment = connect()
    launched(experiment, "depth", "old")
    newest = launched(experiment, "depth", "**Best of 2: depth 1**")
    launched("0", "width", "elsewhere")
    about, _, line = described(store, experiment)
    assert about.startswith("Studies of instance segmentation")
    page = f"#/experiments/{experiment}/runs/{newest}?workflowType=machine_learning"
    assert line == f"- [depth on leaves]({page}): **Best of 2: depth 1**"
    assert store.get_experiment(experiment).tags["mlflow.experimentKind"] == "custom_model_development"


def test_shared_views_are_linked(store):
    experiment = connect()
    launched(experiment, "depth", "found")
    share_view(experiment, "depth", {})
    *_, line = described(store, experiment)
    view = f"#/experiments/{experiment}/runs?viewStateShareKey=depth&workflowType=machine_learning"
    assert line.endswith(f": found ([scores]({view}), [pictures and curves]({view}&compareRunsMode=CHART))")


def test_it_is_written_anew_but_never_over_that_of_a_user(store):
    experiment = connect()
    launched(experiment, "depth", "found")
    assert len(described(store, experiment)) == 3
    launched(experiment, "width", "found")
    assert len(described(store, experiment)) == 4
    store.set_experiment_tag(experiment, NOTE, "My own words.")
    assert described(store, experiment) == ["My own words."]
