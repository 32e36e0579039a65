"""Every planted mistake, by subject."""

from __future__ import annotations

import mistakes_dataset
import mistakes_models
import mistakes_network
import mistakes_optimizer
import mistakes_options
import mistakes_prompts
import mistakes_rules
from mistake import Planted

SUBJECTS: dict[str, tuple[Planted, ...]] = {
    "options": mistakes_options.MISTAKES,
    "network": mistakes_network.MISTAKES,
    "optimizer": mistakes_optimizer.MISTAKES,
    "dataset": mistakes_dataset.MISTAKES,
    "prompts": mistakes_prompts.MISTAKES,
    "rules": mistakes_rules.MISTAKES,
    "models": mistakes_models.MISTAKES,
}
