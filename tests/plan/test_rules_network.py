"""Rules of networks and buckets: each speaks about its mistake, and neither about sound specs nor elsewhere."""

from __future__ import annotations

from pathlib import Path

import pytest
from rules_bed import TRAIN_UTIL, Case, blueprint_of, case_tests, findings, function

from launcher.base.findings import Severity
from launcher.plan.checks.rules import buckets, network

TRAIN = function(
    "train",
    "if args.dim_from_weights:",
    "    network, _ = network_module.create_network_from_weights(1, args.network_weights)",
    'if args.scale_weight_norms and not hasattr(network, "apply_max_norm_regularization"):',
    "    args.scale_weight_norms = False",
    "network.apply_to(text_encoder, unet, train_text_encoder, train_unet)",
    'support_multiple_lrs = hasattr(network, "prepare_optimizer_params_with_multiple_te_lrs")',
    "text_encoder_lr = args.text_encoder_lr[0]",
)
LORA = function("create_network", "return 1")
TRAINED = {"train_network.py": TRAIN, "networks/lora.py": LORA}
UNET, TEXT = "network_train_unet_only = true\n", "network_train_text_encoder_only = true\n"
OWN = 'network_module = "mine.net"\n'
WRAPPED = {
    "mine/__init__.py": "",
    "mine/net.py": "from .wrapper import Network\n",
    "mine/wrapper.py": "import torch\nclass Network:\n    def apply_max_norm_regularization(self): ...\n"
    "    def prepare_optimizer_params_with_multiple_te_lrs(self): ...\n",
}

ZERO = "        self.alpha = self.lora_dim if alpha is None or alpha == 0 else alpha\n"
LOCON = {
    "lycoris/__init__.py": "", "lycoris/kohya.py": "", "lycoris/modules/__init__.py": "",
    "lycoris/modules/locon.py": ZERO.replace("self.lora_dim", "lora_dim"), "lycoris/modules/full.py": "",
}  # fmt: skip
KOHYA = 'network_module = "lycoris.kohya"\nnetwork_alpha = 0\n'

NETWORK = (
    Case(
        "network-alpha-none", "network_dim = 16\nnetwork_alpha = 0\n",
        {"train_network.py": function("train", "m.create_network(1)"), "networks/lora.py": ZERO},
        ("network_alpha = 1\n", "", 'network_alpha = 0\nnetwork_module = "nowhere.net"\n'),
        words=("network_dim, 16",),
    ),
    Case(
        "network-alpha-none", KOHYA, {"train_network.py": function("train", "m.create_network(1)")},
        (f'{KOHYA}[network_args]\nalgo = "full"\n', f'{KOHYA}[network_args]\nalgo = "odd"\n'), packages=LOCON,
    ),
    Case(
        "network-dim-none", "network_dim = 0\n", {"train_network.py": function("train", "m.create_network(1)")},
        ("network_dim = 1\n", "network_dim = 0\n[network_args]\nconv_dim = 4\n"),
    ),
    Case(
        "network-dropout-share", "network_dropout = 10\n",
        {"train_network.py": function("train", "d = args.network_dropout")},
        ("network_dropout = 0\n", "network_dropout = 0.5\n"),
    ),
    Case(
        "rates-all-zero", "learning_rate = 0\n", TRAINED,
        ("learning_rate = 0\nunet_lr = 1e-4\n", "unet_lr = 0\n", "learning_rate = 1e-4\n", "text_encoder_lr = 0\n"),
    ),
    Case("rates-all-zero", "learning_rate = 1e-4\nunet_lr = 0\ntext_encoder_lr = [0, 0]\n", TRAINED),
    Case("trains-nothing", f"{UNET}{TEXT}", TRAINED, (UNET, TEXT)),
    Case(
        "text-lr-unused", f"{UNET}text_encoder_lr = 5e-5\n", TRAINED,
        ("text_encoder_lr = 5e-5\n", UNET, f"{UNET}text_encoder_lr = 0\n", f"{UNET}text_encoder_lr = [0, 0]\n"),
    ),
    Case("unet-lr-unused", f"{TEXT}unet_lr = 1e-4\n", TRAINED, ("unet_lr = 1e-4\n", TEXT)),
    Case(
        "text-lr-count", "text_encoder_lr = [5e-5, 1e-5]\n", TRAINED,
        (
            "text_encoder_lr = [5e-5]\n", "text_encoder_lr = [5e-5, 5e-5]\n", f"{OWN}text_encoder_lr = [5e-5, 1e-5]\n",
            'network_module = "nowhere.net"\ntext_encoder_lr = [5e-5, 1e-5]\n',
        ),
        packages=WRAPPED, words=("2 rates", "networks.lora"),
    ),
    Case(
        "weight-norms-unused", "scale_weight_norms = 1.0\n", TRAINED,
        ("", f"{OWN}scale_weight_norms = 1.0\n", 'network_module = "nowhere.net"\nscale_weight_norms = 1.0\n'),
        packages=WRAPPED, words=("networks.lora",),
    ),
    Case(
        "dim-from-weights-alone", "dim_from_weights = true\n", TRAINED,
        ('dim_from_weights = true\nnetwork_weights = "a.safetensors"\n',),
    ),
    Case(
        "dim-from-weights-alpha",
        'dim_from_weights = true\nnetwork_weights = "a.safetensors"\nnetwork_alpha = 8\n', TRAINED,
        ('dim_from_weights = true\nnetwork_weights = "a.safetensors"\nnetwork_alpha = 1\n', "network_alpha = 8\n",
         "dim_from_weights = true\nnetwork_alpha = 8\n"),
    ),
)  # fmt: skip

BUCKETS = {
    TRAIN_UTIL: function(
        "make_buckets", "if self.enable_bucket:", '    warn("min and max are ignored if bucket_no_upscale is set")'
    )
}
FREE = "enable_bucket = true\nbucket_no_upscale = true\n"

BUCKET_CASES = (
    Case(
        "bucket-settings-unused", "min_bucket_reso = 320\nbucket_no_upscale = true\n", BUCKETS,
        ("min_bucket_reso = 320\nenable_bucket = true\n", "bucket_no_upscale = false\n"),
        words=("min_bucket_reso and bucket_no_upscale are set",),
    ),
    Case("bucket-limits-unused", f'{FREE}max_bucket_reso = 1024\nresolution = "1024"\n', BUCKETS),
    Case(
        "bucket-limits-unused", f'{FREE}max_bucket_reso = 2048\nresolution = "1024"\n', BUCKETS,
        (
            f'{FREE}resolution = "1024"\n', 'enable_bucket = true\nmax_bucket_reso = 2048\nresolution = "1024"\n',
            f'{FREE}max_bucket_reso = 2048\nresolution = "1024,1536"\n', f"{FREE}max_bucket_reso = 2048\n",
        ),
    ),
)  # fmt: skip

test_each_rule_both_ways, test_every_rule_is_tested = case_tests(
    (network.RULES, NETWORK), (buckets.RULES, BUCKET_CASES)
)


def test_a_network_whose_package_is_too_large_to_follow_is_left_alone(tmp_path: Path) -> None:
    parts = [f"part{index}" for index in range(40)]
    packages = {"big/__init__.py": "", "big/net.py": "".join(f"from .{part} import x\n" for part in parts)}
    packages |= {f"big/{part}.py": "" for part in parts}
    case = Case("", "", TRAINED, packages=packages)
    text = 'network_module = "big.net"\nscale_weight_norms = 1.0\n'
    assert findings(tmp_path, network.RULES, case, text) == []


@pytest.mark.parametrize(
    ("share", "body", "severity"),
    [
        ("1.5", "return torch.nn.functional.dropout(x, p=p)", Severity.ERROR),
        ("1.0", "return torch.nn.functional.dropout(x, p=p)", Severity.WARNING),
        ("1.5", "return x", Severity.WARNING),
    ],
)
def test_torch_refuses_a_dropout_that_is_no_probability(
    tmp_path: Path, share: str, body: str, severity: Severity
) -> None:
    lora = function("f", body)
    sources = {"train_network.py": function("train", "d = args.network_dropout"), "networks/lora.py": lora}
    case = Case("network-dropout-share", f"network_dropout = {share}\n", sources, ())
    (finding,) = findings(tmp_path, network.RULES, case, case.speaks)
    assert (finding.code, finding.severity) == ("network-dropout-share", severity)


@pytest.mark.parametrize(("lora", "severity"), [("NO LR skipping", Severity.ERROR), ("", Severity.WARNING)])
def test_a_network_that_skips_what_has_no_rate_leaves_nothing(tmp_path: Path, lora: str, severity: Severity) -> None:
    case = Case("rates-all-zero", "learning_rate = 0\n", {**TRAINED, "networks/lora.py": f'{LORA}SAID = "{lora}"\n'})
    (finding,) = findings(tmp_path, network.RULES, case, case.speaks)
    assert (finding.code, finding.severity) == ("rates-all-zero", severity)


def test_a_rank_of_nothing_in_lycoris(tmp_path: Path) -> None:
    case = Case("network-dim-none", "", {"train_network.py": function("train", "m.create_network(1)")})
    text = 'network_module = "lycoris.kohya"\nnetwork_dim = 0\n[network_args]\nalgo = '
    (finding,) = findings(tmp_path, network.RULES, case, f'{text}"LoHa"\n')
    assert finding.code == "network-dim-none"
    assert findings(tmp_path, network.RULES, case, f'{text}"full"\n') == []  # which has no rank


def test_modules_that_import_each_other_are_followed_once(tmp_path: Path) -> None:
    packages = {"loop/__init__.py": "", "loop/net.py": "from .a import x\n", "loop/a.py": "from .net import y\n"}
    case = Case("", "", TRAINED, packages=packages)
    (found,) = findings(tmp_path, network.RULES, case, 'network_module = "loop.net"\nscale_weight_norms = 1.0\n')
    assert found.code == "weight-norms-unused"


def test_one_dataset_with_buckets_is_what_the_settings_are_for(tmp_path: Path) -> None:
    case = Case("", "", BUCKETS)
    written = {"min_bucket_reso": "config.toml:3"}
    plain = blueprint_of({}, enable_bucket=False, min_bucket_reso=320, places=written)
    bucketed = blueprint_of({}, enable_bucket=True, min_bucket_reso=320, resolution=(512, 512))
    (found,) = findings(tmp_path, buckets.RULES, case, "", blueprint=plain)
    assert found.where == "config.toml:3"
    nobody = blueprint_of({}, enable_bucket=False, min_bucket_reso=320)
    assert findings(tmp_path, buckets.RULES, case, "", blueprint=nobody) == []
    both = type(plain)((*plain.datasets, *bucketed.datasets))
    assert findings(tmp_path, buckets.RULES, case, "", blueprint=both) == []


@pytest.mark.parametrize("resolution", ["", "a", "512,", "1,2,3", "-1", "9" * 400, "٣"])
def test_an_odd_resolution_is_no_reason_to_fail(tmp_path: Path, resolution: str) -> None:
    text = f'{FREE}max_bucket_reso = 2048\nresolution = "{resolution}"\n'
    assert findings(tmp_path, buckets.RULES, Case("", "", BUCKETS), text) == []
