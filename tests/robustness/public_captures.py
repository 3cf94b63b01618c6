#!/usr/bin/env python3
"""Public captures become datasets or are refused in one sentence, and each ledger closes; in both
presets.

usage: public_captures.py CURLEW [--all]

A sample of the captures, and all with --all or CURLEW_ALL_CAPTURES=1. Meant
for a build with sanitizers: whatever they say fails the test. The packets offered are held against
what capinfos counted (captures-public/MANIFEST.tsv).
"""

import concurrent.futures
import csv
import json
import os
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import captures as shared_captures  # noqa: E402
from ledgers import unclosed  # noqa: E402
from results import Results, shared_or_skip  # noqa: E402

CAPTURES_PER_RUN = 24
PRESETS = {"curlew": 3, "joy-3.0.3": 9}  # in CI one capture in so many


def octets_reported(text):
    return any(word in text for word in ("Sanitizer", "runtime error:", "Assertion"))


def run_captures(results, curlew, archive, captures, preset):
    """One `curlew run` over several captures; the sentences of those it refused."""
    command = [curlew, "run", *captures, "--archive", archive, "--preset", preset, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    name = f"{preset}: {captures[0].name} and {len(captures) - 1} more"
    results.check(f"{name}: exit code", done.returncode in (0, 1), f"{done.returncode}")
    results.check(f"{name}: sanitizers", not octets_reported(done.stderr), done.stderr[-2000:])
    refusals = [line for line in done.stderr.splitlines() if line.startswith("curlew: ")]
    results.check(
        f"{name}: exit code fits", done.returncode == (1 if refusals else 0), done.stderr[-500:]
    )
    return refusals


def check_manifests(results, archive, expected):
    """Holds each manifest against its own identities and capinfos' count; how many there are."""
    manifests = 0
    for path in pathlib.Path(archive).glob("*/*/*/*.manifest.json"):
        manifest = json.loads(path.read_text(encoding="utf-8"))
        manifests += 1
        wrong = unclosed(manifest)
        name = f"{path.parent.name}/{manifest['capture']['file']}"
        results.check(f"{name}: ledger", not wrong, ", ".join(wrong))
        packets = expected[manifest["capture"]["sha256"]]
        offered = manifest["probe"]["packets_offered"]
        if packets.isdigit():
            results.check(
                f"{name}: packets offered", offered == int(packets), f"{offered}, not {packets}"
            )
    return manifests


def check_preset(results, curlew, captures, expected, preset):
    refusals = []
    with tempfile.TemporaryDirectory() as archive:
        parts = [captures[start : start + CAPTURES_PER_RUN]
                 for start in range(0, len(captures), CAPTURES_PER_RUN)]
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            folders = [pathlib.Path(archive) / str(number) for number in range(len(parts))]
            for found in pool.map(
                lambda folder, part: run_captures(results, curlew, folder, part, preset),
                folders,
                parts,
            ):
                refusals += found
        manifests = check_manifests(results, archive, expected)
    results.check(
        f"{preset}: every capture is sealed or refused",
        manifests + len(refusals) == len(captures),
        f"{manifests} sealed, {len(refusals)} refused, {len(captures)} captures",
    )
    print(f"{preset}: {len(captures)} captures: {manifests} sealed, {len(refusals)} refused")


def main():
    curlew = pathlib.Path(sys.argv[1]).resolve()
    results = Results()
    folder = shared_or_skip(results, "public captures", "captures-public")
    if folder is None:
        results.exit()
    with open(folder / "MANIFEST.tsv", encoding="utf-8") as table:
        rows = list(csv.DictReader(table, delimiter="\t"))
    expected = {row["sha256"]: row["packets"] for row in rows}
    distinct = {row["sha256"]: folder / row["file"] for row in rows}
    for preset, one_in in PRESETS.items():
        whole = shared_captures.all_wanted(sys.argv[2:])
        chosen = [path for digest, path in distinct.items()
                  if whole or shared_captures.in_sample(digest, one_in)]
        check_preset(results, curlew, chosen, expected, preset)
    results.exit()


if __name__ == "__main__":
    main()
