"""How much traffic the server takes, and how long its clients wait: `python -m benchmarks.serving`.

Clients in a process of their own keep their connections open and send one image after the other, as
784 numbers in JSON. Each setting of the server is measured with 1, 16, 64 and 256 of them.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import jax
import numpy as np

from benchmarks import machine
from mnist_code.model import init_network_params
from mnist_code.storage import save_params

CLIENTS = (1, 16, 64, 256)


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


def measure(options: list[str], seconds: float) -> list[dict[str, Any]]:
    """Start a server, and print and return a line for each number of clients."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        save_params(
            Path(folder, "params.safetensors"), init_network_params(jax.random.key(0))
        )
        server = subprocess.Popen(
            [sys.executable, "-m", "mnist_code", "serve", "--port=0", *options],
            cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
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
                row = {
                    "options": " ".join(options),
                    "clients": count,
                    "requests_per_second": round(len(times) / seconds, 1),
                    "median_ms": round(float(half), 2),
                    "slow_ms": round(float(most), 2),  # 99 % are quicker
                }
                rows.append(row)
                print(
                    " ".join(f"{key} {value}" for key, value in row.items()), flush=True
                )
        finally:
            server.terminate()
            server.communicate()
    return rows


def main() -> None:
    """Measure the settings that were named, or those that the book compares."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.serving", description=__doc__
    )
    parser.add_argument("--seconds", type=float, default=4.0, help="for each line")
    parser.add_argument(
        "--options", nargs="*", help="of `serve`, one word for each server"
    )
    parser.add_argument("--out", type=Path, help="a file for the figures, as JSON")
    options = parser.parse_args()
    settings = options.options
    if settings is None:
        settings = [
            "--wait-milliseconds=0",
            "--wait-milliseconds=2",
            "--wait-milliseconds=5",
        ]
    rows = [
        row for setting in settings for row in measure(setting.split(), options.seconds)
    ]
    if options.out is None:
        return
    record = {"machine": machine.describe(), "rows": rows}
    options.out.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
