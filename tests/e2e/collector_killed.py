#!/usr/bin/env python3
"""A collector killed and started again ten times under load: no record is doubled, none is missing
but those that the ledger names, to the record.

usage: collector_killed.py CURLEW PROBE COLLECTOR

Once with a queue that holds all that comes while the collector is away, and with one that cannot:
there the newest are lost, or the oldest.
"""

import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import services  # noqa: E402
from capture_maker import one_packet_flows  # noqa: E402
from results import Results  # noqa: E402

KILLS = 10
FLOWS = 20_000
SEED = 4711
# Flows end soon after their packet, and the capture is played over and over: records never stop.
METER = "[meter.timeouts]\nidle_tcp = 1\nidle_other = 1\nactive = 2"
# Name, octets of the queue, what gives way when it is full, and the reason that is told for it.
CASES = (
    ("large queue", 1 << 30, "newest", None),
    ("small queue", 1 << 20, "newest", "outbox"),
    ("oldest make room", 1 << 20, "oldest", "dropped"),
)


def check_archive(results, claim, curlew, archive, reason):
    identities = set()
    count = 0
    for record in services.records(archive):
        identities.add((record["flow_id"], record["record"]))
        count += 1
    ledger = next(iter(services.final_ledgers(archive).values()))
    lost = sum(ledger["records_lost"].values())
    print(f"{claim}: created {ledger['records_created']}, written {count}, lost {lost} "
          f"{ledger['records_lost']}", flush=True)
    results.check(f"{claim}: records came", count > 0)
    results.check(f"{claim}: none doubled", len(identities) == count,
                  f"{count} records, {len(identities)} identities")
    results.check(f"{claim}: created = written + lost", ledger["records_created"] == count + lost,
                  f"{ledger['records_created']} and {count} + {lost}")
    results.check(f"{claim}: lost for {reason or 'nothing'}",
                  set(ledger["records_lost"]) == ({reason} if reason else set()),
                  str(ledger["records_lost"]))
    last = next(manifest for _, manifest in services.manifests(archive)
                if manifest["probe"] and manifest["probe"].get("final"))
    told = sum(loss["lost"] for loss in last["losses"])
    results.check(f"{claim}: and when", told == lost, f"{told} of {lost}")
    verified = subprocess.run([curlew, "verify", archive], capture_output=True, text=True,
                              check=False)
    results.check(f"{claim}: verify", verified.returncode == 0, verified.stderr)


class Line:
    """A probe and its collector, with what is to become of the queue between them."""

    def __init__(self, programs, capture, folder, case):
        self.claim, queue, drop, self.reason = case
        folder = folder / self.claim
        folder.mkdir()
        self.archive = folder / "archive"
        endpoint = f"ipc://{folder}/channel"
        self.collector = services.Service(
            "collector",
            [programs[2], "--config",
             services.collector_config(folder, endpoint, self.archive, fields="slim",
                                       octets=16 << 20)],
            folder)
        # Its name is DPDK's as well, which wants one of each.
        self.probe = services.Service(
            "probe",
            [programs[1], "--config",
             services.probe_config(folder, endpoint, [f"net_pcap0,rx_pcap={capture},infinite_rx=1"],
                                   name=self.claim.replace(" ", "-"), queue=queue, drop=drop,
                                   meter=METER, drain_seconds=60)],
            folder)

    def end(self, results):
        code = self.probe.end(seconds=120)
        services.wait_until("the final ledger", lambda: services.final_ledgers(self.archive), 120)
        collector_code = self.collector.end(seconds=120)
        results.check(f"{self.claim}: probe ends well", code == 0, self.probe.text()[-2000:])
        results.check(f"{self.claim}: collector ends well", collector_code == 0,
                      self.collector.text()[-2000:])


def torture(results, lines):
    """All collectors are killed at the same moments: most of the time is waiting."""
    chance = random.Random(SEED)
    print(f"seed {SEED}", flush=True)
    try:
        for line in lines:
            line.collector.start()
            line.probe.start()
        for line in lines:
            line.probe.wait_for_text("ready")
        for _ in range(KILLS):
            time.sleep(chance.uniform(0.3, 0.9))
            for line in lines:
                line.collector.end(signal.SIGKILL)
            time.sleep(chance.uniform(0.1, 1.5))
            for line in lines:
                line.collector.start()
        for line in lines:
            line.end(results)
    finally:
        for line in lines:
            line.probe.kill()
            line.collector.kill()


def main():
    programs = sys.argv[1:4]
    results = Results()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        capture = folder / "flows.pcap"
        one_packet_flows(capture, FLOWS)
        lines = [Line(programs, capture, folder, case) for case in CASES]
        torture(results, lines)
        for line in lines:
            check_archive(results, line.claim, programs[0], line.archive, line.reason)
    results.exit()


if __name__ == "__main__":
    main()
