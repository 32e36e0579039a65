"""The record of a training that is real, with a large model hashed beside it."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest
from launching import Bed, kl

from launcher.base.files import sha256_of
from launcher.data.safetensors_header import Header, read_header
from launcher.demo.layout import lay_out, missing_packages
from launcher.record.dataset import read_dataset_file
from launcher.record.hashes import file_hash, folder_hash
from launcher.record.manifest import Manifest, read_manifest
from launcher.record.model_metadata import read_metadata_file

pytestmark = pytest.mark.skipif(
    bool(missing_packages()), reason=f"the demo trains for real and needs {', '.join(missing_packages())}"
)
NAME = "shapes-v3s6"
SIZE = 200_000_000


def _sparse_model(path: Path) -> Path:
    """A safetensors file of one large tensor, of which the disk holds nearly nothing."""
    entry = {"x": {"dtype": "U8", "shape": [SIZE], "data_offsets": [0, SIZE]}}
    header = json.dumps(entry).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header)
    os.truncate(path, 8 + len(header) + SIZE)
    return path


def _check(bed: Bed, model: Path) -> Manifest:
    """Everything is recorded, and as it is."""
    run = bed.root / NAME
    manifest = read_manifest(run)
    assert manifest.not_recorded == ()
    [base] = manifest.inputs
    assert (base.path, base.size, base.sha256) == (str(model), model.stat().st_size, file_hash(model).sha256)
    assert base.short_hash == file_hash(model).short
    for record in manifest.files:
        assert record.sha256 == sha256_of((run / record.name).read_bytes()), record.name
    for artifact in manifest.artifacts:
        path = run / artifact.path
        found = folder_hash(path) if path.is_dir() else file_hash(path, weights=True)
        assert (artifact.sha256, artifact.weights_sha256) == (found.sha256, found.weights), artifact.path
    assert {artifact.kind for artifact in manifest.artifacts} == {"model", "checkpoint", "state"}
    listing = read_dataset_file(run)
    assert listing and manifest.dataset and listing.sha256 == manifest.dataset.sha256
    assert (manifest.dataset.pictures, manifest.dataset.captions) == (8, 8) and not listing.changed_meanwhile
    said, header = read_metadata_file(run), read_header(run / f"{NAME}.safetensors")
    assert said and isinstance(header, Header)
    assert said.metadata == header.metadata and "ss_learning_rate" in said.metadata
    return manifest


def test_the_record_of_a_training_that_failed_and_was_resumed_is_whole(tmp_path: Path) -> None:
    bed = Bed(tmp_path)
    demo = lay_out(tmp_path / "demo")
    model = _sparse_model(tmp_path / "base.safetensors")
    settings = (
        f"env.path={sys.executable}", "env.kind=python", "save_every_n_steps=2", "sample_every_n_steps=100",
        f"pretrained_model_name_or_path={model}",
    )  # fmt: skip
    words = [word for each in settings for word in ("--set", each)]
    failed = kl(bed, "launch", str(demo.spec), "--name", NAME, *words, KL_DEMO_FAIL_AT_STEP="5")
    assert failed.code == 1, failed.err
    first = read_manifest(bed.root / NAME)
    assert first.outcome == "failed" and all(each.sha256 for each in first.artifacts)
    resumed = kl(bed, "resume", NAME)
    assert resumed.code == 0, resumed.err
    manifest = _check(bed, model)
    assert len(manifest.attempts) == 2 and manifest.dataset == first.dataset
    assert set(first.artifacts) <= set(manifest.artifacts)
