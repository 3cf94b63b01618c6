#!/usr/bin/env python3
"""An archive labelled anew by the same signatures has the labels of the run that made it.

usage: relabelled.py CURLEW

Also: a changed signature changes the labels that rest on it and no others, an overlay verifies, a
damaged one does not.
"""

import json
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from captures import of_datasets, of_public  # noqa: E402
from results import ROOT, Results, shared_or_skip  # noqa: E402

CHANGED = """
[[signature]]
id = "ip-igmp"
title = "IGMP under another name"
reference = "RFC 3376"
kind = "field"
field = "ip.protocol"
pattern = '2'
protocol = "pgm"
examples.match = ["2"]
examples.no_match = ["1"]
"""


def run(*command):
    return subprocess.run([str(part) for part in command], capture_output=True, text=True,
                          check=False)


def labels_of(path):
    """By flow id and record number, without the name of the rules."""
    labels = {}
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            record = json.loads(line)
            if "flow_id" in record:
                record["label"].pop("ruleset")
                labels[record["flow_id"], record["record"]] = record["label"]
    return labels


def overlays_of(archive):
    return sorted(archive.rglob("*.labels-*.json"))


def check_same(results, curlew, archive):
    done = run(curlew, "annotate", "--rules", "curlew", archive)
    results.check("annotate", done.returncode == 0, done.stderr[-300:])
    results.check("no record has another label", " 0 of " in f" {done.stdout}", done.stdout[-300:])
    overlays = overlays_of(archive)
    results.check("an overlay for each dataset", len(overlays) > 0)
    for overlay in overlays:
        dataset = overlay.with_name(overlay.name.split(".labels-")[0] + ".json")
        results.check(f"{dataset.name}: labels", labels_of(overlay) == labels_of(dataset))
    done = run(curlew, "verify", archive)
    results.check("overlays verify", done.returncode == 0, done.stderr[-300:])


def check_changed(results, curlew, archive, folder):
    ruleset = folder / "changed.toml"
    ruleset.write_text(CHANGED, encoding="utf-8")
    before = set(overlays_of(archive))
    done = run(curlew, "annotate", "--rules", "curlew", "--ruleset", ruleset, archive)
    results.check("annotate by a file", done.returncode == 0, done.stderr[-300:])
    differ = [line for line in done.stdout.splitlines() if "->" in line]
    told = all("igmp" in line or "membership" in line for line in differ)
    results.check("what changed is told", bool(differ) and told, done.stdout[-300:])
    fresh = sorted(set(overlays_of(archive)) - before)
    with open(fresh[0], "r+b") as file:
        file.seek(-100, 2)
        file.write(b"#")
    results.check("a damaged overlay is found", run(curlew, "verify", archive).returncode == 1)


def main():
    curlew = pathlib.Path(sys.argv[1]).resolve()
    results = Results()
    cases = sorted((ROOT / "tests/golden/cases").rglob("input.pcap"))
    shared = shared_or_skip(results, "shared captures labelled anew", "captures-public")
    captures = of_datasets(24) + of_public(60) if shared is not None else []
    with tempfile.TemporaryDirectory() as folder:
        archive = pathlib.Path(folder) / "archive"
        for number, capture in enumerate(cases + captures):
            done = run(curlew, "run", capture, "--scenario", f"s{number}", "--archive", archive)
            # Some of the public ones are no captures that are read here.
            results.check(f"{capture.name}: run", done.returncode == 0 or capture not in cases,
                          done.stderr[-300:])
        check_same(results, curlew, archive)
        check_changed(results, curlew, archive, pathlib.Path(folder))
    results.exit()


if __name__ == "__main__":
    main()
