"""Rules of noise, loss and flow matching: each speaks about its mistake, and not about sound specs or elsewhere."""

from __future__ import annotations

from pathlib import Path

from network_sources import FLUX_BLOCKS
from rules_bed import FLOW, FLUX, SDXL, TRAIN_UTIL, Case, blueprint_of, case_tests, findings, function, sdxl_checks

from launcher.plan.blueprint import Kind
from launcher.plan.checks.rules import flow, loss, noise

CUSTOM = "library/custom_train_functions.py"
VERIFIED = (
    "if args.noise_offset is not None and args.multires_noise_iterations is not None:", "    raise ValueError('a')",
    "if args.adaptive_noise_scale is not None and args.noise_offset is None:", "    raise ValueError('b')",
    "if args.zero_terminal_snr and not args.v_parameterization:", "    warn()",
    "if args.v_parameterization and not args.v2:", "    warn()",
    "if args.scale_v_pred_loss_like_noise_pred and not args.v_parameterization:", "    raise ValueError('c')",
    "if args.v_pred_like_loss and args.v_parameterization:", "    raise ValueError('d')",
)  # fmt: skip
VERIFY = {TRAIN_UTIL: function("verify_training_args", *VERIFIED)}
SAMPLE = {
    TRAIN_UTIL: function(
        "get_noise_noisy_latents_and_timesteps",
        "if args.noise_offset:",
        "    if args.noise_offset_random_strength:",
        "        pass",
        "if args.multires_noise_iterations:",
        "    pass",
        "if args.ip_noise_gamma:",
        "    if args.ip_noise_gamma_random_strength:",
        "        pass",
    )
}
DRAWS = function("get_timesteps_and_huber_c", "timesteps = torch.randint(min_timestep, max_timestep, (b_size,))")
DRAWS_ONE = function(
    "get_timesteps",
    "if min_timestep < max_timestep:",
    "    timesteps = torch.randint(min_timestep, max_timestep, (b_size,))",
    "else:",
    "    timesteps = torch.full((b_size,), max_timestep)",
)
LIMITS = function(
    "get_noise_noisy_latents_and_timesteps",
    "max_timestep = noise_scheduler.config.num_train_timesteps if args.max_timestep is None else args.max_timestep",
)
ALONE = "noise_offset = 0.05\n"

NOISE = (
    Case(
        "noise-offset-multires", f"{ALONE}multires_noise_iterations = 6\n", VERIFY,
        (ALONE, "multires_noise_iterations = 6\n"),
    ),
    Case(
        "noise-offset-strength", "noise_offset = 5\n", SAMPLE, ("noise_offset = 0.1\n", "noise_offset = 1.0\n", ""),
        words=("noise_offset is 5",),
    ),
    Case("adaptive-noise-alone", "adaptive_noise_scale = 0.01\n", VERIFY, (f"{ALONE}adaptive_noise_scale = 0.01\n",)),
    Case(
        "adaptive-noise-unused", "noise_offset = 0\nadaptive_noise_scale = 0.01\n", SAMPLE,
        (f"{ALONE}adaptive_noise_scale = 0.01\n", "noise_offset = 0\n"),
    ),
    Case(
        "noise-strength-unused", "noise_offset_random_strength = true\n", SAMPLE,
        (f"{ALONE}noise_offset_random_strength = true\n",),
    ),
    Case(
        "ip-noise-strength-unused", "ip_noise_gamma_random_strength = true\n", SAMPLE,
        ("ip_noise_gamma = 0.1\nip_noise_gamma_random_strength = true\n",),
    ),
    Case(
        "multires-discount-unused", "multires_noise_discount = 0.1\n", SAMPLE,
        ("multires_noise_discount = 0.1\nmultires_noise_iterations = 8\n", "multires_noise_discount = 0.3\n"),
    ),
    Case(
        "zero-terminal-snr", "zero_terminal_snr = true\n", VERIFY,
        ("zero_terminal_snr = true\nv_parameterization = true\n",),
    ),
    Case("v-without-v2", "v_parameterization = true\n", VERIFY, ("v_parameterization = true\nv2 = true\n",)),
    Case(
        "v2-sdxl", "v2 = true\n", sdxl_checks("assert not args.v2, 'no'"), ("v2 = false\n",), SDXL,
    ),
    Case(
        "timestep-range-empty", "min_timestep = 800\nmax_timestep = 200\n", {TRAIN_UTIL: DRAWS},
        ("min_timestep = 200\nmax_timestep = 800\n", "min_timestep = 999\n", "max_timestep = 1\n"),
        words=("800", "200"),
    ),
    Case(
        "timestep-range-one", "max_timestep = 0\n", {TRAIN_UTIL: DRAWS_ONE},
        ("min_timestep = 200\nmax_timestep = 800\n", "min_timestep = 999\n"),
    ),
    Case(
        "timestep-beyond", "max_timestep = 2000\n", {TRAIN_UTIL: LIMITS},
        ("max_timestep = 1000\n", "min_timestep = 0\n"), words=("2000", "1000"),
    ),
    Case("timestep-beyond", "min_timestep = -5\n", {TRAIN_UTIL: LIMITS}, ("min_timestep = 5\n",)),
)  # fmt: skip

HUBER = 'if args.loss_type == "huber" or args.loss_type == "smooth_l1":'
THRESHOLD = {
    FLUX: FLOW,
    TRAIN_UTIL: function(
        "get_huber_threshold_if_needed",
        f"{HUBER[:-1]}:",
        "    pass",
        'if args.huber_schedule == "snr":',
        '    if not hasattr(noise_scheduler, "alphas_cumprod"):',
        "        raise NotImplementedError()",
        'elif args.huber_schedule == "constant":',
        "    result = args.huber_c * args.huber_scale",
    ),
}
MASKS = function("apply_masked_loss", 'if "conditioning_images" in batch:', "    pass", "else:", "    return loss")
MASKS_BLINDLY = function("apply_masked_loss", 'mask = batch["conditioning_images"]')
WEIGHS = function(
    "post_process_loss",
    "if args.min_snr_gamma:",
    "    loss = apply_snr_weight(loss)",
    "if args.debiased_estimation_loss:",
    "    loss = apply_debiased_estimation(loss)",
)

SNR = function(
    "apply_snr_weight", "gamma = torch.minimum(snr, torch.full_like(snr, gamma))", "loss = loss * snr_weight",
    parameters="loss, snr, gamma",
)  # fmt: skip

LOSS = (
    Case(
        "scale-v-pred-alone", "scale_v_pred_loss_like_noise_pred = true\n", VERIFY,
        ("scale_v_pred_loss_like_noise_pred = true\nv_parameterization = true\n",),
    ),
    Case(
        "v-pred-like-with-v", "v_pred_like_loss = 0.5\nv_parameterization = true\n", VERIFY,
        ("v_pred_like_loss = 0.5\n", "v_parameterization = true\n"),
    ),
    Case(
        "snr-weights-twice", "min_snr_gamma = 5\ndebiased_estimation_loss = true\n", {"train_network.py": WEIGHS},
        ("min_snr_gamma = 5\n", "debiased_estimation_loss = true\n"),
    ),
    Case(
        "min-snr-gamma-negative", "min_snr_gamma = -5\n", {CUSTOM: SNR}, ("min_snr_gamma = 5\n", "min_snr_gamma = 0\n"),
    ),
    Case(
        "huber-unused", "huber_c = 0.2\n", THRESHOLD, ("huber_c = 0.1\n", 'huber_c = 0.2\nloss_type = "huber"\n'),
        words=("huber_c is set", "l2"),
    ),
    Case(
        "huber-scale-unused", 'huber_scale = 2\nloss_type = "huber"\n', THRESHOLD,
        ('huber_scale = 2\nloss_type = "huber"\nhuber_schedule = "constant"\n',),
    ),
    Case(
        "huber-snr-flow", 'loss_type = "smooth_l1"\n', THRESHOLD,
        ('loss_type = "huber"\nhuber_schedule = "constant"\n', 'loss_type = "l1"\n'), FLUX,
    ),
    Case("masked-loss-unmasked", "masked_loss = true\n", {CUSTOM: MASKS}, ("masked_loss = true\nalpha_mask = true\n",)),
    Case("masked-loss-fails", "masked_loss = true\n", {CUSTOM: MASKS_BLINDLY}, ("masked_loss = false\n",)),
)  # fmt: skip

SAMPLER = "library/flux_train_utils.py"
PREDICTS = (
    FLOW
    + "    def get_noise_pred_and_target(self, args, latents):\n"
    + "        noise = torch.randn_like(latents)\n"
    + "        return flux_train_utils.get_noisy_model_input_and_timesteps(args, latents)\n"
    + "    def post_process_loss(self, loss, args, timesteps, noise_scheduler):\n"
    + "        return loss\n"
)
SAMPLES = function(
    "get_noisy_model_input_and_timesteps",
    "sigmas = args.sigmoid_scale",
    'shift = args.discrete_flow_shift if args.timestep_sampling == "shift" else 1',
    "compute_density_for_timestep_sampling(args.logit_mean)",
)
FLOWS = {FLUX: PREDICTS, SAMPLER: SAMPLES}
SIGMOID = 'timestep_sampling = "sigmoid"\n'

FLOW_CASES = (
    Case(
        "flow-noise-unused", f"{ALONE}multires_noise_iterations = 6\n", FLOWS, ("",), FLUX,
        words=("noise_offset and multires_noise_iterations have no effect",),
    ),
    Case(
        "flow-loss-unused", "min_snr_gamma = 5\n", FLOWS, ("huber_c = 0.2\n",), FLUX,
        words=("min_snr_gamma has no effect",),
    ),
    Case("v2-unused", "v2 = true\n", FLOWS, ("v2 = false\n",), FLUX),
    Case("flow-v-unused", "v_parameterization = true\n", FLOWS, ("v_parameterization = false\n",), FLUX),
    Case("flow-ip-noise-unused", "ip_noise_gamma = 0.1\n", FLOWS, ("",), FLUX),
    Case("flow-range-unused", "min_timestep = 100\n", FLOWS, ("",), FLUX),
    Case(
        "logit-normal-unused", "logit_mean = 0.5\n", FLOWS,
        ('logit_mean = 0.5\nweighting_scheme = "logit_normal"\n', "logit_mean = 0.0\n"), FLUX, words=("uniform",),
    ),
    Case(
        "mode-scale-unused", f'mode_scale = 2\nweighting_scheme = "mode"\n{SIGMOID}', FLOWS,
        ('mode_scale = 2\nweighting_scheme = "mode"\n',), FLUX, words=("sigmoid",),
    ),
    Case("sigmoid-scale-unused", "sigmoid_scale = 2\n", FLOWS, (f"sigmoid_scale = 2\n{SIGMOID}",), FLUX),
    Case(
        "flow-shift-unused", f"discrete_flow_shift = 2\n{SIGMOID}", FLOWS,
        ("discrete_flow_shift = 2\n", 'discrete_flow_shift = 2\ntimestep_sampling = "shift"\n', SIGMOID), FLUX,
    ),
    Case(
        "chroma-mask", 'model_type = "chroma"\n',
        {FLUX: function("assert_extra_args", "if flux:", "    a()", "else:", "    assert args.apply_t5_attn_mask, 1")},
        ('model_type = "chroma"\napply_t5_attn_mask = true\n', 'model_type = "flux"\n'), FLUX,
    ),
    Case(
        "swap-too-many", "blocks_to_swap = 36\n", {"library/flux_models.py": FLUX_BLOCKS},
        ("blocks_to_swap = 35\n", 'blocks_to_swap = 36\nmodel_type = "chroma"\n'), FLUX,
    ),
)  # fmt: skip
ALL = (*noise.RULES, *loss.RULES, *flow.RULES)

test_each_rule_both_ways, test_every_rule_is_tested = case_tests(
    (noise.RULES, NOISE), (loss.RULES, LOSS), (flow.RULES, FLOW_CASES)
)


def test_a_check_that_is_commented_out_is_none(tmp_path: Path) -> None:
    body = [f"# {line}" for line in VERIFIED]
    sources = {TRAIN_UTIL: function("verify_training_args", *body, "pass")}
    text = f"{ALONE}multires_noise_iterations = 6\nzero_terminal_snr = true\n"
    assert findings(tmp_path, noise.RULES, Case("", "", sources), text) == []


def test_what_a_sampling_function_knows_has_an_effect(tmp_path: Path) -> None:
    knows = function("get_noisy_model_input_and_timesteps", "return args.ip_noise_gamma, args.min_timestep")
    case = Case("", "", {FLUX: PREDICTS, SAMPLER: knows}, script=FLUX)
    assert findings(tmp_path, ALL, case, "ip_noise_gamma = 0.1\nmin_timestep = 100\n") == []


def test_a_model_of_stable_diffusion_goes_by_all_of_it(tmp_path: Path) -> None:
    case = Case("", "", {**FLOWS, SDXL: function("train", "pass")}, script=SDXL)
    text = f"{ALONE}min_snr_gamma = 5\nmin_timestep = 100\nip_noise_gamma = 0.1\n"
    assert findings(tmp_path, ALL, case, text) == []


def test_conditioning_pictures_are_masks(tmp_path: Path) -> None:
    case = Case("", "", {CUSTOM: MASKS})
    masked = blueprint_of({}, kind=Kind.CONTROLNET)
    assert findings(tmp_path, loss.RULES, case, "masked_loss = true\n", blueprint=masked) == []
