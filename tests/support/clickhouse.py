"""A ClickHouse server of a test's own: on loopback, in its own folder, gone when it is done."""

import pathlib
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request

SECONDS_TO_START = 30

CONFIGURATION = """<yandex>
    <logger><level>warning</level><console>1</console></logger>
    <http_port>{port}</http_port>
    <listen_host>127.0.0.1</listen_host>
    <path>{folder}/data/</path>
    <tmp_path>{folder}/tmp/</tmp_path>
    <user_files_path>{folder}/files/</user_files_path>
    <format_schema_path>{folder}/schemas/</format_schema_path>
    <users_config>users.xml</users_config>
    <default_profile>default</default_profile>
    <default_database>default</default_database>
    <mark_cache_size>67108864</mark_cache_size>
    <uncompressed_cache_size>67108864</uncompressed_cache_size>
</yandex>
"""

USERS = """<yandex>
    <profiles><default><max_memory_usage>1000000000</max_memory_usage></default></profiles>
    <users><default>
        <password></password>
        <networks><ip>127.0.0.1</ip></networks>
        <profile>default</profile>
        <quota>default</quota>
    </default></users>
    <quotas><default/></quotas>
</yandex>
"""


def program():
    """The server's path, None where it is not installed."""
    return shutil.which("clickhouse-server", path="/usr/sbin:/usr/bin:/usr/local/bin")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """Use as a context. Raises RuntimeError with the server's last words if it does not start."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.port = free_port()
        self.process = None

    def __enter__(self):
        self.folder.mkdir(parents=True, exist_ok=True)
        configuration = self.folder / "config.xml"
        configuration.write_text(
            CONFIGURATION.format(port=self.port, folder=self.folder), encoding="utf-8")
        (self.folder / "users.xml").write_text(USERS, encoding="utf-8")
        with open(self.folder / "log", "wb") as log:
            self.process = subprocess.Popen(
                [program(), f"--config-file={configuration}"], cwd=self.folder,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            self.wait_until_it_answers()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *unused):
        self.stop()

    def wait_until_it_answers(self):
        deadline = time.monotonic() + SECONDS_TO_START
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                self.ask("SELECT 1")
                return
            except (urllib.error.URLError, ConnectionError):
                time.sleep(0.1)
        words = (self.folder / "log").read_text(encoding="utf-8", errors="replace")
        raise RuntimeError(f"ClickHouse does not start: {words[-500:]}")

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def ask(self, query, body=b"", **settings):
        """The answer's text. Raises RuntimeError with ClickHouse's sentence."""
        arguments = urllib.parse.urlencode({"query": query, **settings})
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/?{arguments}", data=body, method="POST")
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                return answer.read().decode()
        except urllib.error.HTTPError as error:
            raise RuntimeError(error.read().decode(errors="replace")[:500]) from None
