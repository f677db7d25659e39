"""Adds our flag to the host's command line."""

import argparse


def preload(parser: argparse.ArgumentParser) -> None:
    """Called by the host before it reads its command line."""
    parser.add_argument(
        "--kandinsky-dir",
        type=str,
        default=None,
        metavar="PATH",
        help="another folder of Kandinsky models, searched before <models>/Kandinsky",
    )
