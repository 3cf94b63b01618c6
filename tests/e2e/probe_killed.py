#!/usr/bin/env python3
"""Probe and collector killed at random under load, 20 times: what was in the probe's spool at each
kill is in the datasets, each record once, and every other flow that was sent overlaps a time of
which a manifest tells an unclean end, or that packets were lost.

usage: probe_killed.py CURLEW PROBE COLLECTOR [--kills N]

The spool is read here by its format (probe/spool.h, proto/FRAME.md), not by the probe; what was
sent is told by who sent it.
"""

import bisect
import collections
import pathlib
import random
import signal
import struct
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import flow_sender  # noqa: E402
import frames  # noqa: E402
import services  # noqa: E402
from results import Results  # noqa: E402

KILLS = 20
FLOWS_PER_SECOND = 5_000
SEED = 815
METER = ("flow_capacity = 4096\n[meter.timeouts]\n"
         "idle_tcp = 1\nidle_other = 1\nactive = 2\nclosed = 1")
# Records are complete this much later than their packets (timeouts, the sweep's margin, ledgers):
# what came earlier no kill may touch.
QUIET_SECONDS = 16
COMPLETE_SECONDS = 14
# What the tap itself may stamp a packet with, and our reading of the same clock.
STAMP_NS = 5_000_000
HEADER = struct.Struct("<4sBBHIIQQQII")


def frames_of(segment):
    """(kind, epoch, first sequence, records) of each whole frame."""
    octets = segment.read_bytes()
    found, at = [], 0
    while at + HEADER.size <= len(octets):
        header = HEADER.unpack_from(octets, at)
        magic, _, kind, _, length, records, _, epoch, first, _, check = header
        end = at + HEADER.size + length
        if magic != b"CLWF" or end > len(octets):
            break
        found.append((kind, epoch, first, records, at, end, check))
        at = end
    # Only the last one can be torn.
    if found:
        *_, at, end, check = found[-1]
        if frames.crc32c(octets[at:at + 44] + octets[at + HEADER.size:end]) != check:
            found.pop()
    return [frame[:4] for frame in found]


def records_in(spool):
    """Records by epoch."""
    found = collections.Counter()
    for segment in spool.glob("*.spool"):
        for kind, epoch, _, records in frames_of(segment):
            found[epoch] += records if kind == frames.BATCH else 0
    return found


def losses_of(manifest):
    """(from, to, reason) of each time in which something was lost; the end of time is open."""
    for loss in manifest["losses"]:
        yield loss["from_ns"], loss["to_ns"] or sys.maxsize, loss["reason"]


class Archive:
    """What the datasets say: records of each epoch, of each flow, and when something was lost."""

    def __init__(self, folder):
        self.records = collections.Counter()    # by epoch
        self.identities = collections.defaultdict(set)
        self.unclean = set()                    # epochs
        self.times_of_flow = collections.Counter()
        self.losses = set()
        self.unmarked = 0                       # records in a loss whose quality does not say so
        for path, manifest in services.manifests(folder):
            epoch = int(manifest["sequences"][0]["epoch"], 16)
            if manifest["unclean_end"]:
                self.unclean.add(epoch)
            losses = list(losses_of(manifest))
            self.losses.update(losses)
            for record in services.records_of(
                    path.with_name(path.name.replace(".manifest.json", ".json"))):
                self.records[epoch] += 1
                self.identities[epoch].add((record["flow_id"], record["record"]))
                self.times_of_flow[flow_sender.flow_of(record)] += 1
                is_in_loss = any(begin <= record["time_end_ns"] and record["time_start_ns"] <= end
                                 for begin, end, _ in losses)
                self.unmarked += is_in_loss != ("loss" in record["quality"])

    def spans(self, reasons=None):
        """When something was lost for one of the reasons, or for any: apart and in order."""
        joined = []
        for begin, end, reason in sorted(self.losses):
            if reasons is not None and reason not in reasons:
                continue
            if joined and begin <= joined[-1][1]:
                joined[-1][1] = max(joined[-1][1], end)
            else:
                joined.append([begin, end])
        return joined


def is_told(spans, times):
    """Whether one of the spans overlaps the times."""
    at = bisect.bisect_left(spans, times[0] - STAMP_NS, key=lambda span: span[1])
    return at < len(spans) and spans[at][0] <= times[1] + STAMP_NS


def torture(programs, folder, kills, namespaces):
    """What the spool held of each epoch when its probe was killed, exit codes, what was said."""
    endpoint = f"ipc://{folder}/channel"
    switch, tap = namespaces
    collector = services.Service(
        "collector",
        [programs[2], "--config",
         services.collector_config(folder, endpoint, folder / "archive", fields="slim",
                                   octets=16 << 20)],
        folder).start()
    probe = services.Service(
        "probe",
        [programs[1], "--config",
         services.probe_config(folder, endpoint, ["net_pcap0,iface=tap"],
                               meter=METER, spool=folder / "spool", drain_seconds=60)],
        folder, ("ip", "netns", "exec", tap)).start()
    sender = services.Service(
        "sender",
        [sys.executable, flow_sender.__file__, "mirror", 1 << 40, FLOWS_PER_SECOND,
         folder / "sent"],
        folder, ("ip", "netns", "exec", switch))
    chance = random.Random(SEED)
    held = {}

    def kill_probe():
        ready = probe.text().count("ready")
        probe.end(signal.SIGKILL)
        # Older epochs are there as well when they were not delivered yet.
        for epoch, records in records_in(folder / "spool").items():
            held.setdefault(epoch, records)
        probe.start()
        services.wait_until("the probe", lambda: probe.text().count("ready") > ready)

    try:
        probe.wait_for_text("ready")
        sender.start()
        time.sleep(QUIET_SECONDS)
        for _ in range(kills):
            time.sleep(chance.uniform(0.5, 2.2))
            whom = chance.choice(("probe", "collector", "both"))
            if whom != "probe":
                collector.end(signal.SIGKILL)
                time.sleep(chance.uniform(0.0, 0.5))
            if whom != "collector":
                kill_probe()
            if whom != "probe":
                collector.start()
        sender.end()
        code = probe.end(seconds=120)
        services.wait_until("the final ledger",
                            lambda: services.final_ledgers(folder / "archive"), 120)
        return held, code, collector.end(seconds=120), probe.text()
    finally:
        for service in (sender, probe, collector):
            service.kill()


def check_flows(results, archive, sent):
    """Each flow that was sent is there once, or its loss is told."""
    lost = {flow: times for flow, times in enumerate(sent) if archive.times_of_flow[flow] == 0}
    twice = [flow for flow, times in archive.times_of_flow.items() if times > 1]
    spans, unclean = archive.spans(), archive.spans({"unclean_end"})
    untold = [times for times in lost.values() if not is_told(spans, times)]
    by_port = [times for times in lost.values() if not is_told(unclean, times)]
    print(f"{len(sent)} flows sent, {len(lost)} not in the datasets, {len(by_port)} of them lost "
          "by the port")
    results.check("no flow twice", not twice, str(twice[:5]))
    results.check("no flow that was not sent", max(archive.times_of_flow) < len(sent))
    results.check("every other flow overlaps a loss that is told", not untold,
                  f"{len(untold)}: {untold[:3]}; {sorted(archive.losses)}")
    # Else one long interval might excuse all that is lost.
    safe = sent[0][0] + (QUIET_SECONDS - COMPLETE_SECONDS) * 1_000_000_000
    early = [times for times in sent if times[1] < safe]
    results.check("what was complete before the first kill is in no unclean end",
                  early and not any(is_told(unclean, times) for times in early))
    results.check("records in a loss say so, and no others", archive.unmarked == 0,
                  str(archive.unmarked))


def main():
    programs = sys.argv[1:4]
    kills = int(sys.argv[5]) if sys.argv[4:5] == ["--kills"] else KILLS
    results = Results()
    reason = services.may_make_namespaces()
    if reason:
        results.skip("kills under load", reason)
        results.exit()
    with tempfile.TemporaryDirectory() as name, services.Network("killed") as network:
        folder = pathlib.Path(name)
        namespaces = network.namespace("switch"), network.namespace("probe")
        network.pair(namespaces[0], "mirror", namespaces[1], "tap")
        print(f"seed {SEED}, {kills} kills", flush=True)
        held, code, collector_code, said = torture(programs, folder, kills, namespaces)
        archive = Archive(folder / "archive")
        total = sum(held.values())
        print(f"{len(held)} epochs with {total} records in the spool when they were killed")
        results.check("probe ends well", code == 0, said[-2000:])
        results.check("collector ends well", collector_code == 0)
        results.check("records were spooled", total > 0)
        for epoch, records in held.items():
            written, different = archive.records[epoch], len(archive.identities[epoch])
            results.check(f"epoch {epoch:016x}: each spooled record once",
                          written == different == records,
                          f"{records} spooled, {written} written, {different} different")
            results.check(f"epoch {epoch:016x}: its unclean end is told", epoch in archive.unclean)
        check_flows(results, archive, flow_sender.sent(folder / "sent"))
        results.check("the spool is empty at the end",
                      not list((folder / "spool").glob("*.spool")))
        verified = subprocess.run([programs[0], "verify", folder / "archive"],
                                  capture_output=True, text=True, check=False)
        results.check("verify", verified.returncode == 0, verified.stderr)
    results.exit()


if __name__ == "__main__":
    main()
