"""What the rules call an error, the trainer refuses; what it takes, they let pass. On the bed that KL_REALBED names."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest
from real_bed import BASE_MODEL, CHECKOUT, PYTHON, SHAPES, TOKENIZERS, needs, site_packages

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "plan"))

from candidate_bed import real_candidate

from launcher.base.findings import Severity
from launcher.plan.checks.candidate import Candidate
from launcher.plan.checks.rules import attention, buckets, caching, captions, flow, loss, network, noise, precision
from launcher.plan.checks.rules.rule import apply_rules
from launcher.plan.values import words_of

pytestmark = needs(CHECKOUT, PYTHON, BASE_MODEL)

MODULES = (caching, captions, noise, loss, flow, precision, attention, buckets, network)
RULES = tuple(rule for module in MODULES for rule in module.RULES)
# Releases that these rules rest on are older than any in which the others are new.
ONLY_IN_OLDER = {
    "vae-batch-unused", "weighted-captions-refused", "noise-offset-multires", "v-without-v2", "timestep-range-empty",
    "masked-loss-fails",
}  # fmt: skip
SD, SDXL, FLUX, SD3, LUMINA, HUNYUAN, ANIMA = (
    f"{model}train_network.py" for model in ("", "sdxl_", "flux_", "sd3_", "lumina_", "hunyuan_image_", "anima_")
)
NEEDED = 'network_module = "networks.lora"\ntrain_data_dir = "img"\npretrained_model_name_or_path = "owner/model"\n'
CACHE = "cache_text_encoder_outputs = true\nnetwork_train_unet_only = true\n"

# What is asked of the trainer, the script, what the rules must say (nothing: the trainer must take it), and a spec.
QUESTIONS: tuple[tuple[str, str, str | None, str], ...] = (
    ("checks", SDXL, "text-cache-shuffle", f"{CACHE}shuffle_caption = true\n"),
    ("checks", SDXL, "text-cache-dropout", f"{CACHE}caption_dropout_rate = 0.1\n"),
    ("checks", SDXL, "text-cache-tag-dropout", f"{CACHE}caption_tag_dropout_rate = 0.1\n"),
    ("checks", SDXL, "text-cache-warmup", f"{CACHE}token_warmup_step = 100\n"),
    ("checks", SDXL, "text-cache-trained", "cache_text_encoder_outputs_to_disk = true\n"),
    ("checks", SDXL, "v2-sdxl", "v2 = true\n"),
    ("checks", SDXL, None, f"{CACHE}cache_latents_to_disk = true\nzero_terminal_snr = true\nv_parameterization = true"),
    ("checks", SDXL, None, "shuffle_caption = true\nkeep_tokens = 1\ncache_latents = true\n"),
    ("checks", SD, "latent-cache-crop", "cache_latents_to_disk = true\nrandom_crop = true\n"),
    ("checks", SD, "latent-cache-color", "cache_latents = true\ncolor_aug = true\n"),
    ("checks", SD, "adaptive-noise-alone", "adaptive_noise_scale = 0.01\n"),
    ("checks", SD, None, "adaptive_noise_scale = 0.01\nnoise_offset = 0.05\nmultires_noise_iterations = 6\n"),
    ("checks", SD, "scale-v-pred-alone", "scale_v_pred_loss_like_noise_pred = true\n"),
    ("checks", SD, "v-pred-like-with-v", "v_pred_like_loss = 0.5\nv_parameterization = true\n"),
    ("checks", FLUX, "chroma-mask", 'model_type = "chroma"\n'),
    ("checks", FLUX, "text-cache-shuffle", f"{CACHE}shuffle_caption = true\n"),
    ("checks", FLUX, None, f'{CACHE}timestep_sampling = "shift"\ndiscrete_flow_shift = 3.1582\n'),
    ("checks", FLUX, None, "cache_text_encoder_outputs = true\n"),
    ("checks", SD3, "text-cache-dropout", f"{CACHE}caption_dropout_rate = 0.1\n"),
    ("checks", LUMINA, None, CACHE),
    ("checks", HUNYUAN, "text-cache-shuffle", f"{CACHE}shuffle_caption = true\n"),
    ("checks", ANIMA, None, f"{CACHE}caption_dropout_rate = 0.1\n"),
    ("checks", ANIMA, "text-cache-trained", "cache_text_encoder_outputs = true\n"),
    ("checks", ANIMA, "unsloth-offload", "unsloth_offload_checkpointing = true\nblocks_to_swap = 4\n"),
    ("huber", FLUX, "huber-snr-flow", 'loss_type = "huber"\n'),
    ("huber", SD3, "huber-snr-flow", 'loss_type = "smooth_l1"\n'),
    ("huber", FLUX, None, 'loss_type = "huber"\nhuber_schedule = "exponential"\n'),
    ("huber", SD, None, 'loss_type = "huber"\n'),
    ("weights", FLUX, "weighted-captions-missing", "weighted_captions = true\n"),
    ("weights", ANIMA, "weighted-captions-missing", "weighted_captions = true\n"),
    ("training", SD, "trains-nothing", "network_train_unet_only = true\nnetwork_train_text_encoder_only = true\n"),
    ("training", SD, "dim-from-weights-alone", "dim_from_weights = true\n"),
    ("training", SD, "full-bf16-precision", "full_bf16 = true\n"),
    ("training", SD, "fp8-base-precision", "fp8_base = true\n"),
)


@pytest.fixture(scope="module")
def candidates(tmp_path_factory: pytest.TempPathFactory) -> list[Candidate]:
    """The run of each question, as the checks see it."""
    folder = tmp_path_factory.mktemp("rules")
    return [_candidate(folder, script, text) for _, script, _, text in QUESTIONS]


@pytest.fixture(scope="module")
def answers(candidates: list[Candidate]) -> list[str]:
    """What the trainer says to each question: one process, as importing it takes half a minute."""
    strategies = {FLUX: "flux", ANIMA: "anima"}
    questions = [
        {
            "asked": asked, "script": script, "strategy": strategies.get(script),
            "argv": [*_argv(candidate), *(_to_train() if asked == "training" else ())],
        }
        for (asked, script, _, _), candidate in zip(QUESTIONS, candidates, strict=True)
    ]  # fmt: skip
    truth = Path(__file__).with_name("rules_truth.py")
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "ACCELERATE_USE_CPU": "true", "CUDA_VISIBLE_DEVICES": ""}
    asked = json.dumps(questions)
    done = subprocess.run(
        [PYTHON, truth], input=asked, capture_output=True, text=True, cwd=CHECKOUT, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    said: list[str] = json.loads(done.stdout.splitlines()[-1])
    return said


@pytest.mark.parametrize("index", range(len(QUESTIONS)), ids=lambda index: f"{QUESTIONS[index][1]}-{index}")
def test_the_trainer_refuses_what_the_rules_call_an_error(
    index: int, candidates: list[Candidate], answers: list[str]
) -> None:
    expected = QUESTIONS[index][2]
    errors = [found.code for found in apply_rules(RULES, candidates[index]) if found.severity is Severity.ERROR]
    assert errors == ([expected] if expected else [])
    assert (answers[index] != "ok") is bool(expected), answers[index]


def test_each_rule_rests_on_code_that_this_checkout_has(tmp_path: Path) -> None:
    scripts = [_candidate(tmp_path, script, "") for script in (SD, SDXL, FLUX, SD3, LUMINA, HUNYUAN, ANIMA)]
    held = {
        rule.code.name
        for rule in RULES
        if not rule.evidence or any(script.says(evidence) for script in scripts for evidence in rule.evidence)
    }
    assert {rule.code.name for rule in RULES} - held == ONLY_IN_OLDER


def test_each_rule_names_options_that_some_script_has(tmp_path: Path) -> None:
    scripts = [_candidate(tmp_path, script, "") for script in (SD, SDXL, FLUX, SD3, LUMINA, HUNYUAN, ANIMA)]
    lost = {
        rule.code.name
        for rule in RULES
        if not any(all(script.has(option) for option in rule.options) for script in scripts)
    }
    assert lost == set()


SOUND = {
    SD: 'clip_skip = 2\nshuffle_caption = true\nkeep_tokens = 1\ncache_latents = true\nenable_bucket = true\n'
    'resolution = "512"\nbucket_no_upscale = true\nsdpa = true\nmixed_precision = "bf16"\nmin_snr_gamma = 5\n'
    "noise_offset = 0.05\nnoise_offset_random_strength = true\ntext_encoder_lr = 5e-5\nunet_lr = 1e-4\n",
    SDXL: f'{CACHE}cache_latents = true\nenable_bucket = true\nresolution = "1024"\nmax_bucket_reso = 2048\n'
    'mixed_precision = "bf16"\nfull_bf16 = true\nxformers = true\nmultires_noise_iterations = 8\n'
    "multires_noise_discount = 0.1\nscale_weight_norms = 1.0\nnetwork_dim = 8\nnetwork_alpha = 4\n",
    FLUX: f'{CACHE}cache_latents_to_disk = true\nskip_cache_check = true\nsdpa = true\nmixed_precision = "bf16"\n'
    'fp8_base = true\ntimestep_sampling = "flux_shift"\nmodel_prediction_type = "raw"\nguidance_scale = 1.0\n'
    "gradient_checkpointing = true\nblocks_to_swap = 10\ntext_encoder_batch_size = 4\nip_noise_gamma = 0.1\n",
    SD3: f'{CACHE}sdpa = true\nmixed_precision = "bf16"\nweighting_scheme = "logit_normal"\nlogit_mean = 0.5\n'
    "min_timestep = 100\nmax_timestep = 900\n",
    ANIMA: f'{CACHE}attn_mode = "flash"\nmixed_precision = "bf16"\ncaption_dropout_rate = 0.1\nsigmoid_scale = 1.3\n'
    'timestep_sampling = "sigmoid"\nunsloth_offload_checkpointing = true\n',
}  # fmt: skip


@pytest.mark.parametrize("script", SOUND)
def test_nothing_is_said_about_sound_specs(tmp_path: Path, script: str) -> None:
    assert list(apply_rules(RULES, _candidate(tmp_path, script, SOUND[script]))) == []


def _candidate(folder: Path, script: str, text: str) -> Candidate:
    return real_candidate(folder, NEEDED + text, CHECKOUT, (site_packages(),), script)


def _argv(candidate: Candidate) -> Iterable[str]:
    for chosen in candidate.resolved.chosen:
        words: Any = words_of(chosen.option, chosen.setting.value)
        assert isinstance(words, tuple), words
        yield from words


def _to_train() -> Sequence[str]:
    """Options that let a tiny model begin to train. The later one of two wins."""
    return (
        "--pretrained_model_name_or_path", str(BASE_MODEL), "--tokenizer_cache_dir", str(TOKENIZERS),
        "--train_data_dir", "", "--dataset_config", str(SHAPES / "config.toml"), "--network_dim", "2",
        "--max_train_steps", "1", "--max_data_loader_n_workers", "0", "--output_dir", "/nonexistent",
    )  # fmt: skip
