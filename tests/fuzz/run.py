"""Fuzzes every target for a while; prints a table of how many inputs each ran in how much time.

    run.py BUILD_FOLDER [TARGET...]

FUZZ_SECONDS=n   for each target, 20 by default; more find more
What is learned stays in BUILD_FOLDER/fuzz/corpus for the next time. An input that breaks a promise
is kept in BUILD_FOLDER/fuzz/found, and the exit code is 1: mend the reader, then keep the input in
corpus/<target>/found-<what>.
"""

from __future__ import annotations

import os
import re
import resource
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent


@dataclass
class Limits:
    """Bytes of an input, seconds and megabytes that it may take, megabytes in one piece."""

    length: int = 4096
    seconds: int = 10
    megabytes: int = 768
    piece: int = 128


LIMITS = {
    # An image that claims to be large may be so, within the caps in base/limits.h.
    "image_large": Limits(seconds=60, megabytes=2560, piece=1536),
    "image_round_trip": Limits(length=2048),
    "png_pixels": Limits(length=1024),
    "cli_arguments": Limits(length=128),
    "prompt_weights": Limits(length=1024),
    "infotext": Limits(length=1024),
    # LibTorch itself takes some hundred megabytes.
    **dict.fromkeys(
        (
            *("component_configs", "embeds_file", "http_request", "image_edit", "lora_file"),
            *("manifest", "option_names", "server_request", "zero_image"),
        ),
        Limits(megabytes=2048),
    ),
}
EXECUTED = re.compile(r"stat::number_of_executed_units: *(\d+)")


def cpu_seconds() -> float:
    """Of all programs that were run from here."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def fuzz(build: Path, target: str, seconds: int) -> tuple[int, bool]:
    """Runs one target; returns executions and whether all promises held."""
    limits = LIMITS.get(target, Limits())
    learned = build / "fuzz" / "corpus" / target
    found = build / "fuzz" / "found" / target
    for folder in (learned, found):
        folder.mkdir(parents=True, exist_ok=True)
    command = [
        *(build / "tests" / "fuzz" / f"fuzz_{target}", learned, HERE / "corpus" / target),
        *(f"-max_total_time={seconds}", f"-max_len={limits.length}", f"-timeout={limits.seconds}"),
        *(f"-rss_limit_mb={limits.megabytes}", f"-malloc_limit_mb={limits.piece}"),
        *(f"-artifact_prefix={found}/", "-print_final_stats=1", "-verbosity=1"),
    ]
    log = found.with_suffix(".log")
    environment = {
        **os.environ,
        # A large quarantine would count as the reader's memory.
        "ASAN_OPTIONS": "quarantine_size_mb=16:allocator_may_return_null=0:detect_leaks=1",
        "UBSAN_OPTIONS": "print_stacktrace=1",
    }
    with log.open("wb") as output:
        code = subprocess.run(
            command, stdout=output, stderr=subprocess.STDOUT, env=environment, check=False
        ).returncode
    text = log.read_text(encoding="utf-8", errors="replace")
    match = EXECUTED.search(text)
    if code:
        print(f"{target}: ended with {code}; {log} tells why:", flush=True)
        tail = [
            line for line in text.splitlines() if re.search(r"ERROR|broken|runtime error", line)
        ]
        print(*(f"    {line[:300]}" for line in tail[:5]), sep="\n", flush=True)
    return int(match.group(1)) if match else 0, code == 0


def main(arguments: list[str]) -> int:
    build = Path(arguments[0]).resolve()
    programs = (build / "tests" / "fuzz").glob("fuzz_*")
    known = sorted(path.name.removeprefix("fuzz_") for path in programs if path.is_file())
    targets = arguments[1:] or known
    if unknown := [target for target in targets if target not in known]:
        print(f"no such target: {', '.join(unknown)}; there are {', '.join(known) or 'none'}")
        return 2
    seconds = int(os.environ.get("FUZZ_SECONDS") or 20)
    total, all_held = 0, True
    print("| target | executions | CPU seconds |\n| --- | ---: | ---: |", flush=True)
    for target in targets:
        before = cpu_seconds()
        executions, held = fuzz(build, target, seconds)
        print(f"| {target} | {executions:,} | {cpu_seconds() - before:.0f} |", flush=True)
        total, all_held = total + executions, all_held and held
    print(f"| all | {total:,} | {cpu_seconds():.0f} |")
    print("no promise was broken" if all_held else "BROKEN PROMISES: see above")
    return 0 if all_held else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
