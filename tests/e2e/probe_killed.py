#!/usr/bin/env python3
"""A probe killed and started again under load, the collector as well: what was in the probe's spool
at each kill is in the datasets, each record once.

usage: probe_killed.py CURLEW PROBE COLLECTOR [--kills N]

The spool is read here by its format (probe/spool.h, proto/FRAME.md), not by the probe.
"""

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
import services  # noqa: E402
from capture_maker import one_packet_flows  # noqa: E402
from results import Results  # noqa: E402

KILLS = 20
FLOWS = 20_000
SEED = 815
METER = "[meter.timeouts]\nidle_tcp = 1\nidle_other = 1\nactive = 2"
HEADER = struct.Struct("<4sBBHIIQQQII")
BATCH = 3


def crc32c(octets):
    value = 0xffffffff
    for octet in octets:
        value ^= octet
        for _ in range(8):
            value = value >> 1 ^ (0x82f63b78 if value & 1 else 0)
    return value ^ 0xffffffff


def frames_of(segment):
    """(kind, epoch, first sequence, records) of each whole frame."""
    octets = segment.read_bytes()
    frames, at = [], 0
    while at + HEADER.size <= len(octets):
        header = HEADER.unpack_from(octets, at)
        magic, _, kind, _, length, records, _, epoch, first, _, check = header
        end = at + HEADER.size + length
        if magic != b"CLWF" or end > len(octets):
            break
        frames.append((kind, epoch, first, records, at, end, check))
        at = end
    # Only the last one can be torn.
    if frames:
        *_, at, end, check = frames[-1]
        if crc32c(octets[at:at + 44] + octets[at + HEADER.size:end]) != check:
            frames.pop()
    return [frame[:4] for frame in frames]


def records_in(spool):
    """Records by epoch."""
    found = collections.Counter()
    for segment in spool.glob("*.spool"):
        for kind, epoch, _, records in frames_of(segment):
            found[epoch] += records if kind == BATCH else 0
    return found


def by_epoch(archive):
    """Epoch -> (records, different identities, whether an unclean end is told)."""
    records, identities, unclean = collections.Counter(), collections.defaultdict(set), set()
    for path, manifest in services.manifests(archive):
        epoch = int(manifest["sequences"][0]["epoch"], 16)
        if manifest["unclean_end"]:
            unclean.add(epoch)
        dataset = path.with_name(path.name.replace(".manifest.json", ".json"))
        for record in services.records_of(dataset):
            records[epoch] += 1
            identities[epoch].add((record["flow_id"], record["record"]))
    return {epoch: (records[epoch], len(identities[epoch]), epoch in unclean) for epoch in records}


def torture(programs, folder, kills):
    """What the spool held of each epoch when its probe was killed, and the exit codes."""
    capture = folder / "flows.pcap"
    one_packet_flows(capture, FLOWS)
    endpoint = f"ipc://{folder}/channel"
    collector = services.Service(
        "collector",
        [programs[2], "--config",
         services.collector_config(folder, endpoint, folder / "archive", fields="slim",
                                   octets=16 << 20)],
        folder).start()
    probe = services.Service(
        "probe",
        [programs[1], "--config",
         services.probe_config(folder, endpoint, [f"net_pcap0,rx_pcap={capture},infinite_rx=1"],
                               meter=METER, spool=folder / "spool", drain_seconds=60)],
        folder).start()
    chance = random.Random(SEED)
    held = {}
    try:
        probe.wait_for_text("ready")
        for kill in range(kills):
            ready = probe.text().count("ready")
            time.sleep(chance.uniform(1.2, 2.2))
            if kill % 3 == 2:
                collector.end(signal.SIGKILL)
                time.sleep(chance.uniform(0.0, 0.5))
            probe.end(signal.SIGKILL)
            # Older epochs are there as well when they were not delivered yet.
            for epoch, records in records_in(folder / "spool").items():
                held.setdefault(epoch, records)
            probe.start()
            services.wait_until("the probe", lambda: probe.text().count("ready") > ready)
            if kill % 3 == 2:
                collector.start()
        code = probe.end(seconds=120)
        services.wait_until("the final ledger",
                            lambda: services.final_ledgers(folder / "archive"), 120)
        return held, code, collector.end(seconds=120), probe.text()
    finally:
        probe.kill()
        collector.kill()


def main():
    programs = sys.argv[1:4]
    kills = int(sys.argv[5]) if sys.argv[4:5] == ["--kills"] else KILLS
    results = Results()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        print(f"seed {SEED}, {kills} kills", flush=True)
        held, code, collector_code, said = torture(programs, folder, kills)
        found = by_epoch(folder / "archive")
        total, told = sum(held.values()), 0
        print(f"{len(held)} epochs with {total} records in the spool when they were killed")
        results.check("probe ends well", code == 0, said[-2000:])
        results.check("collector ends well", collector_code == 0)
        results.check("records were spooled", total > 0)
        for epoch, records in held.items():
            written, different, unclean = found.get(epoch, (0, 0, False))
            results.check(f"epoch {epoch:016x}: each spooled record once",
                          written == different == records,
                          f"{records} spooled, {written} written, {different} different")
            told += unclean
        # An epoch of which nothing is left to be sealed when the next one begins has no dataset to
        # tell it in.
        results.check("unclean ends are told", told > 0)
        print(f"an unclean end is told of {told} of {len(held)} epochs")
        results.check("the spool is empty at the end",
                      not list((folder / "spool").glob("*.spool")))
        verified = subprocess.run([programs[0], "verify", folder / "archive"],
                                  capture_output=True, text=True, check=False)
        results.check("verify", verified.returncode == 0, verified.stderr)
    results.exit()


if __name__ == "__main__":
    main()
