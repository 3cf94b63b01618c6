#!/usr/bin/env python3
"""What the two services make of a capture is what `curlew run` makes of it.

usage: records_equal_run.py CURLEW PROBE COLLECTOR [CAPTURE ...]

The probe reads the capture through DPDK's net_pcap, which has microseconds: times are compared
without what lies below. With one queue, and with the two directions of the same flows on two.
"""

import pathlib
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import services  # noqa: E402
from capture_maker import one_packet_flows, split_by_direction  # noqa: E402
from records import by_run, first_difference, in_order  # noqa: E402
from results import SHARED, Results  # noqa: E402

# Real ones, with stamps in microseconds and all frames whole.
CAPTURES = (
    "datasets/captures/ikea-app/gw-init/wireshark-capture-init-ikea.pcapng",
)
# Leaves whole bursts out.
FILTER = "udp port 53"
FEW_FLOWS = 100
# Many more than the rings between its threads have room for.
MANY_FLOWS = 100_000


def by_services(programs, capture_devices, folder, **more):
    """The archive and the final ledger of a run of both services over files."""
    _, probe_program, collector_program = programs
    folder.mkdir()
    endpoint = f"ipc://{folder}/channel"
    archive = folder / "archive"
    collector = services.Service(
        "collector",
        [collector_program, "--config",
         services.collector_config(folder, endpoint, archive, **more)],
        folder,
    ).start()
    probe = services.Service(
        "probe",
        [probe_program, "--config",
         services.probe_config(folder, endpoint, capture_devices,
                               **{key: more[key] for key in ("workers", "filter", "meter", "record")
                                  if key in more}),
         *services.STOP_AT_THE_END],
        folder,
    ).start()
    try:
        code = probe.wait(300)
        services.wait_until("the dataset", lambda: services.final_ledgers(archive))
        collector_code = collector.end()
    finally:
        probe.kill()
        collector.kill()
    if code != 0 or collector_code != 0:
        raise RuntimeError(f"exit codes {code}, {collector_code}: {probe.text()}{collector.text()}")
    ledger = next(iter(services.final_ledgers(archive).values()))
    return archive, ledger


def compare(results, programs, capture, folder, group):
    expected = by_run(programs[0], capture, folder / "run", group)
    results.check(f"{capture.name}: has records", len(expected) > 0)
    for claim, devices, more in (
        ("two processes", [f"net_pcap0,rx_pcap={capture}"], {}),
        ("four workers", [f"net_pcap0,rx_pcap={capture}"], {"workers": 4}),
        ("memory given", [f"net_pcap0,rx_pcap={capture}"],
         {"workers": 2, "meter": 'memory = "256 MiB"'}),
    ):
        archive, ledger = by_services(
            programs, devices, folder / claim.replace(" ", "-"), group=group, **more)
        found = in_order(services.records(archive))
        difference = first_difference(found, expected)
        results.check(f"{capture.name}: {claim}: equal records", not difference, difference)
        results.check(f"{capture.name}: {claim}: nothing lost", not ledger["packets_lost"],
                      ledger["packets_lost"])
        # Who may reach the collector's socket may not for that write to its archive.
        open_to_group = [path for path in archive.rglob("*") if path.stat().st_mode & 0o022]
        results.check(f"{claim}: the archive is its owner's", not open_to_group, str(open_to_group))
        verified = subprocess.run([programs[0], "verify", archive],
                                  capture_output=True, text=True, check=False)
        results.check(f"{capture.name}: {claim}: verify", verified.returncode == 0,
                      verified.stderr)
    halves = split_by_direction(capture, folder)
    queues = ",".join(f"rx_pcap={half}" for half in halves)
    for claim, devices in (
        ("two queues", [f"net_pcap0,{queues}"]),
        ("two ports", [f"net_pcap{i},rx_pcap={half}" for i, half in enumerate(halves)]),
    ):
        archive, _ = by_services(programs, devices, folder / claim.replace(" ", "-"), group=group,
                                 workers=2)
        found = in_order(services.records(archive))
        difference = first_difference(found, expected)
        results.check(f"{capture.name}: {claim}: equal records", not difference, difference)


def compare_filtered(results, programs, capture, folder, group):
    expected = by_run(programs[0], capture, folder / "run-filtered", group, FILTER)
    results.check(f"{capture.name}: filtered: has records", len(expected) > 0)
    archive, _ = by_services(programs, [f"net_pcap0,rx_pcap={capture}"], folder / "filtered",
                             group=group, filter=FILTER)
    found = in_order(services.records(archive))
    difference = first_difference(found, expected)
    results.check(f"{capture.name}: filtered: equal records", not difference, difference)


def check_uneven_queues(results, programs, folder):
    """A queue that has nothing more neither stops the other one nor slows it down."""
    few, many = folder / "few.pcap", folder / "many.pcap"
    one_packet_flows(few, FEW_FLOWS)
    one_packet_flows(many, MANY_FLOWS)
    started = time.monotonic()
    _, ledger = by_services(programs, [f"net_pcap0,rx_pcap={few},rx_pcap={many}"],
                            folder / "uneven", workers=2, fields="slim")
    print(f"uneven queues: {time.monotonic() - started:.1f} s", flush=True)
    results.check("uneven queues: all packets metered",
                  ledger["packets_metered"] == FEW_FLOWS + MANY_FLOWS, str(ledger))


def main():
    programs = sys.argv[1:4]
    results = Results()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        captures = [pathlib.Path(capture) for capture in sys.argv[4:]]
        if not captures:
            for scenario in ("gateway-boot", "camera-minutes"):
                captures.append(folder / f"{scenario}.pcap")
                subprocess.run([programs[0], "traffic", scenario, "-o", captures[-1]],
                               check=True, capture_output=True)
            for path in CAPTURES:
                if (SHARED / path).exists():
                    captures.append(SHARED / path)
                else:
                    results.skip(path, "it is not there")
        for index, capture in enumerate(captures):
            part = folder / str(index)
            part.mkdir()
            compare(results, programs, capture, part, "any")
        compare_filtered(results, programs, captures[0], folder / "0", "any")
        check_uneven_queues(results, programs, folder)
    results.exit()


if __name__ == "__main__":
    main()
