"""A trained network behind HTTP: the container contract of Amazon SageMaker.

`GET /ping` says that the server lives, `POST /invocations` takes pictures and gives labels and
probabilities. What comes from outside is bounded in size and time, and whatever is wrong with it,
the answer is one sentence of JSON with a status from 400 to 499.

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
from PIL import Image

from mnist_code.data import as_vectors
from mnist_code.errors import (
    ConfigError,
    ImageError,
    MissingDependencyError,
    MnistCodeError,
)
from mnist_code.images import read_image
from mnist_code.model import Params, probabilities

if TYPE_CHECKING:
    from starlette.requests import Request

MAX_BYTES = 6 * 2**20  # a photograph from a phone
MAX_IMAGES = 256  # in one request
MAX_PIXELS = 25_000_000  # of one picture; a small file can hold a huge one
MAX_CONNECTIONS = 256  # further ones are told 503
READ_SECONDS = 10.0  # for a client to send its request
STOP_SECONDS = (
    25  # to finish what has begun; SageMaker kills 30 s after it asked to stop
)


class RequestError(MnistCodeError):
    """A request that cannot be answered; `status` is what HTTP calls the reason."""

    def __init__(self, status: int, message: str):
        super().__init__(message)
        self.status = status


def answer(
    classify: Callable[[np.ndarray], np.ndarray], content_type: str, body: bytes
) -> dict[str, Any]:
    """What `POST /invocations` says to one request.

    Args:
        classify: images (n, 784), float32 from 0 to 1, to probabilities (n, 10).
        content_type: `image/png` or `image/jpeg` for one picture, brought to MNIST's form;
            `application/json` for `{"instances": [...]}`, each 784 or 28 × 28 numbers from 0 to 1.
        body: the bytes of it.

    Returns:
        `{"predictions": [{"label": ..., "probabilities": [...]}]}`, one for each image.

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
    if content_type in ("image/png", "image/jpeg"):
        try:
            images = as_vectors(read_image(body)[None])
        except ImageError as error:
            raise RequestError(400, str(error)) from None
    elif content_type == "application/json":
        images = _instances(body)
    else:
        raise RequestError(
            415,
            "The Content-Type must be image/png, image/jpeg or application/json, "
            f"not {content_type or 'missing'}.",
        )
    predictions = [
        {"label": int(row.argmax()), "probabilities": row.tolist()}
        for row in classify(images)
    ]
    return {"predictions": predictions}


def _instances(body: bytes) -> Float[np.ndarray, "n 784"]:
    """The images of a JSON request, as the network takes them."""
    try:
        held = json.loads(body)
    except (ValueError, RecursionError):
        raise RequestError(400, "The body is no JSON.") from None
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
    if not (images.min() >= 0 and images.max() <= 1):  # not a number is neither
        raise RequestError(
            400, "Each number must be from 0 (black) to 1 (white); divide bytes by 255."
        )
    return images.reshape(len(images), -1).astype(np.float32)


def classifier(params: Params) -> Callable[[np.ndarray], np.ndarray]:
    """Compile the network for 1, 2, 4, ... images at once, before the first request comes.

    A batch is padded with black images to the next of these sizes, so nothing is compiled later.

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
    """The application, of Starlette's: an ASGI server such as Uvicorn can run it.

    Args:
        params: of the trained network.
        read_seconds: how long a client may take to send its request.

    Raises:
        MissingDependencyError: Starlette is not installed.
    """
    _demand_packages()
    import anyio
    from starlette.applications import Starlette
    from starlette.exceptions import HTTPException
    from starlette.requests import ClientDisconnect
    from starlette.responses import JSONResponse, Response
    from starlette.routing import Route

    Image.MAX_IMAGE_PIXELS = MAX_PIXELS // 2  # Pillow refuses twice as many
    classify = classifier(params)
    workers = anyio.CapacityLimiter(os.cpu_count() or 1)  # others wait their turn

    async def ping(request):
        return Response()

    async def invocations(request):
        try:
            async with asyncio.timeout(read_seconds):
                body = await _read(request)
            content_type = request.headers.get("content-type", "").split(";")[0].strip()
            return JSONResponse(
                await anyio.to_thread.run_sync(
                    answer, classify, content_type.lower(), body, limiter=workers
                )
            )
        except RequestError as error:
            return refuse(error.status, str(error))
        except TimeoutError:
            return refuse(408, f"The request did not arrive in {read_seconds:g} s.")
        except ClientDisconnect:
            return Response(status_code=400)  # nobody reads it

    def refuse(status, message):
        return JSONResponse({"error": message}, status, {"Connection": "close"})

    async def refuse_route(request, error):
        return JSONResponse({"error": error.detail}, error.status_code, error.headers)

    return Starlette(
        routes=[
            Route("/ping", ping),
            Route("/invocations", invocations, methods=["POST"]),
        ],
        exception_handlers={HTTPException: refuse_route},
    )


async def _read(request: Request) -> bytes:
    """The body, if it is not too large."""
    too_large = RequestError(413, f"The body must be at most {MAX_BYTES:,} bytes.")
    body = bytearray()
    size = 0
    async for part in request.stream():
        size += len(part)
        if size <= MAX_BYTES:
            body += part
        elif size > 8 * MAX_BYTES:  # until then it is read, so that its sender listens
            raise too_large
    if size > MAX_BYTES:
        raise too_large
    return bytes(body)


def serve(
    params: Params,
    host: str = "127.0.0.1",
    port: int = 8080,
    read_seconds: float = READ_SECONDS,
) -> None:
    """Serve until the process is asked to stop, and print one line when it is ready.

    Args:
        params: of the trained network.
        host: the address to listen on: 127.0.0.1 for this machine alone, 0.0.0.0 for all.
        port: 0 for one that is free.
        read_seconds: how long a client may take to send its request.

    Raises:
        MissingDependencyError: Starlette or Uvicorn is not installed.
        ConfigError: `port` is none, or the address cannot be listened on.
    """
    _demand_packages()
    import uvicorn
    from uvicorn.protocols.http.h11_impl import H11Protocol

    class Impatient(H11Protocol):
        """Closes the connection of a client that sends no whole request line and headers."""

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
        reason = (error.strerror or str(error)).lower()
        raise ConfigError(
            f"cannot listen on {host}, port {port}: {reason}; choose another --host or --port"
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


def _demand_packages() -> None:
    try:
        import starlette  # noqa: F401
        import uvicorn  # noqa: F401
    except ImportError as error:
        raise MissingDependencyError(
            "Serving needs the packages starlette and uvicorn. "
            'Install them: pip install -c constraints.txt -e ".[serve]"'
        ) from error
