from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from candidate_bed import candidate_of
from plan_bed import option, switch

from launcher.base.findings import Severity
from launcher.data.model_family import Family
from launcher.plan.blueprint import Blueprint, DatasetBlueprint, Kind, SubsetBlueprint
from launcher.plan.checks import advice
from launcher.plan.checks.advice import check_advice
from launcher.plan.checks.candidate import Candidate

OPTIONS = (
    option("network_module", type="str"), option("network_dim", type="int"),
    option("network_alpha", type="float", default=1.0), option("network_args", type="str", nargs="*"),
    option("lr_scheduler", type="str", default="constant"), option("lr_scheduler_num_cycles", type="int", default=1),
    option("optimizer_type", type="str", default=""), option("max_train_steps", type="int", default=1600),
    option("max_data_loader_n_workers", type="int", default=8), option("train_batch_size", type="int", default=1),
    option("gradient_accumulation_steps", type="int", default=1), switch("cache_latents_to_disk"),
    switch("dim_from_weights"),
)  # fmt: skip
SOUND = {
    "network_module": '"networks.lora"', "network_dim": "16", "network_alpha": "8",
    "lr_scheduler": '"cosine_with_restarts"', "max_data_loader_n_workers": "2",
}  # fmt: skip


def _run(folder: Path, more: str = "", **changed: str) -> Candidate:
    text = "".join(f"{key} = {value}\n" for key, value in {**SOUND, **changed}.items() if value)
    return candidate_of(folder, text + more, *OPTIONS)


def _codes(candidate: Candidate, family: Family | None = Family.SDXL, steps: int | None = 5000) -> list[str]:
    findings = list(check_advice(candidate, family, steps))
    assert all(finding.severity is Severity.ADVICE for finding in findings)
    return [finding.code.removeprefix("advice-") for finding in findings]


def test_a_sound_run_gets_no_advice(tmp_path: Path) -> None:
    assert _codes(_run(tmp_path)) == []
    assert _codes(_run(tmp_path), Family.SD1) == []
    assert _codes(_run(tmp_path), None, None) == []


@pytest.mark.parametrize(
    ("family", "dim", "codes"),
    [
        (Family.SDXL, "8", []),
        (Family.SDXL, "128", ["network-dim"]),
        (Family.SDXL, "4", ["network-dim"]),
        (Family.SDXL, "", ["network-dim"]),
        (Family.SD1, "64", ["network-dim"]),
        (Family.FLUX, "128", []),
        (None, "128", []),
    ],
)
def test_dim(tmp_path: Path, family: Family | None, dim: str, codes: list[str]) -> None:
    assert _codes(_run(tmp_path, network_dim=dim, network_alpha="1"), family) == codes


def test_dim_means_rank_for_some_algorithms_only(tmp_path: Path) -> None:
    def lycoris(algo: str) -> Candidate:
        more = f'[network_args]\nalgo = "{algo}"\n'
        return _run(tmp_path, more, network_module='"lycoris.kohya"', network_dim="10000", network_alpha="9000")

    assert _codes(lycoris("lokr")) == []
    assert _codes(lycoris("locon")) == ["network-dim", "network-alpha"]


def test_alpha(tmp_path: Path) -> None:
    assert _codes(_run(tmp_path, network_alpha="16")) == ["network-alpha"]
    assert _codes(_run(tmp_path, network_alpha="0")) == ["network-alpha"]  # it counts as that of dim
    assert _codes(_run(tmp_path, network_alpha="")) == []
    assert _codes(_run(tmp_path, network_alpha="1")) == []


def test_steps(tmp_path: Path) -> None:
    assert _codes(_run(tmp_path), steps=1600) == ["steps"]
    assert _codes(_run(tmp_path, train_batch_size="4"), steps=1600) == []
    assert _codes(_run(tmp_path, gradient_accumulation_steps="2"), steps=1600) == []


def test_scheduler(tmp_path: Path) -> None:
    assert _codes(_run(tmp_path, lr_scheduler="")) == ["lr-scheduler"]
    assert _codes(_run(tmp_path, lr_scheduler='"constant_with_warmup"')) == ["lr-scheduler"]
    assert _codes(_run(tmp_path, lr_scheduler='"cosine"')) == []
    assert _codes(_run(tmp_path, lr_scheduler='"constant"', optimizer_type='"Prodigy"')) == []


@pytest.mark.parametrize(("number", "codes"), [("0", 1), ("1", 0), ("2", 0), ("8", 1), ("", 1)])
def test_workers(tmp_path: Path, number: str, codes: int) -> None:
    assert _codes(_run(tmp_path, max_data_loader_n_workers=number)) == ["data-loader-workers"] * codes


def test_flow_matching(tmp_path: Path) -> None:
    run = _run(tmp_path, discrete_flow_shift="3.0")
    assert _codes(run) == ["flow-matching"]
    assert _codes(run, Family.FLUX) == []


def test_latents_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "img").mkdir()
    for number in range(10):
        (tmp_path / f"img/{number}.png").touch()
    subset = SubsetBlueprint({"image_dir": str(tmp_path / "img"), "flip_aug": False}, None)
    blueprint = Blueprint((DatasetBlueprint(Kind.DREAMBOOTH, {"resolution": (1024, 1024)}, (subset,), None),))
    run = replace(_run(tmp_path, cache_latents_to_disk="true"), blueprint=blueprint)
    monkeypatch.setattr(advice, "_memory", lambda: 16_000_000_000)
    assert _codes(run) == ["latents-on-disk"]
    assert _codes(replace(run, blueprint=None)) == []
    assert _codes(replace(_run(tmp_path), blueprint=blueprint)) == []
    monkeypatch.setattr(advice, "_memory", lambda: 16_000_000)
    assert _codes(run) == []


def test_only_networks_get_advice(tmp_path: Path) -> None:
    assert _codes(_run(tmp_path, network_module="", lr_scheduler="")) == []
