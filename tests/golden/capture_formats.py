#!/usr/bin/env python3
"""One capture in many formats gives one dataset; of mixed ones tshark counts the same packets.

usage: capture_formats.py CURLEW

The project's own captures are written anew by editcap, which is not ours, and by this script: in
the other byte order, packed, and as a pcapng file of two sections, byte orders, clocks and three
link types, with long blocks of no use between the packets.
"""

import gzip
import json
import pathlib
import struct
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from results import Results  # noqa: E402

CASES = pathlib.Path(__file__).resolve().parent / "cases"
EDITCAP_FORMATS = ("nsecpcap", "pcapng")
EDITCAP_FORMATS_OF_MICROSECONDS = ("pcap", "modpcap")
ETHERNET, RAW, USB = 1, 101, 189
USELESS = 0x0BAD
# What does not depend on the link layer.
FIELDS = ("sa", "da", "pr", "sp", "dp", "num_pkts_out", "num_pkts_in", "bytes_out", "bytes_in",
          "octets_out", "octets_in", "time_start_ns", "time_end_ns", "packets", "byte_dist",
          "quality", "flow_type", "tls", "dns")


def packets_of(capture):
    """Nanoseconds, octets and wire length of each packet, as editcap has them."""
    with tempfile.NamedTemporaryFile() as file:
        subprocess.run(["editcap", "-F", "nsecpcap", capture, file.name], check=True,
                       capture_output=True)
        content = pathlib.Path(file.name).read_bytes()
    assert content[:4] == b"\x4d\x3c\xb2\xa1"
    assert struct.unpack_from("<I", content, 20)[0] == ETHERNET
    at = 24
    while at < len(content):
        seconds, fraction, captured, wire = struct.unpack_from("<IIII", content, at)
        yield seconds * 10**9 + fraction, content[at + 16:at + 16 + captured], wire
        at += 16 + captured


def in_other_order(packets):
    out = struct.pack(">IHHIIII", 0xA1B23C4D, 2, 4, 0, 0, 262144, ETHERNET)
    for ns, octets, wire in packets:
        out += struct.pack(">IIII", ns // 10**9, ns % 10**9, len(octets), wire) + octets
    return out


def padded(octets):
    return octets + bytes(-len(octets) % 4)


def block(order, kind, body):
    length = struct.pack(order + "I", len(body) + 12)
    return struct.pack(order + "I", kind) + length + body + length


def section(order):
    return block(order, 0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1))


def interface(order, link, resolution, offset_seconds):
    options = struct.pack(order + "HHBxxx", 9, 1, resolution)
    options += struct.pack(order + "HHq", 14, 8, offset_seconds) + bytes(4)
    return block(order, 1, struct.pack(order + "HHI", link, 0, 0) + options)


def packet(order, index, ticks, octets, wire):
    front = struct.pack(order + "IIIII", index, ticks >> 32, ticks & 0xFFFFFFFF, len(octets), wire)
    return block(order, 6, front + padded(octets))


def mixed(packets):
    """Every third frame without its link header, where it is IP at once."""
    half = len(packets) // 2
    out = b""
    for order, ticks, resolution, part in (("<", 1, 9, packets[:half]),
                                           (">", 10, 10, packets[half:])):
        offset = 10**9
        out += section(order) + block(order, USELESS, bytes(300_000))
        out += interface(order, USB, resolution, 0) + interface(order, ETHERNET, resolution, 0)
        out += interface(order, RAW, resolution, offset)
        out += packet(order, 0, part[0][0] * ticks, b"usb!", 4)
        for number, (ns, octets, wire) in enumerate(part):
            if number % 3 == 0 and octets[12:14] in (b"\x08\x00", b"\x86\xdd"):
                out += packet(order, 2, (ns - offset * 10**9) * ticks, octets[14:], wire - 14)
            else:
                out += packet(order, 1, ns * ticks, octets, wire)
            if number % 100 == 0:
                out += block(order, USELESS, bytes(70_000))
    return out


class Runner:
    def __init__(self, curlew, results, folder):
        self.curlew, self.results, self.folder, self.runs = curlew, results, folder, 0

    def run(self, claim, capture, *options):
        """Summary and lines of the dataset."""
        self.runs += 1
        archive = self.folder / f"archive-{self.runs}"
        command = [self.curlew, "run", capture, "--archive", archive, "--json", *options]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if not self.results.check(f"{claim}: run", done.returncode == 0, done.stderr):
            return {}, []
        summary = json.loads(done.stdout)
        return summary, pathlib.Path(summary["files"][0]).read_text("utf-8").splitlines()


def parts_of(lines):
    return [{name: record.get(name) for name in FIELDS} for record in map(json.loads, lines)]


def ip_packets_by_tshark(capture):
    """How many, and the octets of their IP packets; the outermost header of each."""
    command = ["tshark", "-n", "-r", capture, "-T", "fields", "-E", "occurrence=f",
               "-e", "ip.len", "-e", "ipv6.plen"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    octets = []
    for line in done.stdout.splitlines():
        ipv4, ipv6 = line.split("\t")
        if ipv4 or ipv6:
            octets.append(int(ipv4) if ipv4 else int(ipv6) + 40)
    return len(octets), sum(octets)


def check_same(results, runner, case, folder):
    capture = case / "input.pcap"
    packets = list(packets_of(capture))
    _, lines = runner.run(f"{case.name}: as it is", capture)
    results.check(f"{case.name}: has records", len(lines) > 10, str(len(lines)))
    variants = {"swapped": in_other_order(packets), "packed": gzip.compress(capture.read_bytes())}
    formats = EDITCAP_FORMATS
    if all(ns % 1000 == 0 for ns, _, _ in packets):
        formats += EDITCAP_FORMATS_OF_MICROSECONDS
    for name in formats:
        path = folder / f"{case.name}.{name}"
        subprocess.run(["editcap", "-F", name, capture, path], check=True, capture_output=True)
        variants[name] = path.read_bytes()
    for name, content in variants.items():
        path = folder / f"{case.name}-{name}.pcap"
        path.write_bytes(content)
        _, others = runner.run(f"{case.name}: {name}", path)
        results.check(f"{case.name}: {name} gives the same records", others == lines)


def check_mixed(results, runner, case, folder):
    capture = case / "input.pcap"
    path = folder / f"{case.name}-mixed.pcapng"
    path.write_bytes(mixed(list(packets_of(capture))))
    for options in ([], ["--filter", "udp port 53 or tcp"]):
        claim = f"{case.name}: mixed {options}"
        plain, lines = runner.run(f"{claim}: as it was", capture, *options)
        summary, others = runner.run(claim, path, *options)
        if not plain or not summary:
            continue
        results.check(f"{claim}: same records but for the link",
                      parts_of(others) == parts_of(lines))
        results.check(f"{claim}: two packets more", len(lines) > 3 and
                      summary["packets_offered"] == plain["packets_offered"] + 2, str(summary))
        if not options:
            results.check(f"{claim}: USB is counted",
                          summary["packets_not_metered"]["link_type_unsupported"] == 2,
                          str(summary))
            metered = summary["packets_metered"], summary["octets_metered"]
            told = ip_packets_by_tshark(path)
            results.check(f"{claim}: as tshark counts", metered == told, f"{metered}, {told}")


def main():
    curlew = pathlib.Path(sys.argv[1]).resolve()
    results = Results()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        runner = Runner(curlew, results, folder)
        for case in sorted(CASES.iterdir()):
            check_same(results, runner, case, folder)
            check_mixed(results, runner, case, folder)
    results.exit()


if __name__ == "__main__":
    main()
