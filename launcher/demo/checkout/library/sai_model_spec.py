"""The model's description of itself: the `modelspec.*` metadata and its options."""

from __future__ import annotations

import argparse
import datetime
import time


def add_model_spec_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--metadata_title", type=str, default=None, help="title; the output name when left out")
    parser.add_argument("--metadata_author", type=str, default=None, help="who made the model")
    parser.add_argument("--metadata_description", type=str, default=None, help="what the model is for")
    parser.add_argument("--metadata_license", type=str, default=None, help="the model's license")
    parser.add_argument("--metadata_tags", type=str, default=None, help="tags, between commas")
    parser.add_argument("--metadata_usage_hint", type=str, default=None, help="how the model is used")
    parser.add_argument("--metadata_trigger_phrase", type=str, default=None, help="words that call the model up")


def model_spec(args: argparse.Namespace, title: str, architecture: str, resolution: str) -> dict[str, str]:
    """The `modelspec.*` entries of one file."""
    made = datetime.datetime.fromtimestamp(int(time.time())).isoformat()
    given = {
        "author": args.metadata_author,
        "description": args.metadata_description,
        "license": args.metadata_license,
        "tags": args.metadata_tags,
        "usage_hint": args.metadata_usage_hint,
        "trigger_phrase": args.metadata_trigger_phrase,
    }
    return {
        "modelspec.sai_model_spec": "1.0.1",
        "modelspec.architecture": f"{architecture}/lora",
        "modelspec.implementation": "kl demo trainer",
        "modelspec.title": args.metadata_title or title,
        "modelspec.resolution": resolution,
        "modelspec.date": made,
        "modelspec.prediction_type": "v" if args.v_parameterization else "epsilon",
        **{f"modelspec.{name}": value for name, value in given.items() if value is not None},
    }
