#!/usr/bin/env python3
"""Probe and collector for a long time at half of what they can take, with reloads, restarts, a
kill, rotation and retention: memory does not grow, and every record is explained.

usage: live.py CURLEW PROBE COLLECTOR [--minutes N] [--pps N]

Without --pps the highest rate without loss is looked for first, and half of it is sent. The first
two fifths of the time bring restarts; over the rest, reloads included, memory is watched: the mean
of its second half against the mean of its first.
"""

import argparse
import collections
import json
import pathlib
import signal
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import services  # noqa: E402
from capture_maker import one_packet_flows  # noqa: E402
from results import Results  # noqa: E402

METER = "[meter.timeouts]\nidle_tcp = 5\nidle_other = 2\nactive = 10\nclosed = 1"
TRIAL_SECONDS = 4
FIRST_TRIAL = 10_000
MOST_TRIALS = 8
KEPT_OCTETS = 256 << 20
# Of the whole time: what happens when.
RELOADS = 0.1
COLLECTOR_RESTART, PROBE_RESTART, COLLECTOR_KILL = 0.2, 0.25, 0.3
WATCH_FROM, WATCH_MIDDLE = 0.4, 0.7
GROWTH = 0.01


def make_capture(curlew, folder):
    """Devices as they are, and many small flows."""
    parts = [folder / "small.pcap"]
    one_packet_flows(parts[0], 20_000)
    for scenario in ("gateway-boot", "camera-minutes"):
        parts.append(folder / f"{scenario}.pcap")
        subprocess.run([curlew, "traffic", scenario, "-o", parts[-1]], check=True,
                       capture_output=True)
    capture = folder / "soak.pcap"
    subprocess.run(["mergecap", "-a", "-F", "pcap", "-w", capture, *parts], check=True)
    return capture


class Pair:
    """A probe on a tap and its collector."""

    def __init__(self, programs, folder, tap):
        folder.mkdir()
        self.archive = folder / "archive"
        endpoint = f"ipc://{folder}/channel"
        self.collector_file = services.collector_config(
            folder, endpoint, self.archive, fields="standard", compress=True, minutes=1)
        self.keep()
        self.ledgers = {}
        self.collector = services.Service(
            "collector", [programs[2], "--config", self.collector_file], folder)
        self.probe = services.Service(
            "probe",
            [programs[1], "--config",
             services.probe_config(folder, endpoint, ["net_af_xdp0,iface=tap"], meter=METER,
                                   spool=folder / "spool", drain_seconds=60)],
            folder, ("ip", "netns", "exec", tap))

    def keep(self):
        text = self.collector_file.read_text()
        self.collector_file.write_text(
            text.replace("keep = {  }", f"keep = {{ octets = {KEPT_OCTETS} }}"))

    def start(self):
        self.collector.start()
        self.probe.start()
        self.probe.wait_for_text("takes records")

    def restart_probe(self):
        code = self.probe.end(seconds=120)
        told = self.probe.text().count("takes records")
        self.probe.start()
        services.wait_until("the probe",
                            lambda: self.probe.text().count("takes records") > told)
        return code

    def reload(self, minutes):
        text = self.collector_file.read_text()
        lines = [f"rotate = {{ minutes = {minutes}, octets = {1 << 30} }}"
                 if line.startswith("rotate") else line for line in text.splitlines()]
        self.collector_file.write_text("\n".join(lines) + "\n")
        self.collector.process.send_signal(signal.SIGHUP)

    def gather_ledgers(self):
        """Retention removes manifests as well; what an epoch's last ledger said is kept here."""
        self.ledgers.update(services.final_ledgers(self.archive))

    def end(self):
        code = self.probe.end(seconds=180)
        return code, self.collector.end(seconds=180)

    def kill(self):
        self.probe.kill()
        self.collector.kill()


def sender(namespace, capture, pps, seconds=None):
    command = ["tcpreplay", "-i", "mirror", "-q", f"--pps={pps}", "--loop=0",
               "--preload-pcap", str(capture)]
    if seconds is not None:
        command.insert(1, f"--duration={seconds}")
    return subprocess.Popen(["ip", "netns", "exec", namespace, *command],
                            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                            stderr=subprocess.DEVNULL)


def lossless(programs, folder, namespaces, capture, pps):
    """Whether so many packets a second come through, and how many really came a second."""
    pair = Pair(programs, folder, namespaces[1])
    try:
        pair.start()
        sender(namespaces[0], capture, pps, TRIAL_SECONDS).wait()
        pair.end()
    finally:
        pair.kill()
    ledger = next(iter(services.final_ledgers(pair.archive).values()))
    return not ledger["packets_lost"], ledger["packets_offered"] / TRIAL_SECONDS


def find_half(programs, folder, namespaces, capture):
    best, pps = FIRST_TRIAL // 2, FIRST_TRIAL
    for trial in range(MOST_TRIALS):
        fine, came = lossless(programs, folder / f"trial-{trial}", namespaces, capture, pps)
        print(f"{pps} packets/s wanted, {came:.0f} came, {'no loss' if fine else 'loss'}",
              flush=True)
        if not fine:
            break
        best = int(came)
        if came < 0.8 * pps:
            break  # who sends is at its end
        pps *= 2
    return best // 2


def resident_octets(service):
    pid = service.process.pid
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"{service.name} has no memory")


def soak(pair, namespace, capture, pps, minutes):
    """Samples of memory by service, as (share of the time, octets); codes of ends."""
    samples = collections.defaultdict(list)
    codes = []
    total = minutes * 60
    events = [(COLLECTOR_RESTART, lambda: (codes.append(pair.collector.end()),
                                           pair.collector.start())),
              (PROBE_RESTART, lambda: codes.append(pair.restart_probe())),
              (COLLECTOR_KILL, lambda: (pair.collector.end(signal.SIGKILL),
                                        pair.collector.start()))]
    events += [(RELOADS * i, lambda i=i: pair.reload(1 + i % 2))
               for i in range(1, int(1 / RELOADS))]
    events.sort(key=lambda event: event[0])
    line = sender(namespace, capture, pps)
    begin = time.monotonic()
    try:
        while (share := (time.monotonic() - begin) / total) < 1:
            if events and share >= events[0][0]:
                events.pop(0)[1]()
            if line.poll() is not None:
                raise RuntimeError("tcpreplay ended")
            pair.gather_ledgers()
            if share >= WATCH_FROM:
                for service in (pair.probe, pair.collector):
                    samples[service.name].append((share, resident_octets(service)))
            time.sleep(min(1, total / 300))
    finally:
        line.terminate()
        line.wait()
    codes += pair.end()
    pair.gather_ledgers()
    return samples, codes


def check_memory(results, samples):
    for name, values in samples.items():
        first = statistics.mean(octets for share, octets in values if share < WATCH_MIDDLE)
        second = statistics.mean(octets for share, octets in values if share >= WATCH_MIDDLE)
        growth = second / first - 1
        print(f"{name}: {first / 1e6:.1f} MB, later {second / 1e6:.1f} MB: {growth * 100:+.2f} %")
        results.check(f"{name}: memory grows by less than 1 %", growth < GROWTH,
                      f"{first} to {second}")


def check_records(results, curlew, archive, ledgers):
    received, written = 0, 0
    for _, manifest in services.manifests(archive):
        received += manifest["collector"]["records_received"]
        written += manifest["collector"]["records_written"]
        results.check(f"{manifest['dataset']['name']}: no gap", not manifest["gaps"])
    removed = 0
    for line in (archive / "index.jsonl").read_text().splitlines():
        entry = json.loads(line)
        if "removed" in entry:
            received += entry["received"]
            removed += 1
    created = sum(ledger["records_created"] for ledger in ledgers)
    lost = sum(sum(ledger["records_lost"].values()) for ledger in ledgers)
    packets = {key: sum(ledger[key] for ledger in ledgers)
               for key in ("packets_offered", "packets_metered")}
    packets_lost = sum(sum(ledger["packets_lost"].values()) for ledger in ledgers)
    print(f"{packets['packets_offered']} packets, {packets_lost} lost; {created} records, "
          f"{lost} lost, {received} received, {written} of them in the archive, "
          f"{removed} datasets removed")
    results.check("records came", created > 0)
    results.check("each start of the probe ended cleanly", len(ledgers) == 2, str(len(ledgers)))
    results.check("created = received + lost", created == received + lost,
                  f"{created} and {received} + {lost}")
    for ledger in ledgers:
        unmetered = sum(ledger["packets_not_metered"].values())
        results.check("offered = metered + not metered + lost",
                      ledger["packets_offered"] == ledger["packets_metered"] + unmetered
                      + sum(ledger["packets_lost"].values()))
    verified = subprocess.run([curlew, "verify", archive], capture_output=True, text=True,
                              check=False)
    results.check("verify", verified.returncode == 0, verified.stderr)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("programs", nargs=3)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--pps", type=int)
    arguments = parser.parse_args()
    results = Results()
    reason = services.may_make_namespaces()
    if reason:
        results.skip("soak", reason)
        results.exit()
    with tempfile.TemporaryDirectory() as name, services.Network("soak") as network:
        folder = pathlib.Path(name)
        namespaces = network.namespace("switch"), network.namespace("probe")
        network.pair(namespaces[0], "mirror", namespaces[1], "tap")
        capture = make_capture(arguments.programs[0], folder)
        pps = arguments.pps or find_half(arguments.programs, folder, namespaces, capture)
        print(f"{pps} packets/s for {arguments.minutes:g} minutes", flush=True)
        pair = Pair(arguments.programs, folder / "soak", namespaces[1])
        try:
            pair.start()
            samples, codes = soak(pair, namespaces[0], capture, pps, arguments.minutes)
        finally:
            pair.kill()
        results.check("every end is a good one", codes and not any(codes),
                      f"{codes}: {pair.probe.text()[-2000:]} {pair.collector.text()[-2000:]}")
        check_memory(results, samples)
        check_records(results, arguments.programs[0], pair.archive,
                      list(pair.ledgers.values()))
    results.exit()


if __name__ == "__main__":
    main()
