"""All rules between options, by subject."""

from __future__ import annotations

from launcher.plan.checks.rules import (
    attention,
    buckets,
    caching,
    captions,
    flow,
    hub,
    logging,
    loss,
    network,
    noise,
    precision,
    processes,
    resume,
    sampling,
    saving,
    steps,
)
from launcher.plan.checks.rules.rule import Rule

RULES: tuple[Rule, ...] = (
    *caching.RULES,
    *captions.RULES,
    *buckets.RULES,
    *noise.RULES,
    *flow.RULES,
    *loss.RULES,
    *precision.RULES,
    *attention.RULES,
    *network.RULES,
    *steps.RULES,
    *saving.RULES,
    *resume.RULES,
    *sampling.RULES,
    *logging.RULES,
    *processes.RULES,
    *hub.RULES,
)
