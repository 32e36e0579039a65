from __future__ import annotations

from pathlib import Path

import pytest
from candidate_bed import candidate_of
from plan_bed import option, switch

from launcher.data.model_family import Family, Kind, Model
from launcher.plan.checks.candidate import Candidate
from launcher.plan.save_size import save_bytes, state_bytes

OPTIONS = (
    option("network_module", type="str"), option("network_dim", type="int"),
    option("network_args", type="str", nargs="*"), option("save_precision", type="str"),
    option("optimizer_type", type="str", default=""), switch("network_train_unet_only"), switch("full_bf16"),
    switch("network_train_text_encoder_only"), switch("dim_from_weights"),
)  # fmt: skip


def _run(folder: Path, module: str, text: str = "") -> Candidate:
    return candidate_of(folder, f'network_module = "{module}"\n{text}', *OPTIONS)


def _save(folder: Path, module: str, text: str, family: Family) -> int:
    found = save_bytes(_run(folder, module, text), family)
    assert found is not None
    return found


ATTENTION = 'network_dim = 4\n[network_args]\nalgo = "locon"\npreset = "attn-mlp"\n'


def test_the_size_of_real_files(tmp_path: Path) -> None:
    # What sd-scripts itself wrote: LyCORIS LoCon of rank 4 for SD 1, in full precision.
    assert _save(tmp_path, "lycoris.kohya", ATTENTION, Family.SD1) == pytest.approx(9_619_344, rel=0.02)
    state = state_bytes(_run(tmp_path, "lycoris.kohya", 'optimizer_type = "AdamW"\n' + ATTENTION), Family.SD1)
    assert state == pytest.approx(9_615_600 + 19_441_887 + 1_401 + 14_497, rel=0.03)


def test_known_sizes_of_common_loras(tmp_path: Path) -> None:
    # Files of networks.lora that people share: rank 32 of SD 1 in 16 bits has 37.9 MB, rank 8 of SDXL's U-Net 43 MB.
    half = 'save_precision = "fp16"\n'
    assert _save(tmp_path, "networks.lora", half + "network_dim = 32\n", Family.SD1) == pytest.approx(37.9e6, rel=0.03)
    unet = half + "network_dim = 8\nnetwork_train_unet_only = true\n"
    assert _save(tmp_path, "networks.lora", unet, Family.SDXL) == pytest.approx(43e6, rel=0.03)


def test_what_makes_a_save_larger_or_smaller(tmp_path: Path) -> None:
    def size(text: str, family: Family = Family.SDXL, module: str = "networks.lora") -> int:
        return _save(tmp_path, module, text, family)

    plain = size("network_dim = 8\n")
    assert size("network_dim = 16\n") == pytest.approx(2 * plain, rel=0.05)
    assert size('network_dim = 8\nsave_precision = "bf16"\n') == pytest.approx(plain / 2, rel=0.05)
    assert size("network_dim = 8\nfull_bf16 = true\n") == pytest.approx(plain / 2, rel=0.05)
    assert size("network_dim = 8\nnetwork_train_unet_only = true\n") < plain
    assert size("network_dim = 8\nnetwork_train_text_encoder_only = true\n") < plain / 2
    assert size("network_dim = 8\n[network_args]\nconv_dim = 8\n") > plain * 1.1
    assert size("") == pytest.approx(plain / 2, rel=0.05)  # the network's default rank is 4
    lycoris = "network_dim = 8\n[network_args]\n"
    locon = size(lycoris + 'preset = "attn-mlp"\n', module="lycoris.kohya")
    assert locon == plain
    assert size(lycoris, module="lycoris.kohya") > locon  # the preset full has convolutions
    dora = lycoris + 'preset = "attn-mlp"\ndora_wd = true\n'
    assert locon < size(dora, module="lycoris.kohya") < 1.2 * locon
    assert size(dora + "wd_on_output = false\n", module="lycoris.kohya") != size(dora, module="lycoris.kohya")
    assert size(lycoris + 'preset = "attn-mlp"\ndora_wd = false\n', module="lycoris.kohya") == locon
    loha = size(lycoris + 'algo = "loha"\npreset = "attn-mlp"\n', module="lycoris.kohya")
    assert loha == pytest.approx(2 * locon, rel=0.05)
    assert size(lycoris + 'algo = "lokr"\npreset = "attn-mlp"\n', module="lycoris.kohya") < locon
    assert size(lycoris + 'algo = "full"\npreset = "attn-mlp"\n', module="lycoris.kohya") > 50 * locon


def test_the_number_of_blocks_counts(tmp_path: Path) -> None:
    run = _run(tmp_path, "networks.lora_flux", "network_dim = 16\nnetwork_train_unet_only = true\n")
    whole = save_bytes(run, Family.FLUX, Model(Kind.BASE, Family.FLUX, blocks=(19, 38)))
    small = save_bytes(run, Family.FLUX, Model(Kind.BASE, Family.FLUX, blocks=(8, 38)))
    assert whole is not None
    assert small is not None
    assert small < whole == save_bytes(run, Family.FLUX)
    sd3 = _run(tmp_path, "networks.lora_sd3", "network_dim = 16\nnetwork_train_unet_only = true\n")
    assert save_bytes(sd3, Family.SD3) is None
    medium = save_bytes(sd3, Family.SD3, Model(Kind.BASE, Family.SD3, blocks=(24, 13)))
    large = save_bytes(sd3, Family.SD3, Model(Kind.BASE, Family.SD3, blocks=(38, 0)))
    assert medium is not None
    assert large is not None
    assert medium < large


@pytest.mark.parametrize(
    ("module", "text", "family"),
    [
        ("networks.lora", "", None),
        ("networks.lora", "", Family.FLUX),
        ("networks.oft", "", Family.SD1),
        ("my.network", "", Family.SD1),
        ("networks.lora", "network_dim = 0\n", Family.SD1),
        ("networks.lora", "dim_from_weights = true\n", Family.SD1),
        ("networks.lora", '[network_args]\nblock_dims = "1,2"\n', Family.SD1),
        ("networks.lora", '[network_args]\nconv_dim = "much"\n', Family.SD1),
        ("lycoris.kohya", '[network_args]\nalgo = "boft"\n', Family.SD1),
        ("lycoris.kohya", '[network_args]\npreset = "my.toml"\n', Family.SD1),
        ("lycoris.kohya", '[network_args]\nalgo = "lokr"\nfactor = "x"\n', Family.SD1),
    ],
)
def test_no_estimate_where_it_would_be_a_guess(tmp_path: Path, module: str, text: str, family: Family | None) -> None:
    run = _run(tmp_path, module, text)
    assert save_bytes(run, family) is None
    assert state_bytes(run, family) is None


def test_no_estimate_of_a_state_for_an_unknown_optimizer(tmp_path: Path) -> None:
    run = _run(tmp_path, "networks.lora", 'optimizer_type = "my.Optimizer"\n')
    assert save_bytes(run, Family.SD1) is not None
    assert state_bytes(run, Family.SD1) is None
