#!/usr/bin/env python3
"""The project's own captures give the datasets that stand beside them, octet for octet but for
the hash of the rules, which changes with every signature.

usage: own_cases.py CURLEW [--write]

A case is a folder of tests/golden/cases: input.pcap, expected.json, README.md on the capture's
origin, whose first line names the group as "Group: NAME". Where they stand, joy-all.json and
joy-first.json are what preset joy-3.0.3 gives with those records. With --write the expected
datasets are made anew; read their difference before you commit it.
"""

import json
import pathlib
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from results import Results  # noqa: E402

CASES = pathlib.Path(__file__).resolve().parent / "cases"
GROUP = re.compile(r"^Group: (\S+)$", re.MULTILINE)
TRAFFIC = re.compile(r"^Made by: `curlew (traffic \S+ --seed \d+)`$", re.MULTILINE)


RULESET = re.compile(rb'"ruleset":"([a-z-]+)-[0-9a-f]{16}"')

# File of a case, and the options that give it. The first one every case has.
EXPECTED = {
    "expected.json": [],
    "joy-all.json": ["--preset", "joy-3.0.3", "--records", "all"],
    "joy-first.json": ["--preset", "joy-3.0.3", "--records", "first"],
}


def dataset_of(results, curlew, capture, group, archive, options):
    command = [curlew, "run", capture, "--group", group, "--archive", archive, "--json", *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if not results.check(f"{capture.parent.name}: run", done.returncode == 0, done.stderr):
        return None
    return pathlib.Path(json.loads(done.stdout)["files"][0])


def check_capture_is_made(results, curlew, case, readme, folder):
    """A generated capture is what its generator makes today."""
    made_by = TRAFFIC.search(readme)
    if made_by is None:
        return
    again = folder / f"{case.name}.pcap"
    command = [curlew, *made_by.group(1).split(), "-o", again]
    subprocess.run(command, check=True, capture_output=True)
    same = again.read_bytes() == (case / "input.pcap").read_bytes()
    results.check(f"{case.name}: capture is made anew", same)


def without_rules(records):
    return RULESET.sub(rb'"ruleset":"\1"', records)


def check_dataset(results, curlew, case, group, expected, folder, write):
    archive = folder / expected.stem
    options = EXPECTED[expected.name]
    dataset = dataset_of(results, curlew, case / "input.pcap", group, archive, options)
    if dataset is None:
        return
    if write:
        expected.write_bytes(without_rules(dataset.read_bytes()))
    wanted = without_rules(expected.read_bytes()).splitlines()
    ours = without_rules(dataset.read_bytes()).splitlines()
    claim = f"{case.name}/{expected.stem}"
    results.check(f"{claim}: records", len(ours) == len(wanted), f"{len(ours)}")
    for number, (want, have) in enumerate(zip(wanted, ours), start=1):
        results.check(f"{claim}: record {number}", want == have, have[:300].decode())


def check_case(results, curlew, case, folder, write):
    readme = (case / "README.md").read_text(encoding="utf-8")
    group = GROUP.search(readme).group(1)
    for name in EXPECTED:
        if (case / name).exists() or name == "expected.json":
            check_dataset(results, curlew, case, group, case / name, folder, write)
    check_capture_is_made(results, curlew, case, readme, folder)


def main():
    curlew = sys.argv[1]
    write = "--write" in sys.argv[2:]
    results = Results()
    for case in sorted(path for path in CASES.iterdir() if path.is_dir()):
        with tempfile.TemporaryDirectory() as folder:
            check_case(results, curlew, case, pathlib.Path(folder), write)
    results.exit()


if __name__ == "__main__":
    main()
