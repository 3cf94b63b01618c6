#!/usr/bin/env python3
"""How far each payload signature agrees with tshark, over the captures at hand.

usage: measure_signatures.py CURLEW [--write] [--one-in N]

Of each signature: the flows that it hit, of these those where tshark names an application protocol,
of these those where it is the signature's, and what tshark says otherwise. Flows are those of TCP
and UDP outside tunnels. With --write the three go into the signature's file, as `measured`. tshark
goes by ports where we do not, so what differs is worth a look, not wrong by itself.
"""

import collections
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import tomllib

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "support"))
from captures import of_datasets, of_public  # noqa: E402
from results import ROOT  # noqa: E402

# tshark's words where they are others than ours.
TSHARK = {
    "bacnet": {"bvlc", "bacnet"}, "beckhoffads": {"ams"}, "cassandra": {"cql"},
    "controller-area-network": {"can", "caneth"}, "dce-rpc": {"dcerpc"}, "dhcp": {"dhcp", "bootp"},
    "dns": {"dns", "mdns", "llmnr"},
    "dropbox": {"db-lsp", "db-lsp-disc"}, "gtp": {"gtp", "gtpprime"}, "lisp": {"lisp", "lisp-tcp"},
    "stun": {"stun", "classicstun"},
    "ethernet-ip": {"enip"}, "fins": {"omron"}, "h323": {"h225", "h245", "ras", "tpkt"},
    "hap": {"http"}, "hart-ip": {"hart_ip"}, "iax": {"iax2"},
    "iec60870": {"104apci", "iec60870_104"},
    "ieee-c37118": {"synphasor"}, "ipsec": {"isakmp", "esp", "ah", "udpencap"},
    "iso9506-1-mms": {"mms", "cotp"}, "knxnet-ip": {"kip"}, "ldap": {"ldap", "cldap"},
    "modbus": {"mbtcp", "modbus"}, "mongodb": {"mongo"}, "mssql-tds": {"tds"},
    "netbios": {"nbns", "nbdgm", "nbss"}, "netflow": {"cflow"}, "ipfix": {"cflow"},
    "nfs": {"nfs", "rpc", "mount"}, "onc-rpc": {"rpc"}, "oracle": {"tns"}, "pop3": {"pop"},
    "postgresql": {"pgsql"}, "quic": {"quic", "gquic"}, "rmcp": {"rmcp", "ipmi", "ipmb"},
    "rpcbind": {"portmap", "rpc"}, "rsh": {"rsh", "rlogin"}, "s7comm": {"s7comm", "cotp"},
    "session-announcement": {"sap"}, "skinny": {"skinny"}, "slp": {"srvloc"},
    "smb": {"smb", "smb2", "nbss"}, "tacacs": {"tacplus", "tacacs"},
    "tplink-shp": {"tplink-smarthome"},
    "ubntac2": {"ubdp"}, "whois": {"whois"}, "wireguard": {"wg"}, "wsd": {"xml", "ws-discovery"},
    "websocket": {"websocket"}, "someip": {"someip"}, "vnc": {"vnc"}, "nntp": {"nntp"},
    "bittorrent": {"bittorrent", "bt-dht", "bt-utp"}, "devp2p": {"devp2p", "rlpx"},
}
CARRIERS = {"eth", "ethertype", "ip", "ipv6", "tcp", "udp", "vlan", "data", "sll", "raw", "null",
            "frame", "radiotap", "wlan", "wlan_radio", "llc", "ppp", "_ws.malformed",
            "_ws.short", "tcp.segments", "udplite", "ipv6.hopopts", "_ws.expert"}
FIELDS = ("ip.src", "ip.dst", "ipv6.src", "ipv6.dst", "tcp.srcport", "tcp.dstport", "udp.srcport",
          "udp.dstport", "frame.protocols")


def tshark_flows(capture):
    """By transport and endpoints: the application protocols that tshark names."""
    command = ["tshark", "-n", "-r", capture, "-T", "fields", "-E", "occurrence=f"]
    for field in FIELDS:
        command += ["-e", field]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                          errors="replace", check=False)
    flows = collections.defaultdict(set)
    for line in done.stdout.splitlines():
        cells = line.split("\t")
        if len(cells) != len(FIELDS):
            continue
        ports = cells[4:6] if cells[4] else cells[6:8]
        if not ports[0]:
            continue
        ends = frozenset([(cells[0] or cells[2], int(ports[0])),
                          (cells[1] or cells[3], int(ports[1]))])
        flows[6 if cells[4] else 17, ends] |= set(cells[8].split(":")) - CARRIERS
    return flows


def measure(curlew, captures, protocols):
    counts = collections.defaultdict(lambda: [0, 0, 0, collections.Counter()])
    for capture in captures:
        with tempfile.TemporaryDirectory() as archive:
            command = [curlew, "run", capture, "--archive", archive, "--json"]
            done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                  text=True, check=False)
            files = json.loads(done.stdout)["files"] if done.returncode == 0 else []
            flows = tshark_flows(capture) if files else {}
            for path in files:
                count_records(path, flows, protocols, counts)
    return counts


def count_records(path, flows, protocols, counts):
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            record = json.loads(line)
            if record["record"] != 0 or record["pr"] not in (6, 17):
                continue
            ends = frozenset([(record["sa"], record["sp"]), (record["da"], record["dp"])])
            named = flows.get((record["pr"], ends), set())
            hit = {match["signature"] for match in record["matched"] if match["kind"] == "payload"}
            for one in hit & protocols.keys():
                protocol = protocols[one]
                ours = TSHARK.get(protocol, {protocol, protocol.replace("-", "_")})
                counts[one][0] += 1
                counts[one][1] += 1 if named else 0
                counts[one][2] += 1 if named & ours else 0
                if named and not named & ours:
                    counts[one][3].update(named)


def write(files, counts):
    for path in files:
        text = path.read_text(encoding="utf-8")
        tables = text.split("[[signature]]\n")
        for number, table in enumerate(tables[1:], 1):
            identity = re.search(r'^id = "(.+)"$', table, re.MULTILINE)
            table = re.sub(r"^measured = .*\n", "", table, flags=re.MULTILINE)
            if identity and identity[1] in counts:
                flows, judged, right, _ = counts[identity[1]]
                line = f"measured = {{ flows = {flows}, judged = {judged}, right = {right} }}\n"
                at = re.search(r"^examples\.", table, re.MULTILINE)
                table = table[:at.start()] + line + table[at.start():]
            tables[number] = table
        path.write_text("[[signature]]\n".join(tables), encoding="utf-8")


def main():
    curlew = pathlib.Path(sys.argv[1]).resolve()
    one_in = int(sys.argv[sys.argv.index("--one-in") + 1]) if "--one-in" in sys.argv else 1
    files = [path for path in sorted((ROOT / "signatures").glob("*.toml"))
             if path.name != "vocabulary.toml"]
    protocols = {}
    for path in files:
        for signature in tomllib.loads(path.read_text(encoding="utf-8")).get("signature", []):
            if signature["kind"] == "payload":
                protocols[signature["id"]] = signature.get("protocol", "")
    counts = measure(curlew, of_datasets(one_in) + of_public(one_in), protocols)
    for one, (flows, judged, right, others) in sorted(counts.items()):
        share = f"{100 * right / judged:.1f} %" if judged else "none judged"
        otherwise = ", ".join(f"{word} {count}" for word, count in others.most_common(4))
        print(f"{one:32} {flows:7} flows {judged:7} judged {right:7} right  {share}  {otherwise}")
    if "--write" in sys.argv:
        write(files, counts)


if __name__ == "__main__":
    main()
