#!/usr/bin/env python3
"""A file system of 200 MB fed two gigabytes of datasets runs to the end, is never full, and its
index verifies.

usage: small_archive.py CURLEW PROBE COLLECTOR
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import services  # noqa: E402
from capture_maker import one_packet_flows  # noqa: E402
from results import Results  # noqa: E402

FILE_SYSTEM_MB = 200
FED_OCTETS = 2_000_000_000
# A record has a little less than two thousand octets: enough for FED_OCTETS, and not much more.
FLOWS = 210_000
LIVES = 5
MIN_FREE = 60 << 20


class FreeWatch(threading.Thread):
    """The least room that was ever left, looked at a hundred times a second."""

    def __init__(self, folder):
        super().__init__(daemon=True)
        self.folder = folder
        self.least = 1 << 62
        self.done = threading.Event()

    def run(self):
        while not self.done.wait(0.01):
            room = os.statvfs(self.folder)
            self.least = min(self.least, room.f_bavail * room.f_frsize)


def sealed_octets(archive):
    """Of all datasets ever sealed: those that lie there and those that were removed."""
    octets = 0
    for line in (archive / "index.jsonl").read_text(encoding="utf-8").splitlines():
        entry = json.loads(line)
        if "removed" in entry:
            octets += entry["octets"]
    return octets + sum(path.stat().st_size for path in archive.rglob("*.json"))


def feed(results, programs, capture, folder, archive):
    endpoint = f"ipc://{folder}/channel"
    collector = services.Service(
        "collector",
        [programs[2], "--config",
         services.collector_config(folder, endpoint, archive, octets=8 << 20, min_free=MIN_FREE)],
        folder).start()
    probe = None
    try:
        for life in range(LIVES):
            probe = services.Service(
                "probe",
                [programs[1], "--config",
                 services.probe_config(folder, endpoint, [f"net_pcap0,rx_pcap={capture}"]),
                 *services.STOP_AT_THE_END],
                folder).start()
            code = probe.wait(300)
            results.check(f"life {life} of the probe ends well", code == 0, probe.text()[-2000:])
        code = collector.end()
    finally:
        if probe is not None:
            probe.kill()
        collector.kill()
    results.check("the collector ends well", code == 0, collector.text()[-2000:])


def main():
    programs = sys.argv[1:4]
    results = Results()
    if os.geteuid() != 0:
        results.skip("a small file system", "only root can mount one")
        results.exit()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        small = folder / "small"
        small.mkdir()
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={FILE_SYSTEM_MB}m", "curlew-small", small],
            check=False, capture_output=True, text=True)
        if mounted.returncode != 0:
            results.skip("a small file system", mounted.stderr.strip())
            results.exit()
        try:
            capture = folder / "flows.pcap"
            one_packet_flows(capture, FLOWS)
            watch = FreeWatch(small)
            watch.start()
            feed(results, programs, capture, folder, small / "archive")
            watch.done.set()
            watch.join()
            fed = sealed_octets(small / "archive")
            print(f"{fed} octets of datasets; least room {watch.least}", flush=True)
            results.check("two gigabytes were fed", fed >= FED_OCTETS, str(fed))
            results.check("never full", watch.least > 0, str(watch.least))
            verified = subprocess.run([programs[0], "verify", small / "archive"],
                                      capture_output=True, text=True, check=False)
            results.check("the archive verifies", verified.returncode == 0, verified.stderr)
        finally:
            subprocess.run(["umount", small], check=False)
    results.exit()


if __name__ == "__main__":
    main()
