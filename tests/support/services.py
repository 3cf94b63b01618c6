"""The two services as a test runs them: configuration, processes, what their archive says."""

import contextlib
import json
import os
import pathlib
import signal
import subprocess
import time

# Long enough for a machine that does other work besides; reaching it is a failure.
PATIENCE_SECONDS = 60

# For tcpreplay where nothing is to be lost. The kernel's buffer for net_pcap holds 16 milliseconds
# that have packets: at 250 packets a second a probe may stand still for 64 ms, at 2,000 for 16, and
# on a busy machine it does.
LOW_RATE = "--pps=250"

# Of a probe over files. Each queue has to be asked in vain meanwhile, and a file gives nothing only
# at its end: a machine that stands still cannot make it stop early.
STOP_AT_THE_END = ("--stop-when-idle", "0.2")


def wait_until(what, condition, seconds=PATIENCE_SECONDS):
    """Asks until the condition holds; a test that reaches the end of its patience fails aloud."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"waited {seconds} s for {what}")
        time.sleep(0.02)


class Service:
    """One process of ours with its standard error in a file."""

    def __init__(self, name, command, folder, inside=()):
        self.name = name
        self.log = folder / f"{name}.log"
        self.command = [*inside, *map(str, command)]
        self.process = None

    def start(self):
        # Append: the log of a service that is started again is one story.
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        return self

    def text(self):
        return self.log.read_text(encoding="utf-8", errors="replace") if self.log.exists() else ""

    def wait_for_text(self, words, seconds=PATIENCE_SECONDS):
        def said():
            if words in self.text():
                return True
            if self.process.poll() is not None:
                raise RuntimeError(f"{self.name} ended early: {self.text()}")
            return False
        wait_until(f"{self.name} to say {words!r}", said, seconds)

    def end(self, how=signal.SIGTERM, seconds=PATIENCE_SECONDS):
        """Exit code after the signal."""
        if self.process.poll() is None:
            self.process.send_signal(how)
        return self.process.wait(seconds)

    def wait(self, seconds=PATIENCE_SECONDS):
        return self.process.wait(seconds)

    def kill(self):
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def toml_text(text):
    return json.dumps(str(text))


def make_key(curlew, file):
    """Makes a key file; the public key, as `curlew keys new` prints it."""
    return subprocess.run([curlew, "keys", "new", str(file)], check=True, capture_output=True,
                          text=True).stdout.strip()


def collector_config(folder, endpoint, archive, **more):
    """Writes collector.toml. `more`: scenario, fields, compress, minutes, octets, min_free,
    group, metrics; key_file, probes (public key by name)."""
    path = folder / "collector.toml"
    keep = f"min_free = {more['min_free']}" if "min_free" in more else ""
    probes = "".join(f"[[probe]]\nname = {toml_text(name)}\npublic_key = {toml_text(key)}\n"
                     for name, key in more.get("probes", {}).items())
    path.write_text(
        f"listen = {toml_text(endpoint)}\n"
        f"key_file = {toml_text(more.get('key_file', ''))}\n"
        f"metrics = {toml_text(more.get('metrics', ''))}\n"
        f"{probes}"
        "[archive]\n"
        f"folder = {toml_text(archive)}\n"
        f"scenario = {toml_text(more.get('scenario', 'live'))}\n"
        f"fields = {toml_text(more.get('fields', 'full'))}\n"
        f"compress = {str(more.get('compress', False)).lower()}\n"
        f"rotate = {{ minutes = {more.get('minutes', 0)}, "
        f"octets = {more.get('octets', 1 << 30)} }}\n"
        f"keep = {{ {keep} }}\n"
        f"default_group = {toml_text(more.get('group', 'any'))}\n",
        encoding="utf-8",
    )
    return path


def probe_config(folder, endpoint, devices, **more):
    """Writes probe.toml. `more`: name, filter, workers, queue, spool, drop, ledger_seconds,
    drain_seconds, meter and record (lines); key_file, public_key (the collector's)."""
    name = more.get("name", "test-probe")
    path = folder / f"{name}.toml"
    ports = "".join(f"[[port]]\ndevice = {toml_text(device)}\n" for device in devices)
    path.write_text(
        f"name = {toml_text(name)}\n"
        f"{ports}"
        "[capture]\n"
        f"filter = {toml_text(more.get('filter', ''))}\n"
        "[meter]\n"
        f"workers = {more.get('workers', 0)}\n"
        f"{more.get('meter', '')}\n"
        "[collector]\n"
        f"endpoint = {toml_text(endpoint)}\n"
        f"spool = {toml_text(more.get('spool', ''))}\n"
        f"key_file = {toml_text(more.get('key_file', ''))}\n"
        f"public_key = {toml_text(more.get('public_key', ''))}\n"
        f"queue = {more.get('queue', 64 << 20)}\n"
        f"drop = {toml_text(more.get('drop', 'newest'))}\n"
        f"ledger_seconds = {more.get('ledger_seconds', 1)}\n"
        f"drain_seconds = {more.get('drain_seconds', 30)}\n"
        f"{'[record]' if 'record' in more else ''}\n"
        f"{more.get('record', '')}\n",
        encoding="utf-8",
    )
    return path


def manifests(archive):
    """Every manifest of an archive with its path, by name."""
    return [
        (path, json.loads(path.read_text(encoding="utf-8")))
        for path in sorted(pathlib.Path(archive).rglob("*.manifest.json"))
    ]


def final_ledgers(archive):
    """The newest final ledger of each epoch: its manifest's `probe`."""
    ledgers = {}
    for path in sorted(pathlib.Path(archive).rglob("*.manifest.json")):
        with contextlib.suppress(FileNotFoundError):  # removed by retention meanwhile
            manifest = json.loads(path.read_text(encoding="utf-8"))
            if manifest["probe"] and manifest["probe"].get("final"):
                sequences = manifest["sequences"]
                ledgers[sequences[0]["epoch"] if sequences else None] = manifest["probe"]
    return ledgers


def records(archive):
    """Every record of an archive whose datasets are not compressed."""
    for path in sorted(pathlib.Path(archive).rglob("*.json")):
        if path.name.endswith((".manifest.json", ".devices.json")):
            continue
        yield from records_of(path)


def records_of(dataset):
    with dataset.open(encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


class Network:
    """Namespaces and the veth pairs between them, removed at the end whatever happens."""

    def __init__(self, label):
        self.prefix = f"curlew-{label}-{os.getpid()}"
        self.namespaces = []

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        for namespace in self.namespaces:
            subprocess.run(["ip", "netns", "del", namespace], check=False, capture_output=True)

    def namespace(self, name):
        full = f"{self.prefix}-{name}"
        ip("netns", "add", full)
        self.namespaces.append(full)
        ip("-n", full, "link", "set", "lo", "up")
        return full

    def pair(self, first, first_name, second, second_name):
        """A cable: nothing but what a test sends crosses it."""
        ip("link", "add", first_name, "netns", first, "type", "veth",
           "peer", "name", second_name, "netns", second)
        for namespace, name in ((first, first_name), (second, second_name)):
            inside(namespace, "sysctl", "-qw", f"net.ipv6.conf.{name}.disable_ipv6=1")
            inside(namespace, "ethtool", "-K", name, "gro", "off", "gso", "off", "tso", "off",
                   "tx", "off", "rx", "off")
            ip("-n", namespace, "link", "set", name, "up")

    def received(self, namespace, name):
        """Packets that the kernel gave to the interface, and those that it dropped there."""
        folder = f"/sys/class/net/{name}/statistics"
        read = inside(namespace, "cat", f"{folder}/rx_packets", f"{folder}/rx_dropped")
        return tuple(map(int, read.stdout.split()))


def ip(*arguments):
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


def inside(namespace, *command):
    return subprocess.run(["ip", "netns", "exec", namespace, *command],
                          check=True, capture_output=True, text=True)


def may_make_namespaces():
    """Empty, or why tests with interfaces cannot run here."""
    if os.geteuid() != 0:
        return "only root can make network namespaces"
    name = f"curlew-try-{os.getpid()}"
    try:
        ip("netns", "add", name)
        ip("netns", "del", name)
    except (OSError, subprocess.CalledProcessError) as error:
        return f"network namespaces cannot be made: {error}"
    return ""
