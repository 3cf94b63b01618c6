#!/usr/bin/env python3
"""What the collector says in the format of Prometheus is what its manifests say, to the last
number; and who asks in bad faith delays nobody.

usage: metrics.py CURLEW PROBE COLLECTOR

The text is read by Prometheus' own reader for Python. A real probe meters a capture that never
ends.
"""

import concurrent.futures
import http.client
import os
import pathlib
import re
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import services  # noqa: E402
from capture_maker import one_packet_flows  # noqa: E402
from results import Results  # noqa: E402

try:
    from prometheus_client.parser import text_string_to_metric_families
except ImportError:
    text_string_to_metric_families = None

PROBE = "test-probe"
FLOWS = 2_000
# Flows end soon after their packet, and the capture is played over and over: records never stop.
METER = "[meter.timeouts]\nidle_tcp = 1\nidle_other = 1\nactive = 2"
# Half of the packets, and not much of the disk.
RECORD = ('filter = "udp[1] & 1 = 1"\nrotate = { minutes = 1, octets = 16777216 }\n'
          'keep = { octets = 67108864 }')
# Less than comes while the collector stands still.
QUEUE_OCTETS = 1 << 20
STANDSTILL_SECONDS = 3
PATIENCE_SECONDS = 5
ANSWERED_SECONDS = 1.0
SERVED_SECONDS = 2.0
GROWTH_OCTETS = 16 << 20
SILENT_CONNECTIONS = 200
HEADER_OCTETS = 10 << 20
DOCUMENT = pathlib.Path(__file__).resolve().parents[2] / "collector" / "METRICS.md"

# Of a manifest's `probe`: the member, the metric, and what one unit of it is.
NUMBERS = {
    "packets_offered": ("curlew_probe_packets_offered_total", 1),
    "packets_metered": ("curlew_probe_packets_metered_total", 1),
    "octets_metered": ("curlew_probe_metered_bytes_total", 1),
    "packets_lost_unknown": ("curlew_probe_packets_lost_unknown", 1),
    "first_packet_ns": ("curlew_probe_first_packet_timestamp_seconds", 1e-9),
    "last_packet_ns": ("curlew_probe_last_packet_timestamp_seconds", 1e-9),
    "flows_created": ("curlew_probe_flows_created_total", 1),
    "records_created": ("curlew_probe_records_created_total", 1),
    "records_sent": ("curlew_probe_records_sent_total", 1),
    "records_waiting": ("curlew_probe_records_waiting", 1),
    "final": ("curlew_probe_final_ledger", 1),
}
COUNTS = {
    "packets_not_metered": ("curlew_probe_packets_not_metered_total", "reason"),
    "packets_lost": ("curlew_probe_packets_lost_total", "reason"),
    "records_lost": ("curlew_probe_records_lost_total", "reason"),
    "flow_ends": ("curlew_probe_flow_ends_total", "reason"),
    "notes": ("curlew_probe_packets_noted_total", "note"),
}
# Held against each other in words below.
OTHERS = {"upstream", "clock_steps", "recording"}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def get(port, path, host="127.0.0.1", method="GET", headers=None):
    connection = http.client.HTTPConnection(host, port, timeout=10)
    try:
        connection.request(method, path, headers=headers or {})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


class Scrape:
    """One answer, read by a reader that is not ours."""

    def __init__(self, text):
        self.families = list(text_string_to_metric_families(text))
        self.samples = [sample for family in self.families for sample in family.samples]

    def value(self, name, **labels):
        found = [sample.value for sample in self.samples
                 if (sample.name, sample.labels) == (name, labels)]
        return found[0] if len(found) == 1 else None

    def by(self, name, *labels):
        """Values of all series of the probe, by its other labels."""
        return {tuple(sample.labels[label] for label in labels): sample.value
                for sample in self.samples if sample.name == name}

    def of_probe(self, name):
        return self.value(name, probe=PROBE)


def scrape(port):
    status, text = get(port, "/metrics")
    if status != 200:
        raise RuntimeError(f"/metrics: {status}")
    return Scrape(text)


def mixed_capture(path):
    """Flows of one packet; ARP, and IP that ends too early, which are not metered; and UDP that is
    longer than its packet, which is, with a note."""
    one_packet_flows(path, FLOWS, packets_per_second=2_000)
    ethernet = bytes.fromhex("020000000002020000000001")
    with path.open("ab") as file:
        for frame in (ethernet + bytes.fromhex("0806") + bytes(46),
                      ethernet + bytes.fromhex("0800" "45") + bytes(9),
                      ethernet + bytes.fromhex("0800" "4500001c00000000" "40110000" "0a000001"
                                               "c0a80001" "4e200009" "ffff0000")):
            file.write(struct.pack("<IIII", 1_700_000_001, 0, len(frame), len(frame)) + frame)


class Watch(threading.Thread):
    """Ten times a second: how long the journal stood still, and how large the collector was."""

    def __init__(self, process, folder):
        super().__init__(daemon=True)
        self.process = process
        self.folder = folder
        self.done = threading.Event()
        self.longest_pause = 0.0
        self.first = self.largest = self.rss()

    def rss(self):
        with open(f"/proc/{self.process.pid}/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def octets(self):
        return sorted((entry.name, entry.stat().st_size) for entry in os.scandir(self.folder)
                      if entry.name.endswith(".open"))

    def run(self):
        before, moved = [], time.monotonic()
        while not self.done.wait(0.1):
            now = self.octets()
            if now != before:
                before, moved = now, time.monotonic()
            self.longest_pause = max(self.longest_pause, time.monotonic() - moved)
            self.largest = max(self.largest, self.rss())


def no_address(results, programs, folder):
    """Exit code 2."""
    config = services.collector_config(folder, f"ipc://{folder}/c", folder / "archive",
                                       metrics="localhost:9464")
    done = subprocess.run([programs[2], "--config", config], capture_output=True, text=True,
                          check=False, timeout=60)
    results.check("no address: exit code 2 and one sentence",
                  done.returncode == 2 and "'metrics' wants ADDRESS:PORT" in done.stderr,
                  f"{done.returncode}: {done.stderr}")


def ipv6_is_served(results, programs, folder):
    port = free_port()
    config = services.collector_config(folder, f"ipc://{folder}/c", folder / "archive",
                                       metrics=f"[::1]:{port}")
    collector = services.Service("six", [programs[2], "--config", config], folder).start()
    try:
        collector.wait_for_text("ready")
        services.wait_until("health over IPv6", lambda: get(port, "/healthz", "::1")[0] == 200)
        results.check("IPv6: the collector ends well", collector.end() == 0, collector.text())
    finally:
        collector.kill()


def wrong_start(results, programs, folder):
    """An address that is taken is waited for; and what else may be said of one, meanwhile."""
    for name in ("taken", "none", "six"):
        (folder / name).mkdir(parents=True)
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        place = folder / "taken"
        config = services.collector_config(place, f"ipc://{place}/c", place / "archive",
                                           metrics=f"127.0.0.1:{port}")
        collector = services.Service("five", [programs[2], "--config", config], place).start()
        collector.wait_for_text("ready")
        collector.wait_for_text("cannot serve metrics at")
    try:
        no_address(results, programs, folder / "none")
        ipv6_is_served(results, programs, folder / "six")
        collector.wait_for_text("serves metrics at")
        services.wait_until("health at the address that was taken",
                            lambda: get(port, "/healthz")[0] == 200)
        results.check("a taken address: told once", collector.end() == 0 and
                      collector.text().count("cannot serve metrics at 127.0.0.1:") == 1,
                      collector.text())
    finally:
        collector.kill()


def well_formed(results, text):
    """What the format asks for, and what METRICS.md promises."""
    found = Scrape(text)
    keys = [(sample.name, tuple(sorted(sample.labels.items()))) for sample in found.samples]
    results.check("no series twice", len(keys) == len(set(keys)), str(len(keys)))
    results.check("every family has help and type",
                  all(family.documentation and family.type in ("counter", "gauge")
                      for family in found.families), text)
    names = {sample.name for sample in found.samples}
    documented = set(re.findall(r"^\| `(curlew_\w+)` \| (?:counter|gauge) ",
                                DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE))
    results.check("METRICS.md lists every name", names <= documented, str(names - documented))
    # What never was has no series.
    missing = documented - names
    results.check("every name of METRICS.md is there",
                  missing <= {"curlew_probe_packets_lost_total",
                              "curlew_probe_recording_packets_lost_total",
                              "curlew_collector_records_refused_total"}, str(missing))
    results.check("counters are called so",
                  all((family.type == "counter") == sample.name.endswith("_total")
                      for family in found.families for sample in family.samples))


def holds(results, claim, found, expected):
    results.check(claim, found is not None and abs(found - expected) < 1e-5 * max(1, 1e-9 * abs(
        expected)), f"{found} and {expected}")


def equals_ledger(results, found, manifest):
    """Every number of the manifest's ledger."""
    ledger = manifest["probe"]
    results.check("all of the ledger is held against",
                  set(ledger) == set(NUMBERS) | set(COUNTS) | OTHERS, str(sorted(ledger)))
    for member, (name, unit) in NUMBERS.items():
        holds(results, name, found.of_probe(name), ledger[member] * unit)
    for member, (name, label) in COUNTS.items():
        series = {reason: value for (reason,), value in found.by(name, label).items()}
        results.check(name, series == ledger[member], f"{series} and {ledger[member]}")
    for member in ("seen", "unseen"):
        holds(results, f"tcp octets {member}",
              found.of_probe(f"curlew_probe_tcp_{member}_bytes_total"),
              ledger["upstream"][f"tcp_octets_{member}"])
    recording = ledger["recording"]
    for member, name in (("packets_recorded", "packets"), ("octets_recorded", "bytes"),
                         ("packets_not_chosen", "packets_not_chosen")):
        holds(results, f"recording: {member}",
              found.of_probe(f"curlew_probe_recording_{name}_total"), recording[member])
    series = {reason: value for (reason,), value in found.by(
        "curlew_probe_recording_packets_lost_total", "reason").items()}
    results.check("recording: packets_lost", series == recording["packets_lost"], str(series))
    steps = ledger["clock_steps"]
    holds(results, "clock steps", found.of_probe("curlew_probe_clock_steps_total"), len(steps))
    holds(results, "clock stepped", found.of_probe("curlew_probe_clock_stepped_seconds"),
          sum(step["by_ns"] for step in steps) / 1e9)
    losses = {}
    for loss in manifest["losses"]:
        key = (str(loss["queue"]), loss["reason"])
        losses[key] = losses.get(key, 0) + loss["lost"]
    series = found.by("curlew_probe_queue_lost_total", "queue", "reason")
    results.check("losses by queue", series == losses, f"{series} and {losses}")
    holds(results, "start of the epoch", found.of_probe("curlew_probe_epoch_start_seconds"),
          manifest["source"]["started_ns"] / 1e9)
    holds(results, "missing sequences", found.of_probe("curlew_probe_sequences_missing_total"),
          sum(gap["last"] - gap["first"] + 1 for gap in manifest["gaps"]))
    holds(results, "the last sequence", found.of_probe("curlew_probe_durable_sequence"),
          manifest["sequences"][0]["last"])
    results.check("there was something to hold",
                  ledger["packets_not_metered"] and ledger["notes"] and losses
                  and ledger["records_lost"] and ledger["records_created"] > 0
                  and recording["packets_recorded"] and recording["packets_not_chosen"],
                  str(ledger))


def equals_archive(results, found, manifests):
    """The collector's own numbers, by what it left."""
    for name, expected in (
            ("datasets_sealed_total", len(manifests)),
            ("records_sealed_total", sum(one["file"]["records"] for one in manifests)),
            ("records_received_total",
             sum(one["collector"]["records_received"] for one in manifests)),
            ("datasets_removed_total", 0), ("removed_bytes_total", 0), ("journal_bytes", 0),
            ("probes", 0), ("frames_unstored_total", 0)):
        holds(results, name, found.value(f"curlew_collector_{name}"), expected)
    refused = found.by("curlew_collector_refused_total", "reason")
    # A probe that connects anew after the standstill has frames on their old way.
    results.check("nobody was refused", len(refused) == 11 and {
        reason for (reason,), count in refused.items() if count} <= {"frames_foreign"},
                  str(refused))


def answers(results, port):
    for method, path, status in (("GET", "/", 404), ("GET", "/metrics/x", 404),
                                 ("POST", "/metrics", 405), ("HEAD", "/metrics", 405),
                                 ("PUT", "/healthz", 405), ("GET", "/healthz", 200)):
        found = get(port, path, method=method)[0]
        results.check(f"{method} {path}: {status}", found == status, str(found))
    ranges = ",".join(["0-"] * 1000)
    status, text = get(port, "/metrics", headers={"Range": f"bytes={ranges}"})
    results.check("ranges multiply nothing", status == 200 and len(text) < 1 << 17,
                  f"{status}, {len(text)} octets")


def connect(port, octets=b"", receive_octets=None):
    connection = socket.socket()
    connection.settimeout(10)
    if receive_octets is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_octets)
    connection.connect(("127.0.0.1", port))
    connection.sendall(octets)
    return connection


def still_answers(results, claim, port):
    began = time.monotonic()
    found = scrape(port)
    seconds = time.monotonic() - began
    print(f"{claim}: /metrics answered after {seconds:.3f} s", flush=True)
    results.check(f"{claim}: /metrics answers within {ANSWERED_SECONDS} s",
                  found.of_probe("curlew_probe_packets_offered_total") > 0
                  and seconds < ANSWERED_SECONDS, f"{seconds:.3f} s")


def cut_after(connection, octets_a_second=b""):
    """Seconds until the other side closes; one octet goes out each second, if any is given."""
    began = time.monotonic()
    connection.settimeout(1)
    while time.monotonic() - began < 4 * PATIENCE_SECONDS:
        try:
            if connection.recv(1) == b"":
                break
        except TimeoutError:
            pass
        except OSError:
            break
        try:
            connection.sendall(octets_a_second)
        except OSError:
            break
    return time.monotonic() - began


def hostile(results, port):
    connection = connect(port, bytes(range(256)) + b"\r\n\r\n")
    results.check("garbage: 400", connection.recv(64).startswith(b"HTTP/1.1 400 "))
    connection.close()
    still_answers(results, "garbage", port)
    connection = connect(port)
    sent = 0
    try:
        connection.sendall(b"GET /metrics HTTP/1.1\r\n")
        while sent < HEADER_OCTETS:
            connection.sendall(b"x: " + b"y" * 1021)
            sent += 1024
    except OSError:
        pass
    print(f"a header of {HEADER_OCTETS} octets: {sent} went in", flush=True)
    results.check("an endless header is cut", sent < HEADER_OCTETS, str(sent))
    connection.close()
    still_answers(results, "an endless header", port)
    silent = [connect(port) for _ in range(SILENT_CONNECTIONS)]
    still_answers(results, "silent connections", port)
    # Whoever came meanwhile might take the place of one of them: nobody comes.
    with concurrent.futures.ThreadPoolExecutor() as waiting:
        cuts = {"a silent connection": waiting.submit(cut_after, silent[-1]),
                "one octet a second": waiting.submit(
                    cut_after, connect(port, b"GET /metrics HTTP/1.1\r\nx: "), b"y")}
    for claim, cut in cuts.items():
        results.check(f"{claim} is cut", cut.result() < PATIENCE_SECONDS + 2,
                      f"{cut.result():.1f} s")
    for connection in silent:
        connection.close()
    slow_readers(results, port)


def slow_readers(results, port):
    slow = [connect(port, b"GET /metrics HTTP/1.1\r\n\r\n", 1) for _ in range(50)]
    for _ in range(3):
        for connection in slow:
            try:
                connection.recv(1)
            except OSError:
                pass
        time.sleep(1)
        still_answers(results, "slow readers", port)
    for connection in slow:
        connection.close()


def final_manifests(archive):
    return [manifest for _, manifest in services.manifests(archive)
            if (manifest["probe"] or {}).get("final")]


def pair_of(programs, folder, archive, port):
    endpoint = f"ipc://{folder}/channel"
    capture = folder / "flows.pcap"
    mixed_capture(capture)
    collector = services.Service(
        "collector",
        [programs[2], "--config",
         services.collector_config(folder, endpoint, archive, metrics=f"127.0.0.1:{port}")],
        folder)
    probe = services.Service(
        "probe",
        [programs[1], "--config",
         services.probe_config(folder, endpoint, [f"net_pcap0,rx_pcap={capture},infinite_rx=1"],
                               queue=QUEUE_OCTETS, meter=METER,
                               record=f"folder = \"{folder}/recording\"\n{RECORD}")],
        folder)
    return collector, probe


def lives(results, programs, folder):
    archive = folder / "archive"
    port = free_port()
    collector, probe = pair_of(programs, folder, archive, port)
    collector.start()
    watch = None
    try:
        collector.wait_for_text(f"serves metrics at http://127.0.0.1:{port}/metrics")
        collector.wait_for_text("ready")
        services.wait_until("health", lambda: get(port, "/healthz")[0] == 200)
        results.check("no probe yet: none is told",
                      scrape(port).of_probe("curlew_probe_epoch_start_seconds") is None)
        probe.start()
        probe.wait_for_text("takes records")
        services.wait_until("a ledger with records", lambda: (
            scrape(port).of_probe("curlew_probe_records_sent_total") or 0) > FLOWS)
        first = scrape(port)
        results.check("acknowledged a moment ago",
                      first.of_probe("curlew_probe_last_acknowledgement_age_seconds") < 2
                      and first.of_probe("curlew_probe_last_frame_age_seconds") < 2)
        results.check("a probe is there", first.value("curlew_collector_probes") == 1)
        answers(results, port)
        watch = Watch(collector.process, archive / "open")
        watch.start()
        hostile(results, port)
        watch.done.set()
        watch.join()
        growth = watch.largest - watch.first
        print(f"the journal stood still for {watch.longest_pause:.2f} s at most, the collector "
              f"grew by {growth >> 10} KiB from {watch.first >> 10} KiB", flush=True)
        results.check(f"the probe is served within {SERVED_SECONDS} s all the time",
                      watch.longest_pause < SERVED_SECONDS, f"{watch.longest_pause:.2f} s")
        results.check("memory stays flat", growth < GROWTH_OCTETS, f"{growth} octets")
        later = scrape(port)
        grew = [later.of_probe(name) > first.of_probe(name) for name in (
            "curlew_probe_packets_offered_total", "curlew_probe_durable_sequence")]
        results.check("numbers go on", all(grew), str(grew))
        own = later.value("curlew_collector_resident_memory_bytes")
        results.check("resident memory, by the kernel", abs(own - watch.rss()) < GROWTH_OCTETS,
                      f"{own} and {watch.rss()}")
        collector.process.send_signal(signal.SIGSTOP)
        time.sleep(STANDSTILL_SECONDS)
        collector.process.send_signal(signal.SIGCONT)
        results.check("the probe ends well", probe.end() == 0, probe.text()[-2000:])
        services.wait_until("the final ledger", lambda: final_manifests(archive))
        # Told once a second.
        services.wait_until("the seal to be told", lambda: scrape(port).value(
            "curlew_collector_datasets_sealed_total") == len(services.manifests(archive)))
        text = get(port, "/metrics")[1]
        results.check("the collector ends well", collector.end() == 0, collector.text()[-2000:])
    finally:
        if watch is not None:
            watch.done.set()
        probe.kill()
        collector.kill()
    well_formed(results, text)
    equals_ledger(results, Scrape(text), final_manifests(archive)[-1])
    equals_archive(results, Scrape(text), [one for _, one in services.manifests(archive)])


def main():
    programs = sys.argv[1:4]
    results = Results()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        wrong_start(results, programs, folder / "start")
        if text_string_to_metric_families is None:
            results.skip("metrics", "python3-prometheus-client is not there")
            results.exit()
        lives(results, programs, folder)
    results.exit()


if __name__ == "__main__":
    main()
