"""The files that a dataset is recorded with, against those that sd-scripts' own datasets open."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import toml
from real_bed import CHECKOUT, PYTHON, needs

from launcher.record.dataset import DatasetListing, dataset_record, hashed
from launcher.record.dataset_now import dataset_of_run
from launcher.record.hashes import file_hash
from launcher.record.manifest import Manifest, OptionRecord, TrainerRecord

pytestmark = needs(CHECKOUT, PYTHON)

# Tells which files below a folder are opened while survey_truth.py makes its datasets, and model_hash of one file.
TRUTH = """
import json, os, runpy, sys
folder, script, checkout, model = sys.argv[1:]
opened = set()
def note(event, arguments):
    if event == "open" and isinstance(arguments[0], str) and arguments[0].startswith(folder):
        opened.add(arguments[0])
sys.addaudithook(note)
sys.argv = [script, checkout]
runpy.run_path(script, run_name="__main__")
from library import train_util
print("OPENED" + json.dumps([sorted(opened), train_util.model_hash(model)]))
"""


def _write(folder: Path) -> None:
    from PIL import Image

    pictures = (
        "img/a.png", "img/b.JPG", "img/c.webp", "img/my_face_1_2_3_4.png", "img/d.bmp", "img/skipped.gif", "img/.e.png",
        "img/below/f.png", "reg/r.png", "control/a.png", "hints/a.png", "fine/x.png", "fine/sub/y.jpg", "none/n.png",
    )  # fmt: skip
    for name in pictures:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (64, 64), "red").save(path)
    for name in ("a.txt", "b.txt", "b.caption", "c.caption", "my_face.txt", "notes.txt", "skipped.txt"):
        (folder / "img" / name).write_text(f"caption {name}")
    (folder / "control" / "a.caption").write_text("controlled")
    entries = {"x.png": {"caption": "x"}, "sub/y.jpg": {"tags": "y"}}
    (folder / "metadata.json").write_text(json.dumps(entries))


def _config(folder: Path) -> dict[str, Any]:
    def subset(name: str, **more: Any) -> dict[str, Any]:
        return {"image_dir": str(folder / name), **more}

    return {
        "general": {"resolution": 64, "caption_extension": ".txt"},
        "datasets": [
            {"subsets": [subset("img"), subset("reg", is_reg=True), subset("none", num_repeats=0)]},
            {"subsets": [subset("img", caption_extension="caption")]},
            {"subsets": [subset("control", conditioning_data_dir=str(folder / "hints"), caption_extension=".caption")]},
            {"subsets": [subset("fine", metadata_file=str(folder / "metadata.json"))]},
        ],
    }


def _recorded(folder: Path, config: dict[str, Any]) -> DatasetListing:
    (folder / "run").mkdir()
    path = folder / "run" / "config.toml"
    path.write_text(toml.dumps(config))
    options = (OptionRecord("dataset_config", str(path)),)
    trainer = TrainerRecord(str(CHECKOUT))
    return dataset_of_run(folder / "run", Manifest(trainer=trainer, python=str(PYTHON), options=options))


def test_what_is_recorded_is_what_the_trainer_opens(tmp_path: Path) -> None:
    _write(tmp_path)
    config = _config(tmp_path)
    model = tmp_path.with_name("model.ckpt")
    model.write_bytes(os.urandom(1_200_000))
    script = Path(__file__).with_name("survey_truth.py")
    done = subprocess.run(
        [str(PYTHON), "-c", TRUTH, str(tmp_path), str(script), str(CHECKOUT), str(model)],
        input=json.dumps([config]), cwd=CHECKOUT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    lines = {line[:6]: json.loads(line[6:]) for line in done.stdout.splitlines() if line[:6] in ("RESULT", "OPENED")}
    assert "error" not in lines["RESULT"][0], (lines["RESULT"], done.stderr[-2000:])
    opened, short = lines["OPENED"]
    found = hashed(_recorded(tmp_path, config))
    # Of a picture for conditioning only the name is looked at before the training.
    assert set(found.files) - {str(tmp_path / "hints" / "a.png")} == set(opened)
    assert found.problems == () and found.sha256 is not None
    pictures = {path for each in lines["RESULT"][0]["datasets"] for path in each["pictures"]}
    assert dataset_record(found).pictures == len(pictures)
    assert file_hash(model).short == short
