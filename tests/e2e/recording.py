#!/usr/bin/env python3
"""A probe's recording is what it metered: counted and read by other programs, octet by octet the
source's, and `curlew run` makes the dataset of it that the services wrote.

usage: recording.py CURLEW PROBE COLLECTOR

With one and two workers, over files that take turns, and with a probe killed in the middle.
"""

import collections
import pathlib
import signal
import struct
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import services  # noqa: E402
from capture_maker import one_packet_flows, split_by_direction  # noqa: E402
from records import by_run, first_difference, in_order  # noqa: E402
from records_equal_run import by_services  # noqa: E402
from results import Results  # noqa: E402

SMALL_FILES = "rotate = { minutes = 0, octets = 20000 }"
SNAP_OCTETS = 70
KILLED_FLOWS = 100_000


def record_lines(folder, *lines):
    return "\n".join((f"folder = {services.toml_text(folder)}", "keep = { min_free = 1 }", *lines))


def pcap_packets(capture):
    """(time in ns, octets, length on the wire) of each packet of a plain capture."""
    octets, at, packets = capture.read_bytes(), 24, []
    while at < len(octets):
        seconds, micros, length, wire = struct.unpack_from("<IIII", octets, at)
        packets.append(((seconds * 1_000_000 + micros) * 1000,
                        octets[at + 16:at + 16 + length], wire))
        at += 16 + length
    return packets


def recorded_packets(files):
    """The same of each Enhanced Packet Block of files of a recording."""
    packets = []
    for file in files:
        octets, at = file.read_bytes(), 0
        while at < len(octets):
            kind, length = struct.unpack_from("<II", octets, at)
            if kind == 6:
                _, high, low, captured, wire = struct.unpack_from("<IIIII", octets, at + 8)
                packets.append((high << 32 | low, octets[at + 28:at + 28 + captured], wire))
            at += length
    return packets


def told_by(*command):
    return subprocess.run(list(map(str, command)), capture_output=True, text=True,
                          check=False).stdout


def whole_blocks(file):
    """Octets up to where a block is not whole, as a kill in the middle of a write leaves it, and
    how many packets are in them."""
    octets, at, packets = file.read_bytes(), 0, 0
    while at + 8 <= len(octets):
        kind, length = struct.unpack_from("<II", octets, at)
        if at + length > len(octets):
            break
        packets += kind == 6
        at += length
    return at, packets


def packets_by_capinfos(files):
    total = 0
    for file in files:
        total += int(told_by("capinfos", "-cTMr", file).split("\t")[1])
    return total


def packets_by_tshark(file):
    return told_by("tshark", "-n", "-r", file, "-T", "fields", "-e", "frame.number").count("\n")


def joined(files, path):
    """One capture of several files of a recording, as RECORDING.md says."""
    path.write_bytes(b"".join(file.read_bytes() for file in files))
    return path


def complete_files(results, claim, folder):
    files = sorted(folder.glob("*.pcapng"))
    results.check(f"{claim}: every file is complete", files and not list(folder.glob("*.open")),
                  [file.name for file in folder.iterdir()])
    return files


def check_same(results, claim, programs, source, devices, folder, workers):
    """Everything that is metered, in several files."""
    place = folder / "recording"
    archive, ledger = by_services(
        programs, devices, folder / "services", workers=workers,
        record=record_lines(place, SMALL_FILES))
    live = in_order(services.records(archive))
    files = complete_files(results, claim, place)
    results.check(f"{claim}: files take turns", len(files) > 2)
    metered = ledger["packets_metered"]
    results.check(f"{claim}: capinfos counts what was metered",
                  packets_by_capinfos(files) == metered > 0,
                  f"{packets_by_capinfos(files)} and {metered}")
    whole = joined(files, folder / "whole.pcapng")
    results.check(f"{claim}: tshark reads as many", packets_by_tshark(whole) == metered)
    recording = ledger["recording"]
    results.check(f"{claim}: the ledger says so",
                  (recording["packets_recorded"], recording["packets_not_chosen"],
                   recording["packets_lost"]) == (metered, 0, {}), recording)
    results.check(f"{claim}: the manifest names the files",
                  [file["name"] for file in recording["files"]] == [file.name for file in files])
    found = recorded_packets(files)
    missing = collections.Counter(pcap_packets(source))
    missing.subtract(found)
    results.check(f"{claim}: times and octets are the source's", min(missing.values()) == 0)
    results.check(f"{claim}: what is not in it was not metered",
                  sum(missing.values()) == sum(ledger["packets_not_metered"].values()))
    if workers == 1:
        times = [packet[0] for packet in found]
        results.check(f"{claim}: in order of time", times == sorted(times))
    again = by_run(programs[0], whole, folder / "run", "any")
    difference = first_difference(live, again)
    results.check(f"{claim}: a run over it gives the live dataset", live and not difference,
                  difference)
    return files, services.manifests(archive)


def check_names(results, files, manifests):
    """File and manifest name each other."""
    told = told_by("capinfos", files[1])
    epoch = manifests[0][1]["sequences"][0]["epoch"]
    results.check("a file names its probe, epoch and number",
                  f"recording of probe test-probe, epoch {epoch}, file 2" in told, told)
    told = told_by("tshark", "-n", "-r", files[0], "-c", "1", "-V")
    for words in ("Interface name: net_pcap0", "Interface queue: 0"):
        results.check(f"a packet says {words}", words in told, told[:600])


def check_choice(results, programs, source, folder):
    """What is not chosen is counted. The driver does not tell how long a cut packet was."""
    cut = folder / "cut.pcap"
    told_by("editcap", "-F", "pcap", "-s", SNAP_OCTETS, source, cut)
    place = folder / "recording"
    _, ledger = by_services(
        programs, [f"net_pcap0,rx_pcap={cut}"], folder / "services",
        record=record_lines(place, 'filter = "udp"', 'protocols = ["dns"]',
                            "octets_per_flow = 1000"))
    found = recorded_packets(complete_files(results, "choice", place))
    recording = ledger["recording"]
    results.check("choice: recorded and not chosen are all that was metered",
                  0 < recording["packets_recorded"] == len(found) and
                  recording["packets_recorded"] + recording["packets_not_chosen"] ==
                  ledger["packets_metered"], recording)
    known = {packet[:2] for packet in pcap_packets(cut)}
    results.check("choice: times and octets are the source's",
                  {packet[:2] for packet in found} <= known)
    results.check("choice: only what the filter wants",
                  all(octets[12:14] == b"\x86\xdd" or octets[23] == 17 for _, octets, _ in found))


def check_killed(results, programs, folder):
    """Without a collector the probe waits in the middle of its capture, and is killed there."""
    capture, place = folder / "many.pcap", folder / "recording"
    one_packet_flows(capture, KILLED_FLOWS)
    (folder / "first").mkdir()
    config = services.probe_config(
        folder / "first", f"ipc://{folder}/nobody", [f"net_pcap0,rx_pcap={capture}"],
        queue=1 << 20, record=record_lines(place))
    probe = services.Service("killed", [programs[1], "--config", config], folder).start()

    def size():
        return sum(file.stat().st_size for file in place.glob("*.open"))

    try:
        services.wait_until("packets in the file", lambda: size() > 100_000)
        probe.end(signal.SIGKILL)
    finally:
        probe.kill()
    left = next(place.glob("*.open"))
    end, packets = whole_blocks(left)
    told = packets_by_tshark(left)
    results.check("killed: what it left can be read", 1 < packets == told,
                  f"{told} of {packets}")
    # Worse than a kill: the disk has only a part.
    with left.open("r+b") as file:
        file.truncate(end - 70)
    _, ledger = by_services(programs, [f"net_pcap0,rx_pcap={capture}"], folder / "services",
                            fields="slim", record=record_lines(place))
    files = complete_files(results, "killed", place)
    results.check("killed: the next start completes it under its name",
                  left.with_suffix("") in files and len(files) == 2)
    kept = packets_by_capinfos([left.with_suffix("")])
    results.check("killed: up to its last whole packet", kept == packets - 1,
                  f"{kept} of {packets}")
    results.check("killed: and records on", ledger["recording"]["packets_recorded"] ==
                  KILLED_FLOWS == packets_by_capinfos(set(files) - {left.with_suffix("")}))


def main():
    programs = sys.argv[1:4]
    results = Results()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        source = folder / "source.pcap"
        subprocess.run([programs[0], "traffic", "gateway-boot", "-o", folder / "made.pcap"],
                       check=True, capture_output=True)
        # In microseconds, as the probe's driver reads it.
        told_by("editcap", "-F", "pcap", folder / "made.pcap", source)
        for part in ("one", "two", "choice", "killed"):
            (folder / part).mkdir()
        files, manifests = check_same(results, "one worker", programs, source,
                                      [f"net_pcap0,rx_pcap={source}"], folder / "one", 1)
        check_names(results, files, manifests)
        halves = split_by_direction(source, folder)
        check_same(results, "two ports, two workers", programs, source,
                   [f"net_pcap{i},rx_pcap={half}" for i, half in enumerate(halves)],
                   folder / "two", 2)
        check_choice(results, programs, source, folder / "choice")
        check_killed(results, programs, folder / "killed")
    results.exit()


if __name__ == "__main__":
    main()
