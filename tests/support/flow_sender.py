#!/usr/bin/env python3
"""Sends flows of one UDP packet over an interface, each with its number in its key, and writes down
when: a log that knows nothing of who listens.

usage: flow_sender.py INTERFACE FLOWS PER_SECOND LOG

The log has 16 octets a flow, in order of the numbers: before and after it was sent, nanoseconds
since 1970, both little-endian. SIGTERM ends it behind a flow that is written down.
"""

import pathlib
import signal
import socket
import struct
import sys
import time

ETHERNET = bytes.fromhex("020000000002020000000001" "0800")
FIRST_ADDRESS = 0x0A000000
FIRST_PORT = 20_000
PORTS = 256
RESPONDER = 0xC0A80001
RESPONDER_PORT = 9
PAYLOAD = bytes(48)
ENTRY = struct.Struct("<QQ")
# To wait costs more than to send.
AT_ONCE = 10


def frame_of(flow):
    udp_octets = 8 + len(PAYLOAD)
    return (ETHERNET
            + struct.pack(">BBHHHBBHII", 0x45, 0, 20 + udp_octets, flow & 0xFFFF, 0, 64, 17, 0,
                          FIRST_ADDRESS + flow // PORTS, RESPONDER)
            + struct.pack(">HHHH", FIRST_PORT + flow % PORTS, RESPONDER_PORT, udp_octets, 0)
            + PAYLOAD)


def flow_of(record):
    """The number of the flow that a record is of."""
    octets = [int(part) for part in record["sa"].split(".")]
    address = int.from_bytes(bytes(octets), "big")
    return (address - FIRST_ADDRESS) * PORTS + record["sp"] - FIRST_PORT


def sent(log):
    """(before, after) of each flow that was sent whole."""
    octets = log.read_bytes()
    return list(ENTRY.iter_unpack(octets[:len(octets) // ENTRY.size * ENTRY.size]))


def main():
    interface, flows, per_second, log = sys.argv[1:]
    line = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    line.bind((interface, 0))
    is_over = False

    def end(_signal, _frame):
        nonlocal is_over
        is_over = True

    signal.signal(signal.SIGTERM, end)
    begin = time.monotonic()
    with pathlib.Path(log).open("wb", buffering=0) as file:
        for flow in range(int(flows)):
            if is_over:
                break
            due = begin + flow // AT_ONCE * AT_ONCE / float(per_second)
            while (left := due - time.monotonic()) > 0:
                time.sleep(left)
            frame = frame_of(flow)
            before = time.time_ns()
            line.send(frame)
            file.write(ENTRY.pack(before, time.time_ns()))


if __name__ == "__main__":
    main()
