"""How much traffic the server takes, and how long its clients wait: `python -m benchmarks serving`.

Clients in a process of their own keep their connections open and send one image after the other, as
784 numbers in JSON. Each setting of the server is measured with 1, 16, 64 and 256 of them.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import jax
import numpy as np

from mnist_code.model import init_network_params
from mnist_code.storage import save_params

CLIENTS = (1, 16, 64, 256)
SECONDS = 4.0  # for each number of clients
COMMAND = ("-m", "mnist_code", "serve", "--port=0")
# Without sharing: each request waits until the one before it has been answered.
ALONE = """import sys
from mnist_code import cli, serve
serve.MAX_IMAGES = 1
sys.exit(cli.main(["serve", "--port=0", "--wait-milliseconds=0"]))"""
SERVERS = {
    "each alone": ("-c", ALONE),
    "no waiting": (*COMMAND, "--wait-milliseconds=0"),
    "2 ms": (*COMMAND, "--wait-milliseconds=2"),
    "5 ms": (*COMMAND, "--wait-milliseconds=5"),
}


async def client(address: tuple[str, int], request: bytes, end: float) -> list[float]:
    """Send one request after the other until `end`; how long each took."""
    reader, writer = await asyncio.open_connection(*address)
    times = []
    with contextlib.closing(writer):
        while time.perf_counter() < end:
            begin = time.perf_counter()
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200 "), head
            match = re.search(rb"content-length: (\d+)", head)
            assert match is not None
            await reader.readexactly(int(match[1]))
            times.append(time.perf_counter() - begin)
    return times


def crowd(address: tuple[str, int], count: int, seconds: float) -> list[float]:
    """All the times of some clients."""
    image = np.random.default_rng(0).random(784).round(3).tolist()
    body = json.dumps({"instances": [image]}).encode()
    request = (
        b"POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
    )

    async def all_of_them():
        end = time.perf_counter() + seconds
        runs = [client(address, request, end) for _ in range(count)]
        return [t for times in await asyncio.gather(*runs) for t in times]

    return asyncio.run(all_of_them())


def measure(
    arguments: Sequence[str],
    environment: dict[str, str] | None = None,
    seconds: float = SECONDS,
) -> dict[str, dict[str, float]]:
    """Start a server with these Python arguments, and measure it for each number of clients."""
    rows = {}
    with tempfile.TemporaryDirectory() as folder:
        save_params(
            Path(folder, "params.safetensors"), init_network_params(jax.random.key(0))
        )
        server = subprocess.Popen(
            [sys.executable, *arguments], cwd=folder, env=environment, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            assert server.stdout is not None
            match = re.search(r"http://([\d.]+):(\d+)", server.stdout.readline())
            assert match is not None, "the server does not start"
            address = match[1], int(match[2])
            crowd(address, 4, 0.5)  # not counted
            for count in CLIENTS:
                times = np.array(crowd(address, count, seconds))
                half, most = 1000 * np.percentile(times, [50, 99])
                rows[str(count)] = {
                    "requests_per_second": round(len(times) / seconds, 1),
                    "median_ms": round(float(half), 2),
                    "slow_ms": round(float(most), 2),  # 99 % are quicker
                }
        finally:
            server.terminate()
            server.communicate()
    return rows
