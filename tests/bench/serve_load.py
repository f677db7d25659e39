"""Many clients at `kandinsky serve`: mixed requests, hostile ones among them, clients that hang up
and programs that are killed. Prints latencies, what became of the requests and jobs, and memory.

PYTHONPATH=tests .venv/bin/python tests/bench/serve_load.py --seconds 300 --clients 64 --tls
"""

import argparse
import json
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from support.certificates import make_chain
from support.serving import DEMO, FEW, JOB, PRIOR, Server, data_uri, image_file, serving

IMAGE = data_uri(image_file())
HOSTILE = (b"{", b"[" * 50_000, b'{"prompt": "x", "steps": 0}', b"\x00" * 1000)


GOOD = ("hung up", "killed", "answered before", "no longer kept, 404")
"""What becomes of requests whose job the server may do or not, unseen."""


class Load:
    def __init__(self, server: Server, seconds: float) -> None:
        self.server = server
        self.end = time.monotonic() + seconds
        self.lock = threading.Lock()
        self.latencies: dict[str, list[float]] = {}
        self.outcomes: Counter[str] = Counter()
        self.ids: list[str] = []

    def client(self, number: int) -> None:
        chance = random.Random(number)
        kinds: list[Callable[[random.Random], str]] = [
            *[self.text] * 4,
            *[self.image] * 2,
            *[self.job] * 2,
            self.hostile,
            self.hang_up,
            self.killed,
        ]
        while time.monotonic() < self.end:
            kind = chance.choice(kinds)
            began = time.monotonic()
            try:
                outcome = kind(chance)
            except OSError as error:
                outcome = f"error, {error}"
            with self.lock:
                self.outcomes[f"{kind.__name__}: {outcome}"] += 1
                if outcome in ("200", "done"):
                    self.latencies.setdefault(kind.__name__, []).append(time.monotonic() - began)
            if outcome == "503":
                time.sleep(chance.uniform(0.1, 1))

    def post(self, path: str, body: Any) -> str:
        answer = self.server.post(path, body, timeout=300)
        if answer.status != 200:
            return str(answer.status)
        (seed,) = json.loads(answer.json["info"])["all_seeds"]
        return "200" if len(answer.json["images"]) == 1 and seed == body["seed"] else "another's"

    def text(self, chance: random.Random) -> str:
        body = {"prompt": "a red circle", **FEW, "seed": chance.randrange(1000), "kandinsky": PRIOR}
        return self.post("/sdapi/v1/txt2img", body)

    def image(self, chance: random.Random) -> str:
        body = {"init_images": [IMAGE], **FEW, "seed": chance.randrange(1000), "kandinsky": PRIOR}
        return self.post("/sdapi/v1/img2img", body)

    def job(self, chance: random.Random) -> str:
        body = {"prompt": "a star", **JOB, "seed": chance.randrange(1000)}
        answer = self.server.post("/kandinsky/v1/jobs", body, timeout=300)
        if answer.status != 202:
            return str(answer.status)
        job = str(answer.json["id"])
        with self.lock:
            self.ids.append(job)
        while (now := self.server.get(f"/kandinsky/v1/jobs/{job}", timeout=300)).status == 200:
            if now.json["state"] not in ("queued", "running"):
                return str(now.json["state"])
            time.sleep(0.1)
        return f"no longer kept, {now.status}"

    def hostile(self, chance: random.Random) -> str:
        answer = self.server.post("/sdapi/v1/txt2img", chance.choice(HOSTILE), timeout=300)
        return "refused" if answer.status in (400, 422) else str(answer.status)

    def hang_up(self, chance: random.Random) -> str:
        body = json.dumps({"prompt": "x", **FEW}).encode()
        head = f"POST /sdapi/v1/txt2img HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}"
        with socket.create_connection(self.server.address, timeout=300) as client:
            client.sendall((head + "\r\n\r\n").encode() + body[: chance.randrange(len(body) + 1)])
            time.sleep(chance.uniform(0, 0.5))
        return "hung up"

    def killed(self, chance: random.Random) -> str:
        authority = self.server.authority
        client = subprocess.Popen(
            [
                *("curl", "--silent", "--output", "/dev/null", "--data", '{"prompt": "x"}'),
                *(("--cacert", authority) if authority else ()),
                self.server.url + "sdapi/v1/txt2img",
            ]
        )
        time.sleep(chance.uniform(0, 1))
        client.kill()
        return "killed" if client.wait() < 0 else "answered before"


def resident(server: Server) -> float:
    status = Path(f"/proc/{server.process.pid}/status").read_text(encoding="ascii")
    (kilobytes,) = (line.split()[1] for line in status.splitlines() if line.startswith("VmRSS"))
    return int(kilobytes) / 1e3


def run(seconds: float, clients: int, queue: int, tls: Path | None) -> int:
    options: list[str | Path] = ["--queue", str(queue)]
    authority = None
    if tls:
        authority, certificate = make_chain(tls)
        options += ["--tls-cert", certificate.file, "--tls-key", certificate.key]
    with serving(DEMO, *options, authority=authority) as server:
        assert server.wait(server.submit())["state"] == "done"
        before = resident(server)
        load = Load(server, seconds)
        threads = [threading.Thread(target=load.client, args=(i,)) for i in range(clients)]
        for thread in threads:
            thread.start()
        half = None
        while any(thread.is_alive() for thread in threads):
            if half is None and time.monotonic() > load.end - seconds / 2:
                half = resident(server)
            time.sleep(0.2)
        after = resident(server)
        descriptors = len(list(Path(f"/proc/{server.process.pid}/fd").iterdir()))
        for name, times in sorted(load.latencies.items()):
            cuts = statistics.quantiles(times, n=100) if len(times) > 1 else times * 99
            print(
                f"{name:8} {len(times):5} finished; seconds: median {cuts[49]:.2f}, "
                f"95th percentile {cuts[94]:.2f}, 99th {cuts[98]:.2f}, longest {max(times):.2f}"
            )
        for outcome, count in sorted(load.outcomes.items()):
            print(f"  {outcome:28} {count}")
        print(f"jobs by id: {len(load.ids)}, of which different {len(set(load.ids))}")
        print(f"resident memory: {before:.0f} MB, half way {half or 0:.0f}, at the end {after:.0f}")
        print(f"open descriptors at the end: {descriptors}")
        return 1 if check(load, server) else 0


def check(load: Load, server: Server) -> list[str]:
    """What became of jobs that should not have."""
    wrong = [
        name
        for name in load.outcomes
        if name.partition(": ")[2] not in (*GOOD, "200", "done", "503", "refused")
    ]
    states = {
        state: int(server.metric(f'kandinsky_jobs_total{{state="{state}"}}'))
        for state in ("done", "failed", "cancelled")
    }
    served = 1 + sum(load.outcomes[name] for name in ("text: 200", "image: 200", "job: done"))
    left = sum(count for name, count in load.outcomes.items() if name.partition(": ")[2] in GOOD)
    print(f"jobs by the server's count: {states}; {served} were served, {left} clients left")
    if states["failed"]:
        wrong.append("jobs failed")
    if not served <= states["done"] <= served + left:
        wrong.append("jobs were lost or done twice")
    if len(set(load.ids)) != len(load.ids):
        wrong.append("two jobs have one id")
    print("wrong:", ", ".join(wrong) or "nothing")
    return wrong


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--queue", type=int, default=48)
    parser.add_argument("--tls", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        tls = Path(folder) if options.tls else None
        sys.exit(run(options.seconds, options.clients, options.queue, tls))
