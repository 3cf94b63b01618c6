#!/usr/bin/env python3
"""Datasets and manifests are the same octets for 1, 2 and 4 workers, and when made again.

usage: workers_agree.py CURLEW

Over all real and rebuilt captures of the datasets where they are there, and over generated ones
always, one of which has more senders than are looked at.
"""

import json
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from capture_maker import one_packet_flows  # noqa: E402
from results import Results, shared_or_skip  # noqa: E402

# More than Devices::kMaximumPresences.
SENDERS = 130_000


def octets_of(archive):
    return {
        str(path.relative_to(archive)): path.read_bytes()
        for path in sorted(archive.rglob("*"))
        if path.is_file()
    }


def run(results, curlew, captures, archive, workers):
    command = [curlew, "run", *captures, "--archive", archive, "--workers", str(workers)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    results.check(f"curlew run with {workers} workers", done.returncode == 0, done.stderr)
    return octets_of(archive)


def main():
    curlew = sys.argv[1]
    results = Results()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        captures = []
        for scenario in ("gateway-boot", "camera-minutes"):
            captures.append(folder / f"{scenario}.pcap")
            subprocess.run(
                [curlew, "traffic", scenario, "-o", captures[-1]], check=True, capture_output=True
            )
        captures.append(folder / "many-senders.pcap")
        one_packet_flows(captures[-1], SENDERS, flows_per_sender=1)
        shared = shared_or_skip(results, "captures of the datasets", "datasets")
        if shared is not None:
            captures += sorted(shared.glob("captures/*/*/*.pcap*"))
            captures += sorted(shared.glob("replayed/*/*/*.pcap*"))
        one = run(results, curlew, captures, folder / "one", 1)
        # Records, manifest and devices of each, the index and its head.
        results.check("every capture has a dataset", len(one) == 3 * len(captures) + 2)
        manifest = next(path for path in one if path.endswith("many-senders.manifest.json"))
        results.check("there were too many senders",
                      not json.loads(one[manifest])["devices_complete"])
        for archive, workers in (("again", 1), ("two", 2), ("four", 4)):
            other = run(results, curlew, captures, folder / archive, workers)
            results.check(f"{archive}: same files", other.keys() == one.keys())
            for path, octets in one.items():
                results.check(f"{path} with {workers} workers", other.get(path) == octets)
    results.exit()


if __name__ == "__main__":
    main()
