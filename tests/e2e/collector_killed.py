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


def torture(results, claim, programs, capture, folder, queue, drop, reason):
    folder.mkdir()
    archive = folder / "archive"
    endpoint = f"ipc://{folder}/channel"
    collector = services.Service(
        "collector",
        [programs[2], "--config",
         services.collector_config(folder, endpoint, archive, fields="slim", octets=16 << 20)],
        folder).start()
    probe = services.Service(
        "probe",
        [programs[1], "--config",
         services.probe_config(folder, endpoint, [f"net_pcap0,rx_pcap={capture},infinite_rx=1"],
                               queue=queue, drop=drop, meter=METER, drain_seconds=60)],
        folder).start()
    chance = random.Random(SEED)
    print(f"{claim}: seed {SEED}", flush=True)
    try:
        probe.wait_for_text("ready")
        for _ in range(KILLS):
            time.sleep(chance.uniform(0.3, 0.9))
            collector.end(signal.SIGKILL)
            time.sleep(chance.uniform(0.1, 1.5))
            collector.start()
        code = probe.end(seconds=120)
        services.wait_until("the final ledger", lambda: services.final_ledgers(archive), 120)
        collector_code = collector.end(seconds=120)
    finally:
        probe.kill()
        collector.kill()
    results.check(f"{claim}: probe ends well", code == 0, probe.text()[-2000:])
    results.check(f"{claim}: collector ends well", collector_code == 0, collector.text()[-2000:])
    check_archive(results, claim, programs[0], archive, reason)


def main():
    programs = sys.argv[1:4]
    results = Results()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        capture = folder / "flows.pcap"
        one_packet_flows(capture, FLOWS)
        for claim, queue, drop, reason in [("large queue", 1 << 30, "newest", None),
                                           ("small queue", 1 << 20, "newest", "outbox"),
                                           ("oldest make room", 1 << 20, "oldest", "dropped")]:
            torture(results, claim, programs, capture, folder / claim, queue, drop, reason)
    results.exit()


if __name__ == "__main__":
    main()
