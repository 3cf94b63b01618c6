#!/usr/bin/env python3
"""`curlew-probe --bench` on a device of software: no root, huge pages or network.

usage: bench.py CURLEW PROBE
"""

import json
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from results import Results  # noqa: E402

KEYS = {"workload", "profile", "workers", "flows", "frame_octets", "mpps", "gbit_per_s",
        "bare_mpps", "ns_per_packet", "packets_lost", "records_exported", "peak_rss_octets"}


def bench(results, probe, name, *options):
    """The one result, or nothing when it is not there."""
    done = subprocess.run([probe, "--bench", "--seconds", "0.2", "--json", *options,
                           "--", "--no-huge", "-m", "512"],
                          capture_output=True, text=True, check=False)
    results.check(f"{name}: it ends well", done.returncode == 0, done.stderr)
    # DPDK may say something before.
    lists = [line for line in done.stdout.splitlines() if line.startswith("[")]
    found = json.loads(lists[-1]) if lists else []
    results.check(f"{name}: one result", len(found) == 1, done.stdout)
    return found[0] if found else None


def check_result(results, name, result):
    results.check(f"{name}: its keys", result.keys() >= KEYS, sorted(result))
    results.check(f"{name}: packets come", result["mpps"] > 0 and result["bare_mpps"] > 0, result)
    results.check(f"{name}: none is lost", result["packets_lost"] == 0, result)


def main():
    curlew, probe = sys.argv[1:3]
    results = Results()
    for workers in (1, 2):
        name = f"{workers} worker(s)"
        result = bench(results, probe, name, "--flows", "5000", "--workers", str(workers))
        if result:
            check_result(results, name, result)
            # Every flow that was played is one record, of packets that all came.
            results.check(f"{name}: each flow is a record",
                          result["records_exported"] == result["flows"] == 5000, result)
    with tempfile.TemporaryDirectory() as folder:
        capture = pathlib.Path(folder) / "boot.pcap"
        subprocess.run([curlew, "traffic", "gateway-boot", "-o", capture], check=True,
                       capture_output=True)
        result = bench(results, probe, "a capture", "--capture", str(capture),
                       "--profile", "dataset")
        if result:
            check_result(results, "a capture", result)
            results.check("a capture: it has records", result["records_exported"] > 100, result)
        wrong = subprocess.run([probe, "--bench", "--flows", "9", "--capture", capture],
                               capture_output=True, text=True, check=False)
        results.check("options that exclude each other are refused", wrong.returncode == 2,
                      wrong.stderr)
    results.exit()


if __name__ == "__main__":
    main()
