#!/usr/bin/env python3
"""Inputs that fuzz targets begin with: payloads and packets of the project's own captures, and the
beginnings of files.

usage: seeds.py FOLDER

Each is written as it is and behind a prologue of three zeros, which some targets read.
"""

import gzip
import hashlib
import pathlib
import struct
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
CASES = ROOT / "tests" / "golden" / "cases"
LONGEST = 1500
LONGEST_FILE = 4000
ETHERNET, IPV4 = 14, b"\x08\x00"
TCP, UDP = 6, 17


def frames(octets):
    """Of a classic capture file, either byte order."""
    order = "<" if octets[:4] in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1") else ">"
    at = 24
    while at + 16 <= len(octets):
        length = struct.unpack_from(order + "I", octets, at + 8)[0]
        yield octets[at + 16:at + 16 + length]
        at += 16 + length


def payload(frame):
    """Of TCP or UDP over IPv4; empty for the rest."""
    if frame[12:14] != IPV4 or len(frame) < ETHERNET + 40:
        return b""
    segment = ETHERNET + (frame[ETHERNET] & 15) * 4
    end = ETHERNET + struct.unpack_from(">H", frame, ETHERNET + 2)[0]
    protocol = frame[ETHERNET + 9]
    if protocol == UDP:
        return frame[segment + 8:end]
    if protocol == TCP:
        return frame[segment + (frame[segment + 12] >> 4) * 4:end]
    return b""


def texts():
    """Kind, as configuration_fuzz and archive_fuzz have it, and a file's beginning."""
    for kind, path in (
        (0, "deploy/probe.toml"),
        (1, "deploy/collector.toml"),
        (2, "signatures/groups/ikea-homekit.toml"),
        (3, "signatures/ntp.toml"),
        (4, "signatures/vocabulary.toml"),
    ):
        lines = (ROOT / path).read_text(encoding="utf-8").splitlines(keepends=True)
        yield kind, "".join(line for line in lines if line.strip() and line[0] != "#")
    for record in sorted(CASES.glob("*/expected.json"))[:4]:
        yield 5, record.read_text(encoding="utf-8").splitlines(keepends=True)[0]


def keep(folder, octets):
    (folder / hashlib.sha256(octets).hexdigest()[:16]).write_bytes(octets)


# What no case has, as quic_fuzz reads it: a datagram of Q043, frames of a packet, entries.
QUIC = (
    "00 09 0102030405060708 51303433 01 000000000000000000000000 a0 01 0010"
    "43484c4f 0100 0000 534e4900 04000000 612e6465 0000000000",
    "01 03050001000001010101 060000 06 00 400e 0100000a 0303 0102030405060708",
    "02 00 00000001 02 aabb 01 00000000 0018 43484c4f 0100 0000 534e4900 04000000 612e6465",
)


def main():
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    kinds = set()
    for capture in sorted(CASES.glob("*/input.pcap")):
        for frame in frames(capture.read_bytes()):
            for seed in (payload(frame)[:LONGEST], frame[:LONGEST]):
                kind = seed[12:14] + seed[:4], len(seed) // 32
                if not seed or kind in kinds:
                    continue  # one of a kind is enough
                kinds.add(kind)
                for octets in (seed, bytes(3) + seed):
                    keep(folder, octets)
    for capture in sorted(CASES.glob("*/input.pcap"))[:4]:
        octets = capture.read_bytes()[:LONGEST]
        for file in (octets, gzip.compress(octets, mtime=0)):
            keep(folder, bytes(1) + file)
    for kind, text in texts():
        keep(folder, bytes([kind]) + text.encode()[:LONGEST_FILE])
    for text in QUIC:
        keep(folder, bytes.fromhex(text))


if __name__ == "__main__":
    main()
