"""Mistakes in the optimizer, its arguments and rates, and the scheduler."""

from __future__ import annotations

from mistake import BY_EDIT, ERROR, WARNING, Planted, add, put

_LORA = "sd15-lora"
_PRODIGY = "sd15-prodigy"


def _type(id_: str, new: str, code: str, message: str = "", hint: str = "", base: str = _LORA) -> Planted:
    old = '"Prodigy"' if base == _PRODIGY else '"AdamW"'
    return Planted(id_, base, put(old, f'"{new}"'), code, message=message, hint=hint)


def _item(
    id_: str, old: str, new: str, code: str, message: str = "", hint: str = "", base: str = _LORA, at: str = BY_EDIT
) -> Planted:
    return Planted(id_, base, put(old, new), code, message=message, hint=hint, at=at)


def _schedule(
    id_: str, new: str, code: str, message: str = "", hint: str = "", *, at: str | None = "lr_scheduler"
) -> Planted:
    return Planted(id_, "sd15-pytorch-cosine", put('lr_scheduler = "cosine"', new), code, message=message, hint=hint,
                   at=at)  # fmt: skip


_WARMUP = "lr_warmup_steps = 100"

MISTAKES = (
    _type("adamw8bits", "AdamW8bits", "unknown-optimizer", "AdamW8bits", "AdamW8bit"),
    _type("adanw", "AdanW", "unknown-optimizer", "AdanW", "AdamW"),
    _type("prodgy", "Prodgy", "unknown-optimizer", "Prodgy", "Prodigy", base=_PRODIGY),
    _type("dotted-class", "pytorch_optimizer.CAMEE", "optimizer-class-missing", "CAMEE", "CAME"),
    _type("dotted-package", "came_pytorch.CAME", "optimizer-package-missing", "came_pytorch"),
    _type("dadaptation-missing", "DAdaptAdam", "optimizer-package-missing", "dadaptation"),
    Planted("needs-closure", "sd15-constant", put('"AdamW"', '"LBFGS"'), "optimizer-needs-closure", ERROR, "LBFGS"),
    _item("weight-decy", "weight_decay", "weight_decy", "optimizer-args-key", "weight_decy", "weight_decay"),
    _item("decouple", "weight_decay = 0.1", "decouple = true", "optimizer-args-key", "decouple"),
    _item("d-coeff", "d_coef", "d_coeff", "optimizer-args-key", "d_coeff", "d_coef", base=_PRODIGY),
    _item(
        "bias-correcton",
        "use_bias_correction",
        "use_bias_correcton",
        "optimizer-args-key",
        "",
        "use_bias_correction",
        base=_PRODIGY,
    ),
    _item(
        "scale-parameters",
        "scale_parameter",
        "scale_parameters",
        "optimizer-args-key",
        "",
        "scale_parameter",
        base="sdxl-adafactor",
    ),
    _item("decay-as-word", "weight_decay = 0.1", 'weight_decay = "high"', "optimizer-args-value", "weight_decay"),
    _item("decay-negative", "weight_decay = 0.1", "weight_decay = -0.1", "optimizer-args-refused", "weight_decay"),
    _item("beta-above-one", "betas = [0.9, 0.99]", "betas = [0.9, 99]", "optimizer-args-refused", "99"),
    _item("one-beta", "betas = [0.9, 0.99]", 'betas = "0.9"', "optimizer-args-refused", "subscript"),
    Planted(
        "rate-negative",
        "sd15-constant",
        put("learning_rate = 0.0001", "learning_rate = -0.0001"),
        "optimizer-args-refused",
        message="learning_rate = -0.0001",
        hint="0.0001",
    ),
    _item("betas-open", "betas = [0.9, 0.99]", 'betas = "(0.9, 0.99"', "optimizer-args-value", "betas"),
    Planted(
        "item-without-sign",
        _LORA,
        put("[optimizer_args]\nweight_decay = 0.1\nbetas = [0.9, 0.99]\n", 'optimizer_args = ["weight_decay"]\n'),
        "wrong-type",
        message="weight_decay",
    ),
    Planted("prodigy-two-rates", _PRODIGY, add("unet_lr = 1.0\ntext_encoder_lr = 0.5"), "different-rates", at=None),
    Planted(
        "prodigy-usual-rate", _PRODIGY, put("learning_rate = 1.0", "learning_rate = 1e-4"), "rate-far-from-one", WARNING
    ),
    Planted("two-optimizers", _LORA, add("use_8bit_adam = true"), "optimizer-refused", at=None),
    Planted(
        "relative-step-rate",
        "sdxl-adafactor",
        put("relative_step = false", "relative_step = true") + put("lr_warmup_steps = 100\n", ""),
        "rate-without-effect",
        WARNING,
        follows=("scheduler-option-without-effect",),
        at=None,
    ),
    _schedule(
        "cosine-restart", 'lr_scheduler = "cosine_with_restart"', "unknown-scheduler", "", "cosine_with_restarts"
    ),
    _schedule("consine", 'lr_scheduler = "consine"', "unknown-scheduler", "consine", "cosine"),
    _schedule("adafactor-scheduler", 'lr_scheduler = "adafactor:1e-4"', "scheduler-refused", "dafactor"),
    _schedule(
        "type-class",
        'lr_scheduler_type = "torch.optim.lr_scheduler.CosineAnnealing"',
        "unknown-scheduler",
        "",
        "CosineAnnealingLR",
    ),
    _schedule("type-package", 'lr_scheduler_type = "pytorch_schedulers.Cosine"', "scheduler-package-missing"),
    _schedule(
        "args-key",
        'lr_scheduler_type = "CosineAnnealingLR"\nlr_scheduler_args = ["T_max=2000", "eta_mni=0"]',
        "scheduler-args-key",
        "eta_mni",
        "eta_min",
    ),
    _schedule(
        "args-misspelt",
        'lr_scheduler_type = "CosineAnnealingLR"\nlr_scheduler_args = ["T_maxx=2000"]',
        "scheduler-args-key",
        "T_maxx",
        "T_max",
    ),
    _schedule("args-missing", 'lr_scheduler_type = "CosineAnnealingLR"', "scheduler-args-missing", "T_max"),
    Planted(
        "cycles-of-cosine",
        "sd15-pytorch-cosine",
        add("lr_scheduler_num_cycles = 3"),
        "scheduler-option-without-effect",
        WARNING,
        message="lr_scheduler_num_cycles",
    ),
    Planted(
        "power-of-cosine",
        "sd15-pytorch-cosine",
        add("lr_scheduler_power = 2.0"),
        "scheduler-option-without-effect",
        WARNING,
        message="lr_scheduler_power",
    ),
    Planted(
        "warm-up-of-constant",
        "sd15-constant",
        add(_WARMUP),
        "warmup-refused",
        at=None,
    ),
    Planted("warm-up-too-long", _LORA, put(_WARMUP, "lr_warmup_steps = 3000"), "warmup-too-long", WARNING),
)
