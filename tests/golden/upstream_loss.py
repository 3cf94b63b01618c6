#!/usr/bin/env python3
"""Captures of TCP out of which segments were taken, as a mirror that cannot keep up does: what the
manifest estimates is what was taken, and nothing where nothing was; the records that miss some say
so.

usage: upstream_loss.py CURLEW
"""

import json
import pathlib
import random
import struct
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from results import Results  # noqa: E402

CONNECTIONS = 50
SEGMENTS = 1_000      # of each, each answered by every second acknowledgement
SHARES = (0, 0.001, 0.01, 0.1)
TOLERANCE = 0.2
ETHERNET = bytes.fromhex("020000000002020000000001" "0800")
SYN, PUSH, ACK = 0x02, 0x08, 0x10


def frame(from_client, port, sequence, acknowledgement, flags, payload=b""):
    client, server = 0x0A000001, 0x0A000002
    octets = 20 + 20 + len(payload)
    addresses = (client, server) if from_client else (server, client)
    ports = (port, 80) if from_client else (80, port)
    return (ETHERNET
            + struct.pack(">BBHHHBBHII", 0x45, 0, octets, 0, 0, 64, 6, 0, *addresses)
            + struct.pack(">HHIIBBHHH", *ports, sequence & 0xFFFFFFFF,
                          acknowledgement & 0xFFFFFFFF, 0x50, flags, 65535, 0, 0)
            + payload)


def connection(chance, port, share):
    """(frame, octets of payload) of each packet, and the payload that was taken out."""
    own, theirs = chance.randrange(1 << 32), chance.randrange(1 << 32)
    packets = [frame(True, port, own, 0, SYN), frame(False, port, theirs, own + 1, SYN | ACK),
               frame(True, port, own + 1, theirs + 1, ACK)]
    taken, at = 0, theirs + 1
    for segment in range(SEGMENTS):
        payload = bytes(chance.randrange(100, 1400))
        if chance.random() < share:
            taken += len(payload)
        else:
            packets.append(frame(False, port, at, own + 1, ACK | PUSH, payload))
        at += len(payload)
        if segment % 2:
            packets.append(frame(True, port, own + 1, at, ACK))
    return packets, taken, at - theirs - 1


def make_capture(path, share):
    """The share of payload octets that is not in it, and the clients' ports of whom some is not."""
    chance = random.Random(f"share {share}")
    taken, sent, micros, incomplete = 0, 0, 0, set()
    with open(path, "wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
        for number in range(CONNECTIONS):
            packets, out, all_of_it = connection(chance, 20_000 + number, share)
            taken, sent = taken + out, sent + all_of_it
            if out:
                incomplete.add(20_000 + number)
            for octets in packets:
                micros += 100
                file.write(struct.pack("<IIII", 1_700_000_000 + micros // 1_000_000,
                                       micros % 1_000_000, len(octets), len(octets)))
                file.write(octets)
    return taken / sent, incomplete


def ports_with_a_gap(dataset):
    records = [json.loads(line) for line in dataset.read_text().splitlines()]
    return {record["sp"] for record in records if "gap" in record.get("quality", [])}


def main():
    curlew = sys.argv[1]
    results = Results()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for share in SHARES:
            capture = folder / f"lost-{share}.pcap"
            truth, incomplete = make_capture(capture, share)
            subprocess.run([curlew, "run", capture, "--archive", folder / "archive"], check=True,
                           capture_output=True)
            manifest = next(folder.glob(f"archive/*/*/lost-{share}.manifest.json"))
            told = json.loads(manifest.read_text())["probe"]["upstream"]
            seen, unseen = told["tcp_octets_seen"], told["tcp_octets_unseen"]
            estimate = unseen / (seen + unseen)
            print(f"taken {truth * 100:.3f} %, estimated {estimate * 100:.3f} %")
            results.check(f"{share} taken", abs(estimate - truth) <= TOLERANCE * truth,
                          f"{truth} and {estimate}")
            found = ports_with_a_gap(manifest.with_name(f"lost-{share}.json"))
            results.check(f"{share} taken: the records with a gap", found == incomplete,
                          f"{sorted(found ^ incomplete)}")
    results.exit()


if __name__ == "__main__":
    main()
