import base64
import io
import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import venv
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow.exceptions import MlflowException
from PIL import Image

from study.deploy.promote import load_model, promote
from study.deploy.serve import decoded
from study.errors import StudyError

PIXELS = np.random.default_rng(0).integers(0, 255, (20, 30, 3), dtype=np.uint8)
URI = "models:/served@best"


def encoded(pixels, kind="PNG"):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind)
    return base64.b64encode(file.getvalue()).decode()


@pytest.fixture
def registered(asked):
    promote(asked.children["unet"].info.run_id, "", "served", "best")
    return asked


def test_images_as_text_or_rows():
    np.testing.assert_array_equal(decoded(encoded(PIXELS)), PIXELS)
    np.testing.assert_array_equal(decoded(encoded(PIXELS[..., 0])), PIXELS[..., :1])
    np.testing.assert_array_equal(decoded(PIXELS.tolist()), PIXELS)
    np.testing.assert_array_equal(decoded(PIXELS), PIXELS)
    assert decoded(encoded(PIXELS, "JPEG")).shape == PIXELS.shape
    palette = Image.fromarray(PIXELS).convert("P")
    file = io.BytesIO()
    palette.save(file, "PNG")
    assert decoded(base64.b64encode(file.getvalue())).shape == PIXELS.shape


@pytest.mark.parametrize("bad", ["no base64!", "aGVsbG8=", [[1, 2], [3]], 7])
def test_what_is_no_image(bad):
    with pytest.raises(StudyError, match=r"^image is n|^cannot read the image"):
        decoded(bad)


def test_a_small_file_of_a_huge_image_is_refused():
    file = io.BytesIO()
    Image.new("1", (20_000, 10_000)).save(file, "PNG")
    with pytest.raises(StudyError, match="the image has 200000000 pixels, of which"):
        decoded(base64.b64encode(file.getvalue()))


def test_requests_of_every_form(registered):
    model = mlflow.pyfunc.load_model(URI)
    labels = load_model(URI)(PIXELS)
    expected = {"labels": labels.tolist(), "objects": int(labels.max())}
    text = encoded(PIXELS)
    for request in (
        pd.DataFrame({"image": [text]}),
        pd.DataFrame({"image": [PIXELS.tolist()]}),
        {"image": text},
        {"image": [text]},
    ):
        assert model.predict(request) == [expected]
    with pytest.raises(MlflowException, match="image is no picture file"):
        model.predict(pd.DataFrame({"image": ["no"]}))


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """Starts a Python that has the packages of this one, but not the study, in a folder without it."""
    place = tmp_path_factory.mktemp("alone")
    venv.create(place / "venv")
    python = place / "venv" / "bin" / "python"
    (packages,) = (place / "venv" / "lib").glob("*/site-packages")
    # as a path, in which links to other folders, such as that to the study, have no effect
    (packages / "packages.pth").write_text("\n".join(path for path in sys.path if path.endswith("site-packages")))
    script = python.with_name("uvicorn")  # by which MLflow serves
    script.write_text(f"#!{python}\nimport uvicorn\nuvicorn.main()\n")
    script.chmod(0o755)
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment["PATH"] = f"{python.parent}{os.pathsep}{environment['PATH']}"

    def start(*arguments, store="", **options):
        own = environment | ({"MLFLOW_TRACKING_URI": store} if store else {})
        return subprocess.Popen([python, *arguments], cwd=place, env=own, **options)

    return start


USER = """
import importlib.util, json, sys
for name in ("study", "ablations", "reports"):
    assert importlib.util.find_spec(name) is None, f"{name} can be imported"
import mlflow
model = mlflow.pyfunc.load_model(sys.argv[1])
import study
print(json.dumps([study.__file__, model.predict(json.loads(sys.argv[2]))[0]["labels"]]))
"""


def test_a_model_needs_no_study(registered, alone, tmp_path):
    """Its folder, wherever it is, holds the code."""
    folder = Path(mlflow.artifacts.download_artifacts(URI, dst_path=str(tmp_path)))
    request = json.dumps({"image": encoded(PIXELS)})
    user = alone("-W", "ignore", "-c", USER, str(folder), request, stdout=subprocess.PIPE, text=True)
    code, labels = json.loads(user.communicate(timeout=120)[0].splitlines()[-1])
    assert Path(code).is_relative_to(folder)
    assert labels == load_model(URI)(PIXELS).tolist()


def ask(port, body):
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/invocations", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)["predictions"]


def test_the_server_answers(registered, alone, tmp_path):
    """One that has not the study."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = ["-m", "mlflow", "models", "serve", "-m", URI, "--env-manager", "local", "-p", str(port)]
    with (tmp_path / "log").open("w+") as log:
        store = mlflow.get_tracking_uri()
        server = alone(*command, store=store, stdout=log, stderr=log, start_new_session=True)
        try:
            for _ in range(240):
                try:
                    with urllib.request.urlopen(f"http://127.0.0.1:{port}/ping", timeout=5):
                        break
                except (urllib.error.URLError, ConnectionError):
                    assert server.poll() is None, (tmp_path / "log").read_text()
                    time.sleep(0.5)
            labels = load_model(URI)(PIXELS).tolist()
            first, second = ask(port, {"dataframe_records": [{"image": encoded(PIXELS)}, {"image": PIXELS.tolist()}]})
            assert first["labels"] == second["labels"] == labels
            assert ask(port, {"inputs": [PIXELS.tolist()]})[0]["labels"] == labels
            with pytest.raises(urllib.error.HTTPError) as refused:
                ask(port, {"dataframe_records": [{"image": "no"}]})
            assert refused.value.code == 400
            assert "image is no picture file in base64" in refused.value.read().decode()
        finally:
            os.killpg(server.pid, 15)
            server.wait(30)
