"""A trained network behind HTTP, following the container contract of Amazon SageMaker.

`GET /ping` says that the server is up; `POST /invocations` takes pictures and returns labels and
probabilities. Requests are limited in size and time, and every refusal is a sentence of JSON with a
status from 400 to 499.

Source: "Custom inference code with hosting services", Amazon SageMaker AI Developer Guide.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import jax
import numpy as np
from jaxtyping import Float

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

if TYPE_CHECKING:
    from starlette.requests import Request

# SageMaker's own clients send pictures as application/x-image, others as plain bytes.
PICTURES = (
    "image/png", "image/jpeg", "application/x-image", "application/octet-stream",
)  # fmt: skip
MAX_BYTES = 6 * 2**20  # a photograph from a phone
MAX_IMAGES = 256  # per request
MAX_PIXELS = 25_000_000  # per picture; a small file can hold a huge one
MAX_CONNECTIONS = 256  # further ones are answered with 503
READ_SECONDS = 10.0  # for a client to send its request
STOP_SECONDS = 25  # to finish open requests; SageMaker kills 30 s after asking to stop


class RequestError(MnistCodeError):
    """A request that cannot be answered; `status` is HTTP's number for the reason."""

    def __init__(self, status: int, message: str):
        super().__init__(message)
        self.status = status


def answer(
    classify: Callable[[np.ndarray], np.ndarray], content_type: str, body: bytes
) -> dict[str, Any]:
    """The answer of `POST /invocations` to one request.

    Args:
        classify: images (n, 784), float32 from 0 to 1, to probabilities (n, 10).
        content_type: one of `PICTURES` for one picture, which is brought to MNIST's form;
            `application/json` for `{"instances": [...]}`, each 784 or 28 × 28 numbers from 0 to 1.
        body: the bytes of the request.

    Returns:
        `{"predictions": [{"label": ..., "probabilities": [...]}]}`, one for each image; and a
        "hint" that says why, if the answer for a picture may well be wrong.

    Raises:
        RequestError: the body is empty, of another type, malformed, or holds too many images.

    Example:
        >>> certain = np.eye(10, dtype=np.float32)[[3]]  # always says 3
        >>> body = json.dumps({"instances": [[0.5] * 784]}).encode()
        >>> answer(lambda images: certain, "application/json", body)["predictions"][0]["label"]
        3
    """
    if not body:
        raise RequestError(
            400, "The request is empty. Send a PNG, a JPEG or JSON in its body."
        )
    hints = None
    if content_type in PICTURES:
        try:
            picture, hints = read_with_hints(body, MAX_PIXELS)
        except ImageError as error:
            raise RequestError(400, str(error)) from None
        images = as_vectors(picture[None])
    elif content_type == "application/json":
        images = _instances(body)
    else:
        raise RequestError(
            415,
            f"The Content-Type must be {', '.join(PICTURES)} or application/json, "
            f"not {content_type or 'missing'}.",
        )
    rows = classify(images)
    predictions = [
        {"label": int(row.argmax()), "probabilities": row.tolist()} for row in rows
    ]
    if hints is not None and (hint := doubts(hints, float(rows.max()))):
        return {"predictions": predictions, "hint": hint}
    return {"predictions": predictions}


def _instances(body: bytes) -> Float[np.ndarray, "n 784"]:
    """The images of a JSON request, in the form that the network takes."""
    try:
        held = json.loads(body)
    except (ValueError, RecursionError):
        raise RequestError(400, "The body is not JSON.") from None
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
    if images.dtype.kind not in "iuf" or images.shape[1:] not in (
        (784,), (28, 28), (28, 28, 1),
    ):  # fmt: skip
        raise RequestError(
            400, "Each image must be a list of 784 numbers, or 28 lists of 28 numbers."
        )
    if not (images.min() >= 0 and images.max() <= 1):  # also refuses NaN
        raise RequestError(
            400, "Each number must be from 0 (black) to 1 (white); divide bytes by 255."
        )
    return images.reshape(len(images), -1).astype(np.float32)


def classifier(params: Params) -> Callable[[np.ndarray], np.ndarray]:
    """Compile the network for 1, 2, 4, ... images at once, before the first request arrives.

    Batches are padded with black images to the next of these sizes, so nothing is compiled later.

    Args:
        params: of the trained network.

    Returns:
        A function from images, (n, 784) with n at most `MAX_IMAGES`, to probabilities (n, 10).

    Example:
        >>> from mnist_code.model import init_network_params
        >>> classify = classifier(init_network_params(jax.random.key(0)))
        >>> classify(np.zeros((3, 784), np.float32)).shape
        (3, 10)
    """
    compiled = jax.jit(probabilities)

    def classify(images):
        padding = (1 << (len(images) - 1).bit_length()) - len(images)
        padded = np.pad(images, ((0, padding), (0, 0)))
        return np.asarray(compiled(params, padded))[: len(images)]

    for exponent in range(MAX_IMAGES.bit_length()):
        classify(np.zeros((1 << exponent, 784), np.float32))
    return classify


def create_app(params: Params, read_seconds: float = READ_SECONDS) -> Any:
    """A Starlette application, which any ASGI server (Uvicorn, for example) can run.

    Args:
        params: of the trained network.
        read_seconds: how long a client may take to send its request.

    Raises:
        MissingDependencyError: Starlette is not installed.
    """
    _require_packages()
    import anyio
    from starlette.applications import Starlette
    from starlette.exceptions import HTTPException
    from starlette.requests import ClientDisconnect
    from starlette.responses import JSONResponse, Response
    from starlette.routing import Route

    classify = classifier(params)
    workers = anyio.CapacityLimiter(os.cpu_count() or 1)  # others wait their turn

    async def ping(request):
        return Response()

    async def invocations(request):
        body = await _read(request, read_seconds)
        content_type = request.headers.get("content-type", "").split(";")[0].strip()
        return JSONResponse(
            await anyio.to_thread.run_sync(
                answer, classify, content_type.lower(), body, limiter=workers
            )
        )

    async def refuse(request, error):  # part of the body may still be on its way: close
        return JSONResponse(
            {"error": str(error)}, error.status, {"Connection": "close"}
        )

    async def refuse_route(request, error):
        return JSONResponse({"error": error.detail}, error.status_code, error.headers)

    async def nobody_listens(request, error):
        return Response(status_code=400)

    return Starlette(
        routes=[
            Route("/ping", ping),
            Route("/invocations", invocations, methods=["POST"]),
        ],
        exception_handlers={
            RequestError: refuse,
            HTTPException: refuse_route,
            ClientDisconnect: nobody_listens,
        },
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
                elif size > 8 * MAX_BYTES:  # a client hears us only when it has sent
                    raise too_large
    except TimeoutError:
        raise RequestError(
            408, f"The request did not arrive in {seconds:g} s."
        ) from None
    if size > MAX_BYTES:
        raise too_large
    return bytes(body)


def serve(
    params: Params,
    host: str = "127.0.0.1",
    port: int = 8080,
    read_seconds: float = READ_SECONDS,
) -> None:
    """Serve until the process is asked to stop; print one line when ready.

    Args:
        params: of the trained network.
        host: the address to listen on: 127.0.0.1 for this machine alone, 0.0.0.0 for all.
        port: 0 for any that is free.
        read_seconds: how long a client may take to send its request.

    Raises:
        MissingDependencyError: Starlette or Uvicorn is not installed.
        ConfigError: `port` is out of range, or nothing can listen on the address.
    """
    _require_packages()
    import uvicorn
    from uvicorn.protocols.http.h11_impl import H11Protocol

    class Impatient(H11Protocol):
        """Closes the connection of a client that does not finish its request line and headers."""

        def connection_made(self, transport):
            super().connection_made(transport)
            self.loop.call_later(read_seconds, self.close_if_silent)

        def close_if_silent(self):
            if self.cycle is None:  # of request and response
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
        config = uvicorn.Config(
            create_app(params, read_seconds),
            http=Impatient,
            ws="none",
            lifespan="off",
            limit_concurrency=MAX_CONNECTIONS,
            timeout_graceful_shutdown=STOP_SECONDS,
        )
        name = f"[{host}]" if ":" in host else host
        address = f"http://{name}:{listener.getsockname()[1]}"
        print(f"Serving on {address} (Ctrl-C stops it)", flush=True)
        uvicorn.Server(config).run(sockets=[listener])


def _require_packages() -> None:
    try:
        import anyio  # noqa: F401
        import starlette  # noqa: F401
        import uvicorn  # noqa: F401
    except ImportError as error:
        raise MissingDependencyError(
            "Serving needs the packages anyio, starlette and uvicorn. "
            'Install them: pip install -c constraints.txt -e ".[serve]"'
        ) from error
