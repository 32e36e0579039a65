"""Runs with a dataset config, made for one test: what the tests of dataset configs share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from candidate_bed import candidate_of
from dataset_sources import SOURCES
from plan_bed import option, switch

from launcher.base.findings import Finding
from launcher.plan.checks.candidate import Candidate
from launcher.plan.checks.dataset_config import check_dataset_config

OPTIONS = (
    option("dataset_config", type="Path"),
    option("train_data_dir", type="str"),
    option("reg_data_dir", type="str"),
    option("in_json", type="str"),
    option("conditioning_data_dir", type="str"),
    option("dataset_class", type="str"),
    option("resolution", type="str"),
    option("train_batch_size", type="int", default=1),
    option("keep_tokens", type="int", default=0),
    option("prior_loss_weight", type="float", default=1.0),
    option("caption_extension", type="str", default=".caption"),
    switch("shuffle_caption"),
    switch("masked_loss"),
)
SOUND = (
    '[general]\nkeep_tokens = 1\n\n[[datasets]]\nresolution = 512\nbatch_size = 2\n\n'
    '[[datasets.subsets]]\nimage_dir = "img"\nnum_repeats = 3\n'
)  # fmt: skip


def dataset_candidate(
    folder: Path, config: str | bytes | None, spec: str = "", *, file: str = "data.toml", **more: Any
) -> Candidate:
    if config is not None:
        content = config if isinstance(config, bytes) else config.encode("utf-8", "surrogatepass")
        (folder / file).write_bytes(content)
        spec = f'dataset_config = "{file}"\n{spec}'
    return candidate_of(folder, spec, *OPTIONS, **{"sources": SOURCES, **more})


def config_findings(folder: Path, config: str | bytes | None, spec: str = "", **more: Any) -> list[Finding]:
    return list(check_dataset_config(dataset_candidate(folder, config, spec, **more)))


def only_finding(folder: Path, config: str, spec: str = "", **more: Any) -> Finding:
    (found,) = config_findings(folder, config, spec, **more)
    return found


def line_of(finding: Finding) -> int:
    return int(str(finding.where).rpartition(":")[2])
