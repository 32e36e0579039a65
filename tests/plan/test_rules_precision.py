"""Rules of precision and attention: each speaks about its mistake, and neither about sound specs nor elsewhere."""

from __future__ import annotations

from pathlib import Path

from rules_bed import CALLS_SDXL, FLOW, FLUX, SDXL, TRAIN_UTIL, Case, case_tests, findings, function

from launcher.plan.checks.rules import attention, precision

ANIMA = "anima_train_network.py"
TRAIN = function(
    "train",
    "vae_dtype = torch.float32 if args.no_half_vae else weight_dtype",
    "if args.full_fp16:",
    "    assert (",
    '        args.mixed_precision == "fp16"',
    "    )",
    "elif args.full_bf16:",
    '    assert args.mixed_precision == "bf16"',
    "if args.fp8_base or args.fp8_base_unet:",
    '    assert torch.__version__ >= "2.1.0"',
    '    assert args.mixed_precision != "no"',
)
TRAINED = {"train_network.py": TRAIN}
DROPS = function(
    "assert_extra_args",
    "if args.fp8_base or args.fp8_base_unet:",
    '    logger.warning("no")',
    "    args.fp8_base = False",
)
FP16, BF16 = 'mixed_precision = "fp16"\n', 'mixed_precision = "bf16"\n'

PRECISION = (
    Case("full-fp16-precision", f"full_fp16 = true\n{BF16}", TRAINED, (f"full_fp16 = true\n{FP16}",), words=("bf16",)),
    Case("full-bf16-precision", "full_bf16 = true\n", TRAINED, (f"full_bf16 = true\n{BF16}", BF16), words=("no",)),
    Case(
        "full-precision-twice", f"full_fp16 = true\nfull_bf16 = true\n{FP16}", TRAINED, (f"full_fp16 = true\n{FP16}",)
    ),
    Case("fp8-base-precision", "fp8_base_unet = true\n", TRAINED, (f"fp8_base = true\n{BF16}", BF16)),
    Case("fp8-base-unused", f"fp8_base = true\n{BF16}", {ANIMA: DROPS}, (BF16,), ANIMA, words=("fp8_base",)),
    Case(
        "no-half-vae-unused", "no_half_vae = true\n", {ANIMA: function("cast_vae", "return False")}, ("",), ANIMA
    ),
    Case(
        "sdxl-half-vae", FP16, {SDXL: CALLS_SDXL, **TRAINED},
        (BF16, f"{FP16}no_half_vae = true\n", f'{FP16}vae = "fix/vae"\n'), SDXL,
    ),
    Case(
        "bf16-recommended", FP16,
        {ANIMA: function("assert_extra_args", 'if args.mixed_precision == "fp16":', '    logger.warning("bf16")')},
        (BF16,), ANIMA,
    ),
)  # fmt: skip

REPLACES = {
    TRAIN_UTIL: function(
        "replace_unet_modules", "if mem_eff_attn:", "    a()", "elif xformers:", "    b()", "elif sdpa:", "    c()"
    )
}
LOADS = FLOW + "    def load_target_model(self, args):\n        return load_flow_model(args)\n"
LAZILY = function(
    "load_unet_lazily",
    "attn_mode = usual_mode(args.xformers)",
    "if args.attn_mode is not None:",
    "    attn_mode = args.attn_mode",
)
UNSLOTH = function(
    "assert_extra_args",
    "if args.unsloth_offload_checkpointing:",
    "    assert (",
    "        not args.cpu_offload_checkpointing",
    "    )",
)
SPLIT = function("assert_extra_args", "if args.split_mode:", "    if args.blocks_to_swap is not None:", "        pass")

ATTENTION = (
    Case(
        "attention-twice", "xformers = true\nsdpa = true\n", REPLACES, ("xformers = true\n", "sdpa = true\n"),
        words=("xformers and sdpa are both set: the U-Net uses xformers",),
    ),
    Case(
        "attention-unused", "xformers = true\n", {FLUX: LOADS}, ("sdpa = true\n",), FLUX,
        words=("xformers has no effect",),
    ),
    Case(
        "attention-mode", 'attn_mode = "flash"\nxformers = true\n', {ANIMA: LAZILY},
        ('attn_mode = "xformers"\nxformers = true\n', 'attn_mode = "torch"\nsdpa = true\n', "xformers = true\n"), ANIMA,
    ),
    Case(
        "attention-sage", 'attn_mode = "sageattn"\n', {ANIMA: 'add(help="sageattn does not support training")\n'},
        ('attn_mode = "flash"\n',), ANIMA,
    ),
    Case(
        "unsloth-offload", "unsloth_offload_checkpointing = true\nblocks_to_swap = 10\n", {ANIMA: UNSLOTH},
        ("unsloth_offload_checkpointing = true\nblocks_to_swap = 0\n", "blocks_to_swap = 10\n"), ANIMA,
        words=("blocks_to_swap",),
    ),
    Case(
        "split-mode", "split_mode = true\n", {FLUX: SPLIT}, ("blocks_to_swap = 18\n",), FLUX, words=("deprecated",)
    ),
)  # fmt: skip
ALL = (*precision.RULES, *attention.RULES)

test_each_rule_both_ways, test_every_rule_is_tested = case_tests(
    (precision.RULES, PRECISION), (attention.RULES, ATTENTION)
)


def test_fp8_that_the_script_turns_off_itself_is_no_error(tmp_path: Path) -> None:
    dropped = {"train_network.py": TRAIN, ANIMA: DROPS}
    case = Case("", "", dropped, script=ANIMA)
    # With fp8_scaled among its options, the script drops fp8_base only where that is set.
    found = [each.code for each in findings(tmp_path, ALL, case, "fp8_base = true\nfp8_scaled = true\n")]
    assert found == ["fp8-base-unused"]
    found = [each.code for each in findings(tmp_path, ALL, case, "fp8_base = true\n")]
    assert found == ["fp8-base-precision", "fp8-base-unused"]


def test_a_flow_script_has_no_u_net_to_choose_attention_for(tmp_path: Path) -> None:
    case = Case("", "", {**REPLACES, FLUX: LOADS + "# args.xformers\n"}, script=FLUX)
    assert findings(tmp_path, attention.RULES, case, "xformers = true\nsdpa = true\n") == []


def test_split_mode_beside_its_successor_is_ignored(tmp_path: Path) -> None:
    case = Case("", "", {FLUX: SPLIT}, script=FLUX)
    (found,) = findings(tmp_path, ALL, case, "split_mode = true\nblocks_to_swap = 18\n")
    assert "ignored" in found.message
