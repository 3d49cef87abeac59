"""A real Prometheus that scrapes one target each second."""
import json
import os
import signal
import subprocess
import urllib.parse
import urllib.request

from .ports import free_port
from .waiting import eventually

CONFIG = """
global: {{scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}}
scrape_configs:
  - job_name: tidegate
    static_configs: [{{targets: ["{target}"]}}]
"""


class Prometheus:
    def __init__(self, target, directory, address=None):
        """@param address where it listens; a free port by default."""
        self.directory = str(directory)
        os.makedirs(self.directory, exist_ok=True)
        config = os.path.join(self.directory, "prometheus.yml")
        with open(config, "w") as file:
            file.write(CONFIG.format(target=target))
        self.address = address or f"127.0.0.1:{free_port()}"
        self.log = open(os.path.join(self.directory, "log"), "w")
        self.process = subprocess.Popen(
            ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={self.directory}/data",
             f"--web.listen-address={self.address}"],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, start_new_session=True)

        def ready():
            assert self.process.poll() is None, open(self.log.name).read()[-2000:]
            try:
                return urllib.request.urlopen(f"http://{self.address}/-/ready", timeout=2).status == 200
            except OSError:
                return False

        eventually(ready, "Prometheus being ready", 20, 0.05)

    def query(self, text):
        """The result vector as [(labels, value)]."""
        url = f"http://{self.address}/api/v1/query?" + urllib.parse.urlencode({"query": text})
        answer = json.load(urllib.request.urlopen(url, timeout=5))
        assert answer["status"] == "success", answer
        return [(one["metric"], float(one["value"][1])) for one in answer["data"]["result"]]

    def close(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(5)
        self.log.close()
