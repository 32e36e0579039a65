"""Logging, and its options."""

from __future__ import annotations

import argparse
import logging
import sys


def add_logging_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--console_log_level",
        type=str,
        default=None,
        choices=["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"],
        help="least important messages to show: INFO when left out",
    )
    parser.add_argument("--console_log_file", type=str, default=None, help="file for messages instead of the console")
    parser.add_argument("--console_log_simple", action="store_true", help="messages without colours")


def setup_logging(args: argparse.Namespace) -> None:
    """Messages go to stderr, or to the file asked for."""
    logging.basicConfig(
        level=args.console_log_level or "INFO",
        format="%(asctime)s %(levelname)-8s %(message)s",
        datefmt="%Y-%m-%d %H:%M:%S",
        force=True,
        **({"filename": args.console_log_file} if args.console_log_file else {"stream": sys.stderr}),
    )
