#!/usr/bin/env python3
"""The dataset that deploy/quickstart makes of a capture is what `curlew run` makes of it.

usage: quickstart_equals_run.py CURLEW PROBE COLLECTOR [CAPTURE GROUP ARCHIVE]

Without a capture the part of quickstart that meters is run, on captures made here: plain, packed,
and one that a probe does not take. With one, ARCHIVE is what quickstart has made of it already.
"""

import gzip
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import services  # noqa: E402
from capture_maker import one_packet_flows, without_ethernet  # noqa: E402
from records import by_run, first_difference, in_order  # noqa: E402
from results import Results  # noqa: E402

METER_CAPTURE = pathlib.Path(__file__).resolve().parents[2] / "deploy" / "meter_capture.py"


def compare(results, curlew, capture, group, archive):
    with tempfile.TemporaryDirectory() as folder:
        expected = by_run(curlew, capture, folder, group)
    found = in_order(services.records(archive))
    results.check(f"{capture.name}: has records", len(expected) > 0)
    difference = first_difference(found, expected)
    results.check(f"{capture.name}: equal records", not difference, difference)
    verified = subprocess.run([curlew, "verify", archive], capture_output=True, text=True,
                              check=False)
    results.check(f"{capture.name}: verify", verified.returncode == 0, verified.stderr)


def quickstart(results, curlew, capture, group, archive, is_taken_by_probe=True):
    done = subprocess.run(
        [sys.executable, METER_CAPTURE, pathlib.Path(curlew).parents[1], capture, group, archive],
        capture_output=True, text=True, check=False)
    said = done.stdout + done.stderr
    results.check(f"{capture.name}: quickstart", done.returncode == 0, said)
    results.check(f"{capture.name}: by the {'probe' if is_taken_by_probe else 'run'}",
                  ("does not take" in said) != is_taken_by_probe, said)
    compare(results, curlew, capture, group, archive)


def make(curlew, scenario, place):
    subprocess.run([curlew, "traffic", scenario, "-o", place], check=True, capture_output=True)
    return place


def main():
    results = Results()
    curlew = sys.argv[1]
    if len(sys.argv) == 7:
        compare(results, curlew, pathlib.Path(sys.argv[4]), sys.argv[5], sys.argv[6])
        results.exit()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        plain = make(curlew, "gateway-boot", folder / "gateway,boot.pcap")
        quickstart(results, curlew, plain, "ikea-app", folder / "plain")
        packed = folder / "Camera minutes.pcap.gz"
        packed.write_bytes(gzip.compress(
            make(curlew, "camera-minutes", folder / "camera.pcap").read_bytes()))
        quickstart(results, curlew, packed, "any", folder / "packed")
        raw = folder / "raw.pcap"
        one_packet_flows(folder / "flows.pcap", 50)
        without_ethernet(folder / "flows.pcap", raw)
        quickstart(results, curlew, raw, "any", folder / "raw", is_taken_by_probe=False)
    results.exit()


if __name__ == "__main__":
    main()
