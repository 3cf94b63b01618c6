#!/usr/bin/env python3
"""Who has no key, a wrong one, or means harm with a right one: the collector lets no such record in
as another's, serves its probes within two seconds, does not grow, and does not fill its log.

usage: who_may_speak.py CURLEW PROBE COLLECTOR [--seconds N]

All over tcp on the loopback interface. One real probe meters a capture that never ends. Mutated
batches come for N seconds, 5 when not given.
"""

import contextlib
import os
import pathlib
import random
import re
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import frames  # noqa: E402
import services  # noqa: E402
from capture_maker import one_packet_flows  # noqa: E402
from results import Results  # noqa: E402

try:
    import zmq
except ImportError:
    zmq = None

FLOWS = 2_000
SEED = 4711
# Flows end soon after their packet, and the capture is played over and over: records never stop.
METER = "[meter.timeouts]\nidle_tcp = 1\nidle_other = 1\nactive = 2"
SERVED_SECONDS = 2.0
UNHEARD_SECONDS = 1
FLOOD_CONNECTIONS = 600
FLOOD_SECONDS = 4
MUTATION_SECONDS = 5
LOG_LINES_A_MINUTE = 100
# What attacks may cost: what is read and not taken of the one who sends without measure (33 MB)
# and of the real probe (17 MB), a thousand connections with their buffers, and what malloc keeps:
# 104 MB were seen. Where the disk stands still the one who was cut comes again and has as much once
# more: 150 MB, and no more in 45 s than in 5 s.
GROWTH_OCTETS = 128 << 20
GROWTH_OCTETS_CUT = 192 << 20
# What the collector calls them.
ATTACKS = ("keys_unknown", "handshakes_failed", "frames_refused", "frames_impersonating",
           "hellos_refused")
COUNTED_SECONDS = 10
CROWD_DESCRIPTORS = 64
CROWD = 90
EPOCH = 7


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def greeting(mechanism, version=(3, 0)):
    """ZMTP's (RFC 23)."""
    return (b"\xff" + bytes(8) + b"\x7f" + bytes(version) + mechanism.ljust(20, b"\0")).ljust(
        64, b"\0")


class Watch(threading.Thread):
    """Ten times a second: how long the real probe's journal stood still, how large the collector
    was, and what it said of itself to the service manager."""

    def __init__(self, process, folder, notices):
        super().__init__(daemon=True)
        self.process = process
        self.folder = folder
        self.notices = notices
        self.done = threading.Event()
        self.status = ""
        self.reset()

    def reset(self):
        self.longest_pause = 0.0
        self.largest = 0
        self.moved = time.monotonic()

    def rss(self):
        with open(f"/proc/{self.process.pid}/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def journals(self):
        found = []
        for entry in os.scandir(self.folder):
            if entry.name.startswith("attic"):
                try:
                    found.append((entry.name, entry.stat().st_size))
                except FileNotFoundError:
                    pass  # sealed meanwhile
        return sorted(found)

    def run(self):
        before = []
        while not self.done.wait(0.1):
            now = self.journals()
            if now != before:
                self.moved = time.monotonic()
            before = now
            self.longest_pause = max(self.longest_pause, time.monotonic() - self.moved)
            self.largest = max(self.largest, self.rss())
            try:
                while True:
                    text = self.notices.recv(65536).decode()
                    if text.startswith("STATUS="):
                        self.status = text
            except BlockingIOError:
                pass


class Stage:
    """The services, everybody's keys, and the ways to speak to the collector."""

    def __init__(self, results, programs, folder):
        self.results = results
        self.programs = programs
        self.folder = folder
        self.archive = folder / "archive"
        self.port = free_port()
        self.endpoint = f"tcp://127.0.0.1:{self.port}"
        self.public = {name: services.make_key(programs[0], folder / f"{name}.key")
                       for name in ("collector", "attic", "cellar", "witness", "stranger")}
        self.context = zmq.Context()
        notices = folder / "notices"
        self.notices = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self.notices.bind(str(notices))
        self.collector = services.Service(
            "collector",
            [programs[2], "--config",
             services.collector_config(
                 folder, self.endpoint, self.archive, fields="slim", octets=1 << 30,
                 key_file=folder / "collector.key",
                 probes={name: self.public[name] for name in ("attic", "cellar", "witness")})],
            folder, inside=("env", f"NOTIFY_SOCKET={notices}"))
        capture = folder / "flows.pcap"
        one_packet_flows(capture, FLOWS, packets_per_second=2_000)
        self.probe = services.Service(
            "probe",
            [programs[1], "--config",
             services.probe_config(folder, self.endpoint,
                                   [f"net_pcap0,rx_pcap={capture},infinite_rx=1"], name="attic",
                                   meter=METER + "\n", key_file=folder / "attic.key",
                                   public_key=self.public["collector"])],
            folder)

    def secret(self, name):
        return (self.folder / f"{name}.key").read_text(encoding="ascii").strip()

    def peer(self, name=None, server="collector"):
        """A ZeroMQ peer with somebody's key, or none."""
        peer = self.context.socket(zmq.DEALER)
        peer.linger = 0
        peer.sndtimeo = 10_000
        if name is not None:
            peer.curve_publickey = self.public[name].encode()
            peer.curve_secretkey = self.secret(name).encode()
            peer.curve_serverkey = self.public[server].encode()
        peer.connect(self.endpoint)
        return peer

    def raw(self, octets=b""):
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=10)
        connection.sendall(octets)
        return connection

    def hello(self, name, called=None, sequence=1):
        return frames.frame(frames.HELLO, frames.probe_id(name), EPOCH, sequence,
                            frames.hello_body(called or name))

    def served(self, claim):
        """One more allowed probe comes right now, as if it had been switched on."""
        began = time.monotonic()
        answer = None
        with self.peer("witness") as peer:
            while answer is None and time.monotonic() - began < 10:
                peer.send(self.hello("witness"))
                if peer.poll(250):
                    answer = peer.recv()
        seconds = time.monotonic() - began
        print(f"{claim}: welcomed after {seconds:.2f} s", flush=True)
        self.results.check(f"{claim}: a probe that comes is welcomed within {SERVED_SECONDS} s",
                           answer is not None and frames.kind_of(answer) == frames.WELCOME
                           and seconds < SERVED_SECONDS, f"{seconds:.2f} s")


def unheard_peers(stage, claim, *who, **how):
    """Ten peers of a kind, who have said hello and a batch."""
    peers = [stage.peer(*who, **how) for _ in range(10)]
    for peer in peers:
        # A peer that was refused already has nobody any more to send to.
        with contextlib.suppress(zmq.Again):
            peer.send(stage.hello("attic"), zmq.NOBLOCK)
            peer.send(frames.frame(frames.BATCH, frames.probe_id("attic"), EPOCH, 1, b"x", 1),
                      zmq.NOBLOCK)
    stage.served(claim)
    return peers


def wrong_keys(stage):
    """Nobody answers any of them."""
    kinds = {"unknown key": unheard_peers(stage, "unknown key", "stranger"),
             "no key": unheard_peers(stage, "no key"),
             "wrong key of the collector": unheard_peers(stage, "wrong key of the collector",
                                                         "attic", server="stranger")}
    time.sleep(UNHEARD_SECONDS)
    for claim, peers in kinds.items():
        stage.results.check(f"{claim}: no answer", not any(peer.poll(0) for peer in peers))
        for peer in peers:
            peer.close()


def flood(stage):
    """Silent connections, made anew as soon as they are closed."""
    connections = []
    end = time.monotonic() + FLOOD_SECONDS
    made = 0
    witness = threading.Thread(target=stage.served, args=("silent connections",))
    while time.monotonic() < end:
        while len(connections) < FLOOD_CONNECTIONS:
            connections.append(stage.raw())
            made += 1
            if made == FLOOD_CONNECTIONS:
                witness.start()
        still = []
        for connection in connections:
            try:
                connection.setblocking(False)
                gone = connection.recv(256) == b""
            except BlockingIOError:
                gone = False
            except OSError:
                gone = True
            if gone:
                connection.close()
            else:
                still.append(connection)
        connections = still
        time.sleep(0.02)
    witness.join()
    print(f"silent connections: {made} made", flush=True)
    for connection in connections:
        connection.close()


def claimed_lengths(stage):
    """Frames of 8 GiB, and the beginnings of older protocols, which know no keys."""
    claim = b"\x02" + struct.pack(">Q", 8 << 30)
    connections = [stage.raw(octets) for octets in (
        greeting(b"CURVE") + claim, greeting(b"NULL") + claim, greeting(b"CURVE") + b"\x06" + claim,
        b"\x01\0" + claim, greeting(b"", (1, 5))[:12] + claim)
        for _ in range(10)]
    stage.served("claims of 8 GiB")
    sent = 0
    for connection in connections:
        connection.settimeout(2)
        try:
            for _ in range(64):
                connection.sendall(bytes(65536))
                sent += 65536
        except OSError:
            pass
        connection.close()
    print(f"claims of 8 GiB: {sent} octets went into them", flush=True)


def impersonations(stage):
    """A right key that speaks for another probe."""
    with stage.peer("cellar") as peer:
        for called in ("attic", "cellar"):
            peer.send(stage.hello("attic", called))
            answered = peer.poll(10_000) and frames.kind_of(peer.recv()) == frames.REFUSE
            stage.results.check(f"the id of another, called {called}: refused", answered)
        peer.send(stage.hello("cellar", "attic"))
        answered = peer.poll(10_000) and frames.kind_of(peer.recv()) == frames.REFUSE
        stage.results.check("the name of another: refused", answered)
        peer.send(frames.frame(frames.BATCH, frames.probe_id("attic"), EPOCH, 1, b"x", 1))
        stage.results.check("a batch of another: no answer", not peer.poll(300))


def batches_that_unfold(stage):
    """From an allowed probe: empty messages, two octets each on the wire, a hundred in memory."""
    peer = stage.peer("cellar")
    peer.send(stage.hello("cellar"))
    welcomed = peer.poll(10_000) and frames.kind_of(peer.recv()) == frames.WELCOME
    stage.results.check("an allowed probe is welcomed", welcomed)
    longest = frames.SCHEMA + b"\x12\x00" * ((256 << 10) // 2 - 1)
    for sequence in range(1, 11):
        peer.send(frames.frame(frames.BATCH, frames.probe_id("cellar"), EPOCH,
                               (sequence - 1) * 4096 + 1, longest, 4096))
    peer.send(frames.frame(frames.BATCH, frames.probe_id("cellar"), EPOCH, 10 * 4096 + 1,
                           frames.SCHEMA + b"\x12\x00" * (512 << 10), 4096))
    stage.served("batches that unfold")
    peer.close()


def mutated_batches(stage, seconds):
    """Real batches of the real probe with some octets changed, whole frames in and out of order."""
    chance = random.Random(SEED)
    print(f"mutated batches: seed {SEED}", flush=True)
    bodies = [(records, body) for path in (stage.archive / "open").iterdir()
              if path.name.startswith("attic") and path.is_file()
              for kind, records, body in frames.frames_of(path.read_bytes()[:1 << 20])
              if kind == frames.BATCH][:20]
    stage.results.check("there are batches to change", bool(bodies))
    peer = stage.peer("cellar")
    sequence, sent = 10 * 4096 + 1, 0
    peer.send(stage.hello("cellar", sequence=sequence))
    end = time.monotonic() + seconds
    witness = threading.Thread(target=stage.served, args=("mutated batches",))
    witness.start()
    while time.monotonic() < end:
        records, body = chance.choice(bodies)
        body = bytearray(body[:4096])
        for _ in range(chance.randint(1, 8)):
            body[chance.randrange(len(body))] = chance.randrange(256)
        octets = bytearray(frames.frame(frames.BATCH, frames.probe_id("cellar"), EPOCH, sequence,
                                        bytes(body), records))
        if chance.random() < 0.3:
            octets[chance.randrange(len(octets))] ^= 1 << chance.randrange(8)
        else:
            sequence += records
        peer.send(bytes(octets))
        sent += 1
    witness.join()
    print(f"mutated batches: {sent} sent", flush=True)
    peer.close()


def uncounted(status):
    return [reason for reason in ATTACKS if not re.search(rf"\b{reason} [1-9]", status)]


def counted(stage, watch):
    """Each attack leaves its count in what the collector says of itself: handshakes that hang when
    their time is over, and the status is said once a second."""
    with contextlib.suppress(TimeoutError):
        services.wait_until("all counts", lambda: not uncounted(watch.status), COUNTED_SECONDS)
    print(watch.status, flush=True)
    stage.results.check("every attack is counted", not uncounted(watch.status),
                        f"{uncounted(watch.status)}: {watch.status}")


def attack(stage, watch, mutation_seconds):
    """All of it, one after another, and what the collector looked like meanwhile."""
    before = watch.rss()
    lines = stage.collector.text().count("\n")
    began = time.monotonic()
    watch.reset()
    wrong_keys(stage)
    flood(stage)
    claimed_lengths(stage)
    impersonations(stage)
    batches_that_unfold(stage)
    mutated_batches(stage, mutation_seconds)
    counted(stage, watch)
    seconds = time.monotonic() - began
    lines = stage.collector.text().count("\n") - lines
    growth = watch.largest - before
    print(f"under attack for {seconds:.0f} s: journal stood still for {watch.longest_pause:.2f} s "
          f"at most, grew by {growth >> 10} KiB from {before >> 10} KiB, {lines} lines logged",
          flush=True)
    stage.results.check(f"the real probe is served within {SERVED_SECONDS} s all the time",
                        watch.longest_pause < SERVED_SECONDS, f"{watch.longest_pause:.2f} s")
    was_cut = re.search(r"\bconnections_without_measure [1-9]", watch.status)
    bound = GROWTH_OCTETS_CUT if was_cut else GROWTH_OCTETS
    stage.results.check("memory stays flat", growth < bound, f"{growth} octets")
    stage.results.check(f"under {LOG_LINES_A_MINUTE} lines a minute",
                        lines < LOG_LINES_A_MINUTE * max(1, int(seconds / 60)), str(lines))


def nothing_got_in(stage):
    """The real probe's ledger closes, and its datasets have its records and no others."""
    datasets = [manifest for path, manifest in services.manifests(stage.archive)
                if path.name.startswith("attic")]
    ledgers = [one["probe"] for one in datasets if (one["probe"] or {}).get("final")]
    created = ledgers[-1]["records_created"] if ledgers else 0
    lost = sum(ledgers[-1]["records_lost"].values()) if ledgers else 0
    written = sum(one["file"]["records"] for one in datasets)
    print(f"the real probe: {created} records created, {written} written, {lost} lost", flush=True)
    stage.results.check("the real probe: created = written, none lost",
                        created > 0 and (written, lost) == (created, 0),
                        f"{created}, {written}, {lost}")
    verified = subprocess.run([stage.programs[0], "verify", stage.archive], capture_output=True,
                              text=True, check=False)
    # The others never said their last word, so what they sent waits for them.
    problems = [line for line in verified.stderr.splitlines()[:-1]
                if not line.startswith(("open/cellar-", "open/witness-"))]
    stage.results.check("verify", not problems, verified.stderr)


def wrong_start(results, programs, folder):
    """What is refused before anything is bound: exit code 2 and one sentence."""
    folder.mkdir()
    endpoint = f"tcp://127.0.0.1:{free_port()}"
    public = services.make_key(programs[0], folder / "open.key")
    (folder / "open.key").chmod(0o644)
    again = subprocess.run([programs[0], "keys", "new", folder / "open.key"], capture_output=True,
                           text=True, check=False)
    results.check("a key is not written over",
                  again.returncode == 1 and "never written over" in again.stderr, again.stderr)
    open_key = {"key_file": folder / "open.key"}
    for claim, more, words in (("without keys", {}, "--insecure"),
                               ("with an open key", open_key, "chmod 600")):
        collector = services.collector_config(folder, endpoint, folder / "archive", **more)
        if more:
            more["public_key"] = public
        probe = services.probe_config(folder, endpoint, ["net_pcap0,iface=lo"], **more)
        for program, config in ((programs[2], collector), (programs[1], probe)):
            done = subprocess.run([program, "--config", config], capture_output=True, text=True,
                                  check=False, timeout=60)
            results.check(f"{pathlib.Path(program).name} {claim}: one sentence, exit code 2",
                          done.returncode == 2 and words in done.stderr
                          and done.stderr.count("\n") == 1, f"{done.returncode}: {done.stderr}")
    config = services.collector_config(folder, endpoint, folder / "archive")
    insecure = services.Service("insecure", [programs[2], "--config", config, "--insecure"],
                                folder).start()
    try:
        insecure.wait_for_text("without keys: whoever reaches it may send")
        insecure.wait_for_text("ready")
        results.check("insecure: ends well", insecure.end() == 0, insecure.text())
    finally:
        insecure.kill()


def silent_crowd(results, programs, folder):
    """More who say nothing than the collector may have descriptors, over ipc and over tcp."""
    folder.mkdir()
    port = free_port()
    crowds = {f"ipc://{folder}/door": (socket.AF_UNIX, f"{folder}/door"),
              f"tcp://127.0.0.1:{port}": (socket.AF_INET, ("127.0.0.1", port))}
    for endpoint, (family, address) in crowds.items():
        claim = f"a silent crowd, {endpoint[:3]}"
        config = services.collector_config(folder, endpoint, folder / endpoint[:3])
        collector = services.Service(
            f"crowded-{endpoint[:3]}",
            ["prlimit", f"--nofile={CROWD_DESCRIPTORS}:{CROWD_DESCRIPTORS}", programs[2],
             "--config", config, "--insecure"], folder).start()
        descriptors = pathlib.Path(f"/proc/{collector.process.pid}/fd")
        with contextlib.ExitStack() as crowd:
            try:
                collector.wait_for_text("ready")
                for _ in range(CROWD):
                    one = crowd.enter_context(socket.socket(family))
                    one.settimeout(SERVED_SECONDS)
                    one.connect(address)
                services.wait_until("the crowd to be shown out", lambda: len(
                    list(descriptors.iterdir())) <= CROWD_DESCRIPTORS // 2)
                collector.wait_for_text("connections_over_bound")
                results.check(f"{claim}: the collector ends well", collector.end() == 0,
                              collector.text()[-2000:])
            finally:
                collector.kill()


def main():
    programs = sys.argv[1:4]
    seconds = float(sys.argv[5]) if sys.argv[4:5] == ["--seconds"] else MUTATION_SECONDS
    results = Results()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        wrong_start(results, programs, folder / "start")
        silent_crowd(results, programs, folder / "crowd")
        if zmq is None:
            results.skip("who may speak", "python3-zmq is not there")
            results.exit()
        stage = Stage(results, programs, folder)
        stage.collector.start()
        watch = None
        try:
            stage.collector.wait_for_text("ready")
            stage.probe.start()
            stage.probe.wait_for_text("takes records")
            services.wait_until("records", lambda: any(
                path.name.startswith("attic") and path.stat().st_size > 1 << 20
                for path in (stage.archive / "open").iterdir()))
            watch = Watch(stage.collector.process, stage.archive / "open", stage.notices)
            watch.start()
            attack(stage, watch, seconds)
            watch.done.set()
            watch.join()
            code = stage.probe.end()
            results.check("the probe ends well", code == 0, stage.probe.text()[-2000:])
            collector_code = stage.collector.end()
            results.check("the collector ends well", collector_code == 0,
                          stage.collector.text()[-2000:])
        finally:
            if watch is not None:
                watch.done.set()
            stage.probe.kill()
            stage.collector.kill()
            stage.context.destroy(linger=0)
        nothing_got_in(stage)
    results.exit()


if __name__ == "__main__":
    main()
