"""A trained network, served over HTTP, following the container contract of Amazon SageMaker AI.

`GET /ping` says whether the server is ready; `POST /invocations` takes pictures and returns labels
and probabilities; `GET /metrics` reports counts and times to Prometheus. Pictures that arrive
within a few milliseconds are classified together. Requests are limited in size and time, and error
messages are JSON.

Source: "Custom inference code with hosting services", Amazon SageMaker AI Developer Guide.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import jax
import numpy as np
from jaxtyping import Float

from mnist_code.config import (
    HOST,
    NUM_PIXELS,
    PORT,
    READ_SECONDS,
    SIDE,
    WAIT_SECONDS,
)
from mnist_code.data import as_vectors
from mnist_code.errors import (
    ConfigError,
    ImageError,
    MissingDependencyError,
    MnistCodeError,
    reason,
)
from mnist_code.images import doubts, read_with_hints
from mnist_code.model import Params, probabilities
from mnist_code.normalize import VIEWS

if TYPE_CHECKING:
    from starlette.requests import Request

# SageMaker's own clients send pictures as application/x-image, others as plain bytes.
PICTURES = (
    "image/png", "image/jpeg", "application/x-image", "application/octet-stream",
)  # fmt: skip
IMAGE_SHAPES = (NUM_PIXELS,), (SIDE, SIDE), (SIDE, SIDE, 1)  # of an image in JSON
MAX_BYTES = 6 * 2**20  # a photograph from a phone
MAX_IMAGES = 256  # per request
MAX_PIXELS = 25_000_000  # per picture; a small file can hold a huge one
MAX_CONNECTIONS = 512  # further ones are answered with 503
STOP_SECONDS = 25  # to finish open requests; SageMaker kills 30 s after asking to stop


class RequestError(MnistCodeError):
    """A request that cannot be answered; `status` is the HTTP status code."""

    def __init__(self, status: int, message: str):
        super().__init__(message)
        self.status = status


def images_of(
    content_type: str, body: bytes
) -> tuple[Float[np.ndarray, "n 784"], list[str] | None]:
    """The images of one request to `POST /invocations`, in the form that the network takes.

    Args:
        content_type: one of `PICTURES` for one picture, which is brought to MNIST's form;
            `application/json` for `{"instances": [...]}`, each 784 or 28 × 28 numbers from 0 to 1.
        body: the bytes of the request.

    Returns:
        The images, and what may make the answer for a picture doubtful (None for JSON).

    Raises:
        RequestError: the body is empty, of another type, malformed, or holds too many images.

    Example:
        >>> body = json.dumps({"instances": [[0.5] * 784]}).encode()
        >>> images_of("application/json", body)[0].shape
        (1, 784)
    """
    if not body:
        raise RequestError(
            400, "The request is empty. Send a PNG, a JPEG or JSON in its body."
        )
    if content_type in PICTURES:
        try:
            picture, hints = read_with_hints(body, MAX_PIXELS)
        except ImageError as error:
            raise RequestError(400, str(error)) from None
        return as_vectors(picture[None]), hints
    if content_type == "application/json":
        return _instances(body), None
    raise RequestError(
        415,
        f"The Content-Type must be {', '.join(PICTURES)} or application/json, "
        f"not {content_type or 'missing'}.",
    )


def predictions(
    rows: Float[np.ndarray, "n 10"], hints: list[str] | None = None
) -> dict[str, Any]:
    """The answer to `POST /invocations`, from the probabilities of its images.

    Returns:
        `{"predictions": [{"label": ..., "probabilities": [...]}]}`, one for each image; and a
        "hint" that says why, if the answer for a picture may well be wrong.

    Example:
        >>> predictions(np.eye(10, dtype=np.float32)[[3]])["predictions"][0]["label"]
        3
    """
    answer: dict[str, Any] = {
        "predictions": [
            {"label": int(row.argmax()), "probabilities": row.tolist()} for row in rows
        ]
    }
    if hints is not None and (hint := doubts(hints, float(rows.max()))):
        answer["hint"] = hint
    return answer


def _instances(body: bytes) -> Float[np.ndarray, "n 784"]:
    """The images of a JSON request, in the form that the network takes."""
    try:
        held = json.loads(body)
    except (ValueError, RecursionError):
        raise RequestError(
            400, 'The body is not valid JSON. Send {"instances": [...]}.'
        ) from None
    instances = held.get("instances") if isinstance(held, dict) else None
    if not isinstance(instances, list) or not 1 <= len(instances) <= MAX_IMAGES:
        raise RequestError(
            400,
            f'The JSON must be {{"instances": [...]}} with 1 to {MAX_IMAGES} images.',
        )
    try:
        images = np.array(instances)
    except (ValueError, OverflowError):  # lists of unequal length, or far too deep
        images = np.array(None)
    if images.dtype.kind not in "iuf" or images.shape[1:] not in IMAGE_SHAPES:
        raise RequestError(
            400, "Each image must be a list of 784 numbers, or 28 lists of 28 numbers."
        )
    if not (images.min() >= 0 and images.max() <= 1):  # also refuses NaN
        raise RequestError(
            400, "Each number must be from 0 (black) to 1 (white); divide bytes by 255."
        )
    return images.reshape(len(images), -1).astype(np.float32)


def classifier(
    params: Params, normalization: str = "none"
) -> Callable[[np.ndarray], np.ndarray]:
    """Compile the network for 1, 2, 4, ... images at once, before the first request arrives.

    Batches are padded with black images to the next of these sizes, so nothing is compiled later.

    Args:
        params: the trained network's parameters.
        normalization: how images are normalized for this network, a name in `normalize.VIEWS`.

    Returns:
        A function from images, (n, 784) with n at most `MAX_IMAGES`, to probabilities (n, 10).

    Example:
        >>> from mnist_code.model import init_network_params
        >>> classify = classifier(init_network_params(jax.random.key(0)))
        >>> classify(np.zeros((3, 784), np.float32)).shape
        (3, 10)
    """
    view = VIEWS[normalization]
    compiled = jax.jit(lambda params, images: probabilities(params, view(images)))

    def classify(images):
        padding = (1 << (len(images) - 1).bit_length()) - len(images)
        padded = np.pad(images, ((0, padding), (0, 0)))
        return np.asarray(compiled(params, padded))[: len(images)]

    for exponent in range(MAX_IMAGES.bit_length()):
        classify(np.zeros((1 << exponent, NUM_PIXELS), np.float32))
    return classify


class Batcher:
    """Classifies the images of several requests together.

    The first request waits a moment, in which others may join it. While one batch is being
    classified, the next one gathers.

    Args:
        classify: images (n, 784), n at most `MAX_IMAGES`, to probabilities (n, 10).
        seconds: how long the first request of a batch waits for others; with 0, only
            requests that are already waiting join the batch.
        observe: called with the number of images of every batch, if given.
    """

    def __init__(
        self,
        classify: Callable[[np.ndarray], np.ndarray],
        seconds: float = WAIT_SECONDS,
        observe: Callable[[int], Any] | None = None,
    ):
        self.classify, self.seconds, self.observe = classify, seconds, observe
        self._waiting: list[tuple[np.ndarray, asyncio.Future]] = []
        self._running: asyncio.Task | None = None

    async def __call__(
        self, images: Float[np.ndarray, "n 784"]
    ) -> Float[np.ndarray, "n 10"]:
        """The probabilities of these images, once their batch has been classified."""
        answer = asyncio.get_running_loop().create_future()
        self._waiting.append((images, answer))
        if self._running is None:
            self._running = asyncio.create_task(self._run())
        return await answer

    async def _run(self) -> None:
        """Classify batch after batch until nobody waits."""
        while self._waiting:
            await asyncio.sleep(self.seconds)
            batch = self._next()
            images = np.concatenate([images for images, _ in batch])
            if self.observe:
                self.observe(len(images))
            try:
                rows = await asyncio.to_thread(self.classify, images)
            except Exception as error:
                for _, answer in batch:
                    if not answer.done():
                        answer.set_exception(error)
                continue
            first = 0
            for images, answer in batch:
                if not answer.done():  # the client may have left
                    answer.set_result(rows[first : first + len(images)])
                first += len(images)
        self._running = None

    def _next(self) -> list[tuple[np.ndarray, asyncio.Future]]:
        """Those who have waited longest, with at most `MAX_IMAGES` images."""
        count = total = 0
        for images, _ in self._waiting:
            if total + len(images) > MAX_IMAGES:
                break
            total += len(images)
            count += 1
        batch, self._waiting = self._waiting[:count], self._waiting[count:]
        return batch


def create_app(
    params: Params,
    read_seconds: float = READ_SECONDS,
    wait_seconds: float = WAIT_SECONDS,
    ready: Callable[[], None] | None = None,
    normalization: str = "none",
) -> Any:
    """A Starlette application, which any ASGI server can run; `serve` uses Uvicorn.

    It compiles the network in the background. Until that is done, `/ping` and `/invocations` answer
    503.

    Args:
        params: the trained network's parameters.
        read_seconds: how long a client may take to send its request.
        wait_seconds: how long a request waits for others to be classified with.
        ready: called once the network is compiled and requests are answered, if given.
        normalization: how images are normalized for this network, a name in `normalize.VIEWS`.

    Raises:
        MissingDependencyError: a package that serving needs is not installed.
    """
    _require_packages()
    import anyio
    from starlette.applications import Starlette
    from starlette.exceptions import HTTPException
    from starlette.requests import ClientDisconnect
    from starlette.responses import JSONResponse, Response
    from starlette.routing import Route

    counters = _Counters()
    workers = anyio.CapacityLimiter(os.cpu_count() or 1)  # others wait their turn

    def prepare():
        classify = classifier(params, normalization)
        return Batcher(classify, wait_seconds, counters.batches.observe)

    def announce(preparing):
        # Not before: whoever hears of it may send a request at once.
        if ready and not preparing.cancelled() and not preparing.exception():
            ready()

    @contextlib.asynccontextmanager
    async def lifespan(app):
        app.state.preparing = asyncio.create_task(asyncio.to_thread(prepare))
        app.state.preparing.add_done_callback(announce)
        yield

    def batcher(request):
        preparing = request.app.state.preparing
        if not preparing.done():
            raise RequestError(503, "The server is still starting. Try again soon.")
        return preparing.result()

    async def ping(request):
        batcher(request)
        return Response()

    async def invocations(request):
        classify = batcher(request)
        body = await _read(request, read_seconds)
        content_type = request.headers.get("content-type", "").split(";")[0].strip()
        images, hints = await anyio.to_thread.run_sync(
            images_of, content_type.lower(), body, limiter=workers
        )
        return JSONResponse(predictions(await classify(images), hints))

    async def metrics(request):
        return Response(counters.text(), media_type=counters.media_type)

    async def refuse(request, error):  # part of the body may still be on its way: close
        return JSONResponse(
            {"error": str(error)}, error.status, {"Connection": "close"}
        )

    async def refuse_route(request, error):
        return JSONResponse({"error": error.detail}, error.status_code, error.headers)

    async def client_disconnected(request, error):
        return Response(status_code=400)

    app = Starlette(
        routes=[
            Route("/ping", ping),
            Route("/metrics", metrics),
            Route("/invocations", invocations, methods=["POST"]),
        ],
        lifespan=lifespan,
        exception_handlers={
            RequestError: refuse,
            HTTPException: refuse_route,
            ClientDisconnect: client_disconnected,
        },
    )
    app.add_middleware(_Watch, counters=counters)
    return app


class _Counters:
    """What `/metrics` reports, kept by Prometheus' own client library."""

    def __init__(self):
        import prometheus_client as prometheus

        self.registry = prometheus.CollectorRegistry()  # of this application alone
        self.requests = prometheus.Counter(
            "digits_requests", "Requests answered", ["path", "status"],
            registry=self.registry,
        )  # fmt: skip
        self.seconds = prometheus.Histogram(
            "digits_request_seconds", "Time from request to answer", ["path"],
            buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 10),
            registry=self.registry,
        )  # fmt: skip
        self.batches = prometheus.Histogram(
            "digits_batch_images", "Images classified together",
            buckets=[2**exponent for exponent in range(MAX_IMAGES.bit_length())],
            registry=self.registry,
        )  # fmt: skip
        self.media_type = prometheus.CONTENT_TYPE_LATEST
        self.text = lambda: prometheus.generate_latest(self.registry)


class _Watch:
    """Middleware that counts all requests, and logs all but routine checks to standard error."""

    # A counter for each, and one for the rest
    PATHS = "/ping", "/invocations", "/metrics"

    def __init__(self, app, counters):
        self.app, self.counters = app, counters

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        began, status = time.perf_counter(), 500

        async def watched(message):
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, watched)
        finally:
            seconds = time.perf_counter() - began
            path = scope["path"] if scope["path"] in self.PATHS else "other"
            self.counters.requests.labels(path, status).inc()
            self.counters.seconds.labels(path).observe(seconds)
            if path == "other" or path == "/invocations" or status != 200:
                client = (scope.get("client") or ("-",))[0]
                moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
                target = (scope.get("raw_path") or b"-").decode("ascii", "replace")
                print(
                    f'{moment} {client} "{scope["method"]} {target}" {status} '
                    f"{1000 * seconds:.1f} ms",
                    file=sys.stderr,
                )


async def _read(request: Request, seconds: float) -> bytes:
    """The body of a request, unless it is too large or too slow."""
    too_large = RequestError(413, f"The body must be at most {MAX_BYTES:,} bytes.")
    body = bytearray()
    size = 0
    try:
        async with asyncio.timeout(seconds):
            async for part in request.stream():
                size += len(part)
                if size <= MAX_BYTES:
                    body += part
                elif size > 8 * MAX_BYTES:  # most clients read only after sending all
                    raise too_large
    except TimeoutError:
        raise RequestError(
            408,
            f"The request did not arrive within {seconds:g} s. Send it faster, or raise the "
            "server's --read-seconds.",
        ) from None
    if size > MAX_BYTES:
        raise too_large
    return bytes(body)


def serve(
    params: Params,
    host: str = HOST,
    port: int = PORT,
    read_seconds: float = READ_SECONDS,
    wait_seconds: float = WAIT_SECONDS,
    normalization: str = "none",
) -> None:
    """Serve until the process is asked to stop; print one line when ready.

    It listens at once, and answers 503 until it is ready.

    Args:
        params: the trained network's parameters.
        host: the address to listen on: 127.0.0.1 for this machine alone, 0.0.0.0 for all.
        port: 0 for any that is free.
        read_seconds: how long a client may take to send its request.
        wait_seconds: how long a request waits for others to be classified with.
        normalization: how images are normalized for this network, a name in `normalize.VIEWS`.

    Raises:
        MissingDependencyError: a package that serving needs is not installed.
        ConfigError: `port` is out of range, or the server cannot listen on the address.
    """
    _require_packages()
    import uvicorn
    from uvicorn.protocols.http.h11_impl import H11Protocol

    class HeaderTimeoutProtocol(H11Protocol):
        """Closes the connection of a client that does not finish its request line and headers."""

        def connection_made(self, transport):
            super().connection_made(transport)
            self.loop.call_later(read_seconds, self.close_if_no_request)

        def close_if_no_request(self):
            if self.cycle is None:  # no complete request line and headers yet
                self.transport.close()

    if not 0 <= port <= 65535:
        raise ConfigError(f"port must be from 0 to 65535, not {port}")
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise ConfigError(
            f"cannot listen on {host}, port {port}: {reason(error)}; "
            "choose another --host or --port"
        ) from None
    with listener:
        name = f"[{host}]" if ":" in host else host
        address = f"http://{name}:{listener.getsockname()[1]}"

        def ready():
            print(f"Serving on {address} (Ctrl-C stops it)", flush=True)

        config = uvicorn.Config(
            create_app(params, read_seconds, wait_seconds, ready, normalization),
            http=HeaderTimeoutProtocol,
            ws="none",
            lifespan="on",
            access_log=False,  # ours says how long it took, too
            limit_concurrency=MAX_CONNECTIONS,
            timeout_graceful_shutdown=STOP_SECONDS,
        )
        uvicorn.Server(config).run(sockets=[listener])


def _require_packages() -> None:
    try:
        import anyio  # noqa: F401
        import prometheus_client  # noqa: F401
        import starlette  # noqa: F401
        import uvicorn  # noqa: F401
    except ImportError as error:
        raise MissingDependencyError(
            "Serving needs the packages anyio, prometheus_client, starlette and uvicorn. "
            'Install them: pip install -c constraints.txt -e ".[serve]"'
        ) from error
