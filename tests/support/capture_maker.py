"""Captures of many flows, made fast: for load, not for looks."""

import random
import struct
import subprocess

GLOBAL_HEADER = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)
FIRST_SECOND = 1_700_000_000


def one_packet_flows(path, flows, packets_per_second=100_000, payload=48, seed=1,
                     flows_per_sender=256):
    """UDP flows of one packet each, every key once, at an even pace of microsecond stamps."""
    filler = random.Random(seed).randbytes(payload)
    ethernet = bytes.fromhex("020000000002020000000001" "0800")
    octets = 20 + 8 + payload
    udp_octets = 8 + payload
    frame_octets = len(ethernet) + octets
    with open(path, "wb") as file:
        file.write(GLOBAL_HEADER)
        for flow in range(flows):
            micros = flow * 1_000_000 // packets_per_second
            file.write(struct.pack("<IIII", FIRST_SECOND + micros // 1_000_000,
                                   micros % 1_000_000, frame_octets, frame_octets))
            file.write(ethernet)
            file.write(struct.pack(">BBHHHBBHII", 0x45, 0, octets, flow & 0xFFFF, 0, 64, 17, 0,
                                   0x0A000000 + flow // flows_per_sender, 0xC0A80001))
            file.write(struct.pack(">HHHH", 20_000 + flow % flows_per_sender, 9, udp_octets, 0))
            file.write(filler)


def split_by_direction(capture, folder):
    """Two captures of one: frames whose source MAC address is below their destination's, and the
    rest, so that the directions of a flow fall apart. Stamps in microseconds."""
    plain = folder / "plain.pcap"
    subprocess.run(["editcap", "-F", "pcap", capture, plain], check=True, capture_output=True)
    octets = plain.read_bytes()
    parts = {True: bytearray(octets[:24]), False: bytearray(octets[:24])}
    at = 24
    while at < len(octets):
        length = struct.unpack_from("<I", octets, at + 8)[0]
        frame = octets[at + 16:at + 16 + length]
        parts[frame[6:12] < frame[0:6]] += octets[at:at + 16 + length]
        at += 16 + length
    paths = []
    for name, part in (("low", parts[True]), ("high", parts[False])):
        paths.append(folder / f"{name}.pcap")
        paths[-1].write_bytes(part)
    return paths


def without_ethernet(capture, path):
    """The capture, a plain one of IPv4 over Ethernet, as one of IP alone (LINKTYPE_RAW)."""
    octets = capture.read_bytes()
    at = 24
    with open(path, "wb") as file:
        file.write(octets[:20] + struct.pack("<I", 101))
        while at < len(octets):
            seconds, micros, length, wire = struct.unpack_from("<IIII", octets, at)
            file.write(struct.pack("<IIII", seconds, micros, length - 14, wire - 14))
            file.write(octets[at + 30:at + 16 + length])
            at += 16 + length
