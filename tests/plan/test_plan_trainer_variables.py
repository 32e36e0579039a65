"""The variables that kl sets for a training."""

from __future__ import annotations

import pytest

from launcher.base.origin import Origin, Source
from launcher.base.settings import Value
from launcher.plan.plan import Argument
from launcher.plan.trainer_variables import trainer_variables


def set_for(flag: str, value: Value, **environ: str) -> dict[str, str]:
    return trainer_variables([Argument(flag, (), value, Origin(Source.KL, "kl"))], environ)


@pytest.mark.parametrize("flag", ["cpu", "use_cpu"])
def test_on_a_cpu_sums_come_out_the_same_wherever_it_trains(flag: str) -> None:
    assert set_for(flag, True)["MKL_CBWR"] == "AUTO"
    assert "MKL_CBWR" not in set_for(flag, True, MKL_CBWR="AVX2,STRICT")


@pytest.mark.parametrize(("flag", "value"), [("cpu", False), ("num_processes", 1), ("multi_gpu", True)])
def test_elsewhere_nothing_is_said_of_sums(flag: str, value: Value) -> None:
    assert sorted(set_for(flag, value)) == ["PYTHONIOENCODING", "PYTHONUNBUFFERED", "TQDM_MININTERVAL"]
