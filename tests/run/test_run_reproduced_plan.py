"""The plan of a run once more: which words, variables and files change, and which do not."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from launcher.base.origin import Source
from launcher.plan.plan import Plan
from launcher.record.manifest import Attempt, FileRecord, Manifest, OptionRecord, RepositoryRecord, TrainerRecord
from launcher.run.recorded import recorded_plan
from launcher.run.reproduce import free_name
from launcher.run.reproduced_code import lay_out_code
from launcher.run.reproduced_plan import Places, copied_files, reproduced_plan, unset_now, with_seed

OLD = "/old/out/fox-v1s4"
PYTHON = "/env/bin/python"
ARGUMENTS = {
    "network_args": {"algo": "locon"}, "resume": f"{OLD}/fox-v1s4-state", "vae": f"{OLD}-other/vae.pt", "seed": 7,
    "dataset_config": f"{OLD}/config.toml", "output_dir": OLD, "output_name": "fox-v1s4", "logging_dir": f"{OLD}/logs",
}  # fmt: skip


def manifest_of(**more: Any) -> Manifest:
    words = [
        ["--network_args", "algo=locon"] if name == "network_args" else [f"--{name}={value}"]
        for name, value in ARGUMENTS.items()
    ]
    accelerate = {"config_file": f"{OLD}/accelerate.yaml", "main_process_port": 29500}
    origins = {"network_args": {"algo": "spec.toml:9"}}
    manifest = Manifest(
        name="fox-v1s4",
        trainer=TrainerRecord("/code/sd-scripts", "train_network.py", 40 * "a"),
        python=PYTHON,
        argv=(
            PYTHON, "-m", "accelerate.commands.launch", *(f"--{name}={value}" for name, value in accelerate.items()),
            "train_network.py", *(word for several in words for word in several),
        ),
        variables={"PATH": "/env/bin:/old", "VIRTUAL_ENV": "/env", "TQDM_MININTERVAL": "1"},
        options=(
            *(OptionRecord(name, value, "kl", "kl", "accelerate") for name, value in accelerate.items()),
            *(OptionRecord(name, value, "spec", "spec.toml:3", items=origins.get(name, {}))
              for name, value in ARGUMENTS.items()),
        ),
        final=("fox-v1s4.safetensors",),
        steps=4,
        files=tuple(
            FileRecord(name, f"/specs/{name}")
            for name in ("spec.toml", "template-base.toml", "config.toml", "accelerate.yaml", "repos.git",
                         "patches/sd-scripts.patch", "reproduce.sh", "environment.json", "resume/train_network.py")
        ),
        repositories=(
            RepositoryRecord("sd-scripts", "/code/sd-scripts", 40 * "a", "main", False),
            RepositoryRecord("LyCORIS", "/code/LyCORIS", 40 * "b", "main", False),
        ),
    )  # fmt: skip
    return replace(manifest, **more)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """The run directory, which was moved since it was trained in OLD."""
    run = tmp_path / "moved" / "fox-v1s4"
    run.mkdir(parents=True)
    for name in ("spec.toml", "template-base.toml", "accelerate.yaml"):
        (run / name).write_text(f"{name}\n")
    (run / "config.toml").write_text("[[datasets]]\n[[datasets.subsets]]\nimage_dir = 'img'\n")
    return run


def planned(
    run: Path, manifest: Manifest | None = None, variables: dict[str, str] | None = None, **environ: str
) -> tuple[Plan, tuple[str, ...]]:
    manifest = manifest or manifest_of()
    trees = {"sd-scripts": Path("/trees/1/sd-scripts"), "LyCORIS": Path("/trees/2/LyCORIS")}
    places = Places(run.parent / "fox-v1s4-reproduced", Path("/new/bin/python"), trees)
    return reproduced_plan(recorded_plan(run, manifest), manifest, places, variables or {}, environ)


def test_only_output_name_and_places_change(run: Path) -> None:
    plan, said = planned(run)
    new = run.parent / "fox-v1s4-reproduced"
    accelerate = list(plan.argv[3 : plan.argv.index("train_network.py")])
    port = accelerate.pop(1)
    assert accelerate == [f"--config_file={new}/accelerate.yaml"]
    assert port.startswith("--main_process_port=")
    assert list(plan.argv[plan.argv.index("train_network.py") + 1 :]) == [
        "--network_args", "algo=locon", f"--resume={run}/fox-v1s4-state", f"--vae={OLD}-other/vae.pt", "--seed=7",
        f"--dataset_config={new}/config.toml", f"--output_dir={new}", "--output_name=fox-v1s4-reproduced",
        f"--logging_dir={new}/logs",
    ]  # fmt: skip
    assert plan.argv[0] == "/new/bin/python"
    assert (plan.name, plan.directory, plan.outputs.final) == (new.name, new, (f"{new.name}.safetensors",))
    assert (plan.trainer.checkout, plan.trainer.script) == (Path("/trees/1/sd-scripts"), "train_network.py")
    assert said == ("config.toml: img is /code/sd-scripts/img in the new run",)


def test_the_places_of_values_are_kept(run: Path) -> None:
    plan, _ = planned(run)
    [network_args] = [each for each in plan.arguments if each.name == "network_args"]
    assert network_args.origin.source is Source.SPEC
    assert [(item.key, item.text, str(item.origin)) for item in network_args.items] == [
        ("algo", "locon", "spec.toml:9")
    ]  # fmt: skip


def test_the_new_run_starts_with_the_copies_of_the_old_one(run: Path) -> None:
    plan, _ = planned(run)
    assert [file.name for file in plan.files] == ["spec.toml", "template-base.toml", "config.toml", "accelerate.yaml"]
    contents = {file.name: file.content for file in plan.files}
    assert contents["spec.toml"] == b"spec.toml\n"
    assert b'"/code/sd-scripts/img"' in contents["config.toml"]
    assert {str(file.source) for file in plan.files} == {
        "/specs/spec.toml",
        "/specs/template-base.toml",
        "/specs/accelerate.yaml",
        "None",
    }
    (run / "spec.toml").unlink()
    with pytest.raises(OSError, match=r"spec\.toml"):
        planned(run)


def test_a_file_that_an_option_names_is_a_copy_too() -> None:
    more = (FileRecord("own.json"), FileRecord("dataset.json"))
    named = OptionRecord("lycoris_preset", f"{OLD}/own.json")
    manifest = manifest_of(options=(*manifest_of().options, named), files=more)
    assert [record.name for record in copied_files(manifest)] == ["own.json"]


def test_variables_are_those_of_then_but_for_places(run: Path) -> None:
    recorded = {
        "PYTHONHASHSEED": "3", "CUDA_VISIBLE_DEVICES": "1", "HF_HOME": "/gone", "TORCH_HOME": str(run),
        "PYTHONPATH": "/code/LyCORIS/sub:/mine", "KL_RUN": OLD, "LD_LIBRARY_PATH": "/cuda",
    }  # fmt: skip
    plan, _ = planned(run, None, recorded, PATH="/now", CUDA_VISIBLE_DEVICES="0")
    assert plan.variables == {
        "PYTHONHASHSEED": "3", "TORCH_HOME": str(run), "LD_LIBRARY_PATH": "/cuda", "TQDM_MININTERVAL": "1",
        "PATH": f"/new/bin{os.pathsep}/now", "VIRTUAL_ENV": "/new",
        "PYTHONPATH": "/trees/2/LyCORIS/sub:/mine:/trees/2/LyCORIS",
    }  # fmt: skip


def test_what_is_set_only_now_is_left_out_where_that_is_known() -> None:
    environ = {"OMP_NUM_THREADS": "3", "MKL_CBWR": "AVX", "CUDA_VISIBLE_DEVICES": "0", "PYTHONPATH": "/x", "FOO": "1"}
    assert unset_now(manifest_of(), {"MKL_CBWR": "AVX2"}, environ) == ("OMP_NUM_THREADS", "PYTHONPATH")
    assert unset_now(manifest_of(), None, environ) == ()


def test_a_seed_is_added_only_when_there_was_none(run: Path) -> None:
    plan, _ = planned(run)
    assert with_seed(plan, run, manifest_of()) == (plan, ())
    unseeded = replace(plan, arguments=tuple(each for each in plan.arguments if each.name != "seed"))
    assert "another one is taken" in with_seed(unseeded, run, manifest_of())[1][0]
    (run / "metadata.json").write_text('{"model": "x", "metadata": {"ss_seed": "12"}}')
    seeded, [said] = with_seed(unseeded, run, manifest_of())
    assert seeded.arguments[-1].words == ("--seed=12",)
    assert "took 12" in said
    resumed = manifest_of(attempts=(Attempt(), Attempt(resumed_from="/state")))
    assert with_seed(unseeded, run, resumed)[0] == unseeded
    (run / "metadata.json").write_text('{"model": "x", "metadata": {"ss_seed": "None"}}')
    assert with_seed(unseeded, run, manifest_of())[0] == unseeded


def test_a_name_that_is_free(tmp_path: Path) -> None:
    assert free_name(tmp_path, "fox-v1s4") == "fox-v1s4-reproduced"
    (tmp_path / "fox-v1s4-reproduced").mkdir()
    assert free_name(tmp_path, "fox-v1s4") == "fox-v1s4-reproduced-2"
    (tmp_path / "fox-v1s4-reproduced-2").symlink_to("/nowhere")
    assert free_name(tmp_path, "fox-v1s4") == "fox-v1s4-reproduced-3"
    assert free_name(tmp_path, "fox-v1s4-reproduced") == "fox-v1s4-reproduced-3"


def test_code_that_is_nowhere_is_said_for_each_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "LyCORIS").mkdir()
    manifest = manifest_of(
        repositories=(
            RepositoryRecord("sd-scripts", "/nowhere/sd-scripts", 40 * "a", "main", False),
            RepositoryRecord("LyCORIS", str(tmp_path / "LyCORIS"), problem="not a git repository"),
            RepositoryRecord("other", "https://example.org/other", 40 * "c"),
        )
    )
    found, said = lay_out_code(tmp_path, manifest, allowed=False)
    assert found == {}
    assert len(said) == 2
    assert "sd-scripts" in said[0] and "LyCORIS" in said[1]
    found, said = lay_out_code(tmp_path, manifest, allowed=True)
    assert found == {"LyCORIS": tmp_path / "LyCORIS"}
    assert any("as it stands now" in each for each in said)


def test_a_manifest_without_a_record_of_its_code_is_said(tmp_path: Path) -> None:
    found, said = lay_out_code(tmp_path, manifest_of(repositories=()), allowed=False)
    assert found == {}
    assert said == ("No repository sd-scripts was recorded.",)
    assert list(tmp_path.iterdir()) == []
