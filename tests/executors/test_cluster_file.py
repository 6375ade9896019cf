import pytest

from study.errors import StudyError
from study.executors.cluster_file import read_cluster


def test_entries(tmp_path):
    file = tmp_path / "cluster.yaml"
    file.write_text("queue: gpu\ncores: 8\njob_extra_directives: ['--gres=gpu:1']\n")
    assert read_cluster(str(file)) == {"queue": "gpu", "cores": 8, "job_extra_directives": ["--gres=gpu:1"]}
    assert read_cluster("") == {}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("- gpu\n", "must hold lines such as `queue: gpu`"),
        ("", "must hold lines such as `queue: gpu`"),
        ("a: [", "is not YAML"),
        (b"\xff\xfe\xff", "is not YAML"),
    ],
)
def test_no_table(tmp_path, content, words):
    file = tmp_path / "cluster.yaml"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(StudyError, match=words) as error:
        read_cluster(str(file))
    assert str(file) in str(error.value)


def test_no_such_file(tmp_path):
    with pytest.raises(StudyError, match=f"--cluster: cannot read {tmp_path / 'no.yaml'}: No such file"):
        read_cluster(str(tmp_path / "no.yaml"))
