#!/usr/bin/env python3
"""A mirror port in miniature: tcpreplay plays captures into one end of a veth pair, the probe
listens at the other, the collector is in another namespace, over tcp.

usage: mirror_port.py CURLEW PROBE COLLECTOR

Sent = metered + not metered + lost by reason, with no difference: at a low rate, with nothing lost
in one of a few lives of the probe, and as fast as it goes. On net_af_xdp and on net_pcap.
"""

import pathlib
import re
import signal
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import services  # noqa: E402
from results import Results  # noqa: E402

# A machine that stands still for longer than services.LOW_RATE allows for loses packets all the
# same, and the ledger says so: that nothing is lost has to be seen once in so many lives.
LOW_RATE_TRIES = 3
# The probe is stopped while this is played as fast as it goes: more than any queue holds.
OVERLOAD_LOOPS = 300
DRIVERS = ("net_af_xdp", "net_pcap")


def play(switch, capture, *how):
    """Packets that tcpreplay says it sent."""
    done = services.inside(switch, "tcpreplay", "--intf1=mirror", "-q", *how, str(capture))
    return int(re.search(r"Successful packets:\s+(\d+)", done.stdout + done.stderr).group(1))


def run_case(results, programs, driver, capture, how, folder, overload=False):
    """One probe's life: what was sent, and the ledger that came of it."""
    folder.mkdir()
    archive = folder / "archive"
    with services.Network("mirror") as network:
        switch, tap, store = (network.namespace(name) for name in ("switch", "probe", "collector"))
        network.pair(switch, "mirror", tap, "tap")
        network.pair(tap, "uplink", store, "downlink")
        services.ip("-n", tap, "addr", "add", "10.99.0.1/24", "dev", "uplink")
        services.ip("-n", store, "addr", "add", "10.99.0.2/24", "dev", "downlink")
        endpoint = "tcp://10.99.0.2:5700"
        keys = {name: services.make_key(programs[0], folder / f"{name}.key")
                for name in ("collector", "test-probe")}
        collector = services.Service(
            "collector",
            [programs[2], "--config",
             services.collector_config(folder, endpoint, archive, key_file=folder / "collector.key",
                                       probes={"test-probe": keys["test-probe"]})],
            folder, inside=("ip", "netns", "exec", store)).start()
        probe = services.Service(
            "probe",
            [programs[1], "--config",
             services.probe_config(folder, endpoint, [f"{driver}0,iface=tap"],
                                   key_file=folder / "test-probe.key",
                                   public_key=keys["collector"])],
            folder, inside=("ip", "netns", "exec", tap)).start()
        try:
            probe.wait_for_text("ready")
            before = network.received(tap, "tap")
            if overload:
                probe.process.send_signal(signal.SIGSTOP)
            sent = play(switch, capture, *how)
            probe.process.send_signal(signal.SIGCONT)
            after = network.received(tap, "tap")
            if not overload:
                for state, words in (("down", "the line is down"), ("up", "the line is up again")):
                    services.ip("-n", switch, "link", "set", "mirror", state)
                    probe.wait_for_text(words)
            code = probe.end()
            services.wait_until("the final ledger", lambda: services.final_ledgers(archive))
            collector_code = collector.end()
        finally:
            probe.kill()
            collector.kill()
    results.check(f"{driver}: probe ends well", code == 0, probe.text())
    results.check(f"{driver}: collector ends well", collector_code == 0, collector.text())
    ledger = next(iter(services.final_ledgers(archive).values()))
    kernel = (after[0] - before[0], after[1] - before[1])
    return sent, kernel, ledger, archive


def closes(results, claim, sent, kernel, ledger):
    metered = ledger["packets_metered"]
    not_metered = sum(ledger["packets_not_metered"].values())
    lost = sum(ledger["packets_lost"].values())
    print(f"{claim}: sent {sent}, metered {metered}, not metered {not_metered}, lost {lost} "
          f"{ledger['packets_lost']}, kernel {kernel}", flush=True)
    results.check(f"{claim}: sent = metered + not metered + lost",
                  sent == metered + not_metered + lost,
                  f"{sent} and {metered} + {not_metered} + {lost}")
    return lost


def main():
    programs = sys.argv[1:4]
    results = Results()
    reason = services.may_make_namespaces()
    if reason:
        results.skip("veth end to end", reason)
        results.exit()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        capture = folder / "camera.pcap"
        subprocess.run([programs[0], "traffic", "camera-minutes", "-o", capture], check=True,
                       capture_output=True)
        for driver in DRIVERS:
            claim = f"{driver} at a low rate"
            for attempt in range(LOW_RATE_TRIES):
                *counted, archive = run_case(results, programs, driver, capture,
                                             (services.LOW_RATE,),
                                             folder / f"{driver}-low-{attempt}")
                lost = closes(results, claim, *counted)
                if lost == 0:
                    break
            results.check(f"{claim}: nothing lost", lost == 0)
            results.check(f"{claim}: has records", any(True for _ in services.records(archive)))
            verified = subprocess.run([programs[0], "verify", archive], capture_output=True,
                                      text=True, check=False)
            results.check(f"{claim}: verify", verified.returncode == 0, verified.stderr)
            claim = f"{driver} at overload"
            *counted, archive = run_case(
                results, programs, driver, capture,
                ("--topspeed", "--preload-pcap", f"--loop={OVERLOAD_LOOPS}"),
                folder / f"{driver}-overload", overload=True)
            results.check(f"{claim}: something lost", closes(results, claim, *counted) > 0)
    results.exit()


if __name__ == "__main__":
    main()
