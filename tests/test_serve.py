"""The server, over real HTTP: right answers, and a sentence for whatever is wrong."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import http.client
import io
import json
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from importlib import metadata
from urllib.parse import urlsplit

import jax.numpy as jnp
import numpy as np
import pytest
from helpers import ROOT
from PIL import Image

from mnist_code import serve as module
from mnist_code.cli import main
from mnist_code.data import as_vectors
from mnist_code.errors import MissingDependencyError
from mnist_code.images import read_image
from mnist_code.model import probabilities
from mnist_code.normalize import normalize_batch
from mnist_code.serve import (
    MAX_BYTES,
    MAX_IMAGES,
    PICTURES,
    Batcher,
    RequestError,
    classifier,
    images_of,
    predictions,
)
from mnist_code.storage import save_params

READ_SECONDS = 1.5


class Server:
    """The command `serve` in a process of its own, and ways to talk to it."""

    def __init__(self, folder, params, normalization="none"):
        save_params(folder / "params.safetensors", params, normalization)
        with open(folder / "log", "w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "mnist_code", "serve", "--port=0",
                 f"--read-seconds={READ_SECONDS}"],
                cwd=folder, stdout=subprocess.PIPE, stderr=log, text=True,
            )  # fmt: skip
        self.log = folder / "log"
        line = self.process.stdout.readline()
        self.url = re.fullmatch(r"Serving on (\S+) \(Ctrl-C stops it\)\n", line)[1]
        self.address = urlsplit(self.url).hostname, urlsplit(self.url).port

    def ask(self, method, path, body=None, content_type=None):
        """Status and content of an answer."""
        connection = http.client.HTTPConnection(*self.address, timeout=30)
        headers = {} if content_type is None else {"Content-Type": content_type}
        with contextlib.closing(connection):
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            return response.status, response.read()

    def invoke(self, body, content_type="application/json"):
        """Status and decoded content of `POST /invocations`."""
        status, content = self.ask("POST", "/invocations", body, content_type)
        return status, json.loads(content)

    def send(self, *pieces, pause=0.0):
        """What comes back for raw bytes, sent piece by piece, until the server closes."""
        received = b""
        with socket.create_connection(self.address, timeout=30) as connection:
            with contextlib.suppress(ConnectionError):
                for piece in pieces:
                    connection.sendall(piece)
                    time.sleep(pause)
            with contextlib.suppress(ConnectionError):
                while part := connection.recv(65536):
                    received += part
        return received


@pytest.fixture(scope="module")
def server(tmp_path_factory, trained):
    server = Server(tmp_path_factory.mktemp("serve"), trained)
    yield server
    server.process.kill()
    server.process.communicate()
    assert "Traceback" not in server.log.read_text()


def as_json(images):
    return json.dumps({"instances": np.asarray(images).tolist()})


def as_picture(image, kind="PNG", side=200):
    file = io.BytesIO()
    Image.fromarray(255 - image[..., 0]).resize((side, side)).save(file, kind)
    return file.getvalue()


# Right answers


def test_ping_says_that_it_lives(server):
    """A container that SageMaker takes for dead: /ping must answer 200."""
    assert server.ask("GET", "/ping") == (200, b"")


@pytest.mark.parametrize("shape", [(784,), (28, 28), (28, 28, 1)])
@pytest.mark.parametrize("count", [1, 5, MAX_IMAGES])
def test_json_is_answered_as_the_network_would(count, shape, server, dataset, trained):
    """Answers of padding, in another order, or of images that were scaled twice."""
    images = as_vectors(dataset.test_images[:count])
    status, content = server.invoke(as_json(images.reshape(count, *shape)))
    assert status == 200
    expected = np.asarray(probabilities(trained, jnp.asarray(images)))
    found = [row["probabilities"] for row in content["predictions"]]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)
    labels = [row["label"] for row in content["predictions"]]
    assert labels == expected.argmax(axis=1).tolist()


def test_images_are_normalized_if_the_network_needs_it(tmp_path, dataset, trained):
    """A file's note that the command does not pass on: wrong answers, and no error."""
    server = Server(tmp_path, trained, "moments")
    images = as_vectors(dataset.test_images[:3])
    try:
        status, content = server.invoke(as_json(images))
    finally:
        server.process.kill()
        server.process.communicate()
    assert status == 200
    expected = probabilities(trained, normalize_batch(jnp.asarray(images)))
    found = [row["probabilities"] for row in content["predictions"]]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("content_type", [*PICTURES, "Image/PNG; charset=x"])
def test_a_picture_is_answered_as_predict_would(content_type, server, dataset, trained):
    """A picture that the server sees differently from `predict`, or whose type it refuses."""
    kind = "JPEG" if "jpeg" in content_type else "PNG"
    picture = as_picture(dataset.test_images[0], kind)
    status, content = server.invoke(picture, content_type)
    (found,) = content["predictions"]
    vectors = as_vectors(read_image(picture)[None])
    expected = np.asarray(probabilities(trained, jnp.asarray(vectors))[0])
    np.testing.assert_allclose(found["probabilities"], expected, atol=1e-5)
    assert (status, found["label"]) == (200, expected.argmax())


def test_a_doubtful_picture_is_answered_with_a_hint(server, dataset, trained):
    """A doubt that the command tells and the server keeps to itself; or one about everything."""
    images = dataset.test_images
    certain = int(
        probabilities(trained, jnp.asarray(as_vectors(images))).max(axis=1).argmax()
    )
    _, content = server.invoke(as_picture(images[certain]), "image/png")
    assert "hint" not in content
    two = as_picture(np.hstack([images[certain], images[0]]), side=400)
    status, content = server.invoke(two, "image/png")
    assert status == 200
    assert content["hint"].startswith("Not sure: the picture shows 2 shapes")
    assert "hint" not in server.invoke(as_json(as_vectors(images[:1])))[1]


def test_sixty_four_clients_at_once_are_all_answered(server, dataset, trained):
    """A request lost in a crowd, or an answer that went to another client."""
    images = as_vectors(dataset.test_images[:64])
    expected = np.asarray(probabilities(trained, jnp.asarray(images)))
    pictures = [as_picture(image) for image in dataset.test_images[:64]]
    seen = np.stack([read_image(picture) for picture in pictures])
    of_pictures = np.asarray(probabilities(trained, jnp.asarray(as_vectors(seen))))

    def client(index):
        as_numbers = server.invoke(as_json(images[index : index + 1]))
        as_png = server.invoke(pictures[index], "image/png")
        return [as_numbers, as_png]

    with concurrent.futures.ThreadPoolExecutor(64) as clients:
        answers = list(clients.map(client, range(64)))
    for place, rows in enumerate((expected, of_pictures)):
        found = [pair[place] for pair in answers]
        assert {status for status, _ in found} == {200}
        found = [content["predictions"][0]["probabilities"] for _, content in found]
        np.testing.assert_allclose(found, rows, rtol=0, atol=1e-5)


def test_one_connection_takes_several_requests(server, dataset):
    """A connection closed after each answer, which a load balancer would open anew."""
    connection = http.client.HTTPConnection(*server.address, timeout=30)
    body = as_json(as_vectors(dataset.test_images[:1]))
    with contextlib.closing(connection):
        for _ in range(3):
            connection.request(
                "POST", "/invocations", body, {"Content-Type": "application/json"}
            )
            used = connection.sock
            assert connection.getresponse().read()
            assert connection.sock is used


# Bad input

BLACK = [0.0] * 784
MALFORMED = {
    "empty": (b"", "application/json", 400, "empty"),
    "no JSON": (b"{", "application/json", 400, "not valid JSON"),
    "not UTF-8": (b'{"instances": "\xff"}', "application/json", 400, "not valid JSON"),
    "too deep": (b"[" * 100_000, "application/json", 400, "not valid JSON"),
    "deep images": (b'{"instances":[' + b"[" * 70 + b"]" * 70 + b"]}", "application/json",
                    400, "784"),
    "a list": (b"[[0]]", "application/json", 400, "instances"),
    "another name": (b'{"inputs": []}', "application/json", 400, "instances"),
    "no images": (b'{"instances": []}', "application/json", 400, "1 to 256"),
    "an image alone": (json.dumps({"instances": BLACK}), "application/json", 400, "1 to 256"),
    "too many": (json.dumps({"instances": [[0]] * 257}), "application/json", 400, "1 to 256"),
    "too short": (json.dumps({"instances": [BLACK[1:]]}), "application/json", 400, "784"),
    "ragged": (json.dumps({"instances": [BLACK, [0.0]]}), "application/json", 400, "784"),
    "words": (json.dumps({"instances": [["0"] * 784]}), "application/json", 400, "784"),
    "true": (json.dumps({"instances": [[True] * 784]}), "application/json", 400, "784"),
    "null": (json.dumps({"instances": [[None] * 784]}), "application/json", 400, "784"),
    "huge": (json.dumps({"instances": [[10**400] * 784]}), "application/json", 400, "784"),
    "bytes": (json.dumps({"instances": [[255] * 784]}), "application/json", 400, "divide"),
    "negative": (json.dumps({"instances": [[-1] * 784]}), "application/json", 400, "divide"),
    "NaN": (json.dumps({"instances": [[np.nan] * 784]}), "application/json", 400, "divide"),
    "infinity": (json.dumps({"instances": [[np.inf] * 784]}), "application/json", 400, "divide"),
    "no picture": (b"no picture", "image/png", 400, "not an image"),
    "a blank picture": (as_picture(np.zeros((28, 28, 1), np.uint8)), "image/png", 400, "digit"),
    "half a picture": (as_picture(np.eye(28, dtype=np.uint8)[..., None] * 255)[:150], "image/png",
                       400, "corrupt"),
    "wrong type": (b"x", "text/plain", 415, "text/plain"),
    "no type": (b"x", "", 415, "missing"),
    "too large": (b" " * (MAX_BYTES + 1), "application/json", 413, f"{MAX_BYTES:,}"),
}  # fmt: skip


@pytest.mark.parametrize(
    ("body", "content_type", "status", "words"), MALFORMED.values(), ids=MALFORMED
)
def test_bad_input_is_told_what_is_wrong(body, content_type, status, words, server):
    """A 500, a traceback, or an answer of nonsense."""
    found, content = server.invoke(body, content_type)
    assert found == status
    assert list(content) == ["error"]
    assert words in content["error"]
    assert "Traceback" not in content["error"]


def test_a_picture_of_huge_size_in_a_small_file_is_refused(server):
    """Gigabytes of memory for a file of kilobytes."""
    file = io.BytesIO()
    Image.new("L", (20_000, 20_000)).save(file, "PNG")
    assert len(file.getvalue()) < MAX_BYTES
    status, content = server.invoke(file.getvalue(), "image/png")
    assert status == 400
    assert "too large" in content["error"]


def test_pillow_is_left_as_it_is(trained):
    """A limit of the server that also binds other code that uses Pillow in the process."""
    before = Image.MAX_IMAGE_PIXELS
    module.create_app(trained)
    assert before == Image.MAX_IMAGE_PIXELS


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/invocations", 405), ("POST", "/ping", 405), ("GET", "/", 404)],
)
def test_other_routes_are_refused_in_json(method, path, status, server):
    """An error that a client cannot parse like the others."""
    found, content = server.ask(method, path)
    assert found == status
    assert list(json.loads(content)) == ["error"]


HEAD = b"POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"


def test_a_body_that_never_ends_is_refused(server):
    """Memory filled by a client that announces no length."""
    chunk = b"100000\r\n" + b" " * 2**20 + b"\r\n"
    received = server.send(HEAD, b"Transfer-Encoding: chunked\r\n\r\n", *[chunk] * 100)
    assert received.startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize(
    ("pieces", "status"),
    [
        ([], b""),
        ([HEAD[:1]] * 5, b""),
        ([HEAD, b"Content-Length: 999\r\n\r\n", *[b" "] * 6], b"HTTP/1.1 408 "),
    ],
    ids=["no request", "a byte of headers now and then", "a byte of body now and then"],
)
def test_slow_clients_are_cut_off(pieces, status, server):
    """Connections that a few idle clients hold forever; others wait meanwhile."""
    begin = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(1) as other:
        slow = other.submit(server.send, *pieces, pause=0.5)
        time.sleep(0.2)
        assert server.ask("GET", "/ping") == (200, b"")
        received = slow.result()
    assert received.startswith(status)
    assert (received == b"") == (status == b"")
    assert time.monotonic() - begin < READ_SECONDS + 10


def test_what_is_no_http_is_refused(server):
    """A traceback in the log, or a connection left open."""
    assert server.send(b"\x16\x03\x01 hello\r\n\r\n").startswith(b"HTTP/1.1 400 ")


def test_a_client_that_leaves_is_no_error(server):
    """A traceback in the log for each client that gives up."""
    with socket.create_connection(server.address) as connection:
        connection.sendall(HEAD + b"Content-Length: 999\r\n\r\n{")
    assert server.ask("GET", "/ping") == (200, b"")


def test_requests_are_counted(server, dataset):
    """Counters that stand still, or a path made up by a client that becomes a name of its own."""

    def counts():
        status, text = server.ask("GET", "/metrics")
        assert status == 200
        lines = [line for line in text.decode().splitlines() if line[:1] != "#"]
        return {name: float(n) for name, n in (line.rsplit(" ", 1) for line in lines)}

    before = counts()
    body = as_json(as_vectors(dataset.test_images[:3]))
    server.invoke(body)
    server.invoke(b"{")
    server.ask("GET", "/made-up")
    after = counts()
    changed = {name for name, value in after.items() if value != before.get(name)}
    for path, status in (("/invocations", 200), ("/invocations", 400), ("other", 404)):
        name = f'digits_requests_total{{path="{path}",status="{status}"}}'
        assert after[name] == before.get(name, 0) + 1
    images = "digits_batch_images_sum"
    assert after[images] == before.get(images, 0) + 3
    assert not any("made-up" in name for name in changed)


def test_requests_are_logged_and_pings_are_not(server):
    """A log that says nothing about a failure, or that is full of health checks."""
    server.ask("GET", "/ping")
    server.invoke(b"{")
    server.ask("GET", "/no%0Asuch")
    time.sleep(0.1)
    *_, bad, missing = server.log.read_text().splitlines()
    assert re.fullmatch(r'\S+Z 127\.0\.0\.1 "POST /invocations" 400 [\d.]+ ms', bad)
    assert re.fullmatch(r'\S+Z 127\.0\.0\.1 "GET /no%0Asuch" 404 [\d.]+ ms', missing)
    assert '"GET /ping"' not in server.log.read_text()


# Starting and stopping


def test_it_says_that_it_is_not_ready_yet(monkeypatch, trained):
    """Traffic sent to a server that still compiles; "Serving on", and then a refusal."""
    go_on = threading.Event()

    def slow(params, normalization):
        assert go_on.wait(20)
        return classifier(params)

    monkeypatch.setattr(module, "classifier", slow)
    told = []

    async def visit():
        app = module.create_app(
            trained, ready=lambda: told.append(app.state.preparing.done())
        )
        async with app.router.lifespan_context(app):
            before = [
                await status_of(app, "GET", "/ping"),
                await status_of(app, "POST", "/invocations"),
                await status_of(app, "GET", "/metrics"),
                list(told),
            ]
            go_on.set()
            await app.state.preparing
            return before, await status_of(app, "GET", "/ping")

    assert asyncio.run(visit()) == ([503, 503, 200, []], 200)
    assert told == [True]


async def status_of(app, method, path):
    """The status with which an application answers an empty request, without a server."""
    sent = []

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message):
        sent.append(message)

    scope = {
        "type": "http", "method": method, "path": path, "headers": [],
        "query_string": b"", "root_path": "", "app": app, "state": {},
    }  # fmt: skip
    await app(scope, receive, send)
    return sent[0]["status"]


@pytest.mark.parametrize("way", [signal.SIGTERM, signal.SIGINT])
def test_a_request_under_way_is_answered_before_it_stops(
    way, tmp_path, trained, dataset
):
    """A request lost each time a container is replaced; a process that does not stop."""
    server = Server(tmp_path, trained)
    body = as_json(as_vectors(dataset.test_images[:1])).encode()
    head = HEAD + f"Content-Length: {len(body)}\r\n\r\n".encode()
    with socket.create_connection(server.address, timeout=30) as connection:
        connection.sendall(head + body[:100])
        time.sleep(0.3)
        server.process.send_signal(way)
        time.sleep(0.3)
        connection.sendall(body[100:])
        assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")
    assert server.process.wait(20) == (-way if way == signal.SIGTERM else 130)
    assert "Traceback" not in server.log.read_text()
    server.process.stdout.close()


def test_a_port_in_use_is_told(server, trained, tmp_path, capsys):
    """A traceback where another server runs already."""
    save_params(tmp_path / "params", trained)
    with pytest.raises(SystemExit, match="2"):
        main(["serve", "--params", str(tmp_path / "params"),
              "--port", str(server.address[1])])  # fmt: skip
    error = capsys.readouterr().err.splitlines()[-1]
    assert "address already in use" in error, error


@pytest.mark.parametrize(
    ("option", "words"),
    [("--port=99999", "from 0 to 65535"), ("--host=nowhere.invalid", "cannot listen")],
)
def test_an_impossible_address_is_told(option, words, trained, tmp_path, capsys):
    """A traceback of a socket's."""
    save_params(tmp_path / "params", trained)
    with pytest.raises(SystemExit, match="2"):
        main(["serve", "--params", str(tmp_path / "params"), option])
    assert words in capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize(
    ("given", "arguments", "port"),
    [("8123", [], 8123), ("8123", ["--port=8124"], 8124), (None, [], 8080)],
)
def test_the_port_that_sagemaker_chose_is_used(
    given, arguments, port, monkeypatch, trained, tmp_path
):
    """A container among several that listens where nobody asks."""
    monkeypatch.delenv("SAGEMAKER_BIND_TO_PORT", raising=False)
    if given:
        monkeypatch.setenv("SAGEMAKER_BIND_TO_PORT", given)
    used = []
    monkeypatch.setattr(
        module, "serve", lambda params, host, port, *_, **__: used.append(port)
    )
    save_params(tmp_path / "params", trained)
    assert main(["serve", "--params", str(tmp_path / "params"), *arguments]) == 0
    assert used == [port]


def test_bad_parameters_are_refused(tmp_path, capsys):
    """A server that starts without a network."""
    assert main(["serve", "--params", str(tmp_path / "missing")]) == 1
    assert "Cannot use" in capsys.readouterr().err


def test_without_its_packages_it_says_what_to_install(monkeypatch, trained):
    """A traceback where an optional package is missing."""
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    with pytest.raises(MissingDependencyError, match="pip install"):
        module.serve(trained, port=0)
    with pytest.raises(MissingDependencyError, match="pip install"):
        module.create_app(trained)


# The parts, without HTTP


def together(classify, sizes, seconds=0.01):
    """The answers to requests of some sizes that arrive at once, and the batches they made."""
    batches = []

    async def ask():
        batcher = Batcher(classify, seconds, batches.append)
        requests = [
            batcher(np.full((size, 784), place, np.float32))
            for place, size in enumerate(sizes)
        ]
        return await asyncio.gather(*requests, return_exceptions=True)

    return asyncio.run(ask()), batches


def test_requests_that_arrive_together_are_classified_together():
    """A call of the network for every client, or an answer that goes to another one."""
    answers, batches = together(lambda images: images[:, :10] + 1, [1, 3, 2])
    assert batches == [6]
    assert [len(rows) for rows in answers] == [1, 3, 2]
    assert [set(rows.ravel()) for rows in answers] == [{1.0}, {2.0}, {3.0}]


def test_a_batch_never_holds_more_than_was_compiled():
    """A shape that is compiled while clients wait."""
    answers, batches = together(lambda images: images[:, :10], [200, 100, 156, 256, 1])
    assert batches == [200, 256, 256, 1]
    assert [len(rows) for rows in answers] == [200, 100, 156, 256, 1]


def test_a_batch_that_fails_fails_for_its_own_requests_only():
    """A batcher that answers nobody after one error."""

    def fussy(images):
        if images.max() == 0:
            raise RuntimeError("no zeros")
        return images[:, :10]

    (first, second), batches = together(fussy, [256, 256])
    assert isinstance(first, RuntimeError)
    assert len(second) == 256
    assert batches == [256, 256]


def test_a_row_is_answered_with_its_label():
    """A label that is not the likeliest."""
    rows = np.eye(10, dtype=np.float32)[[3, 7]]
    assert [row["label"] for row in predictions(rows)["predictions"]] == [3, 7]


def test_nothing_is_compiled_after_the_start(trained):
    """The first request of an odd size, waiting for the compiler."""
    import jax._src.test_util as test_util

    classify = classifier(trained)
    with test_util.count_jit_compilation_cache_miss() as count:
        for size in (1, 2, 3, 100, MAX_IMAGES):
            assert classify(np.zeros((size, 784), np.float32)).shape == (size, 10)
    assert count() == 0


def test_an_error_knows_its_status():
    """A sentence without the number that HTTP needs."""
    with pytest.raises(RequestError, match="empty") as caught:
        images_of("application/json", b"")
    assert caught.value.status == 400


# The container

DOCKERFILE = (ROOT / "Dockerfile").read_text()


def test_what_the_container_copies_exists():
    """A file renamed, and a container that no longer builds."""
    copies = re.findall(r"^COPY (.+) \S+$", DOCKERFILE, re.MULTILINE)
    assert copies
    for name in " ".join(copies).split():
        assert (ROOT / name).exists(), name


STAGES = {  # the name of each stage: what it starts from, and what it does
    name: (start, text)
    for start, name, text in re.findall(
        r"^FROM (\S+) AS (\S+)$(.*?)(?=^FROM|\Z)", DOCKERFILE, re.MULTILINE | re.DOTALL
    )
}


def stages(name):
    """The text of a stage and of all that it starts from."""
    start, text = STAGES[name]
    return (stages(start) if start in STAGES else "") + text


def installed_by(name):
    """The packages that a stage installs, with all that they require."""
    lines = re.findall(r"pip install .*-c constraints.txt \\\n(.*)", stages(name))
    queue = " ".join(lines).replace('"$JAX"', "jax").replace("\\", "").split()
    installed = set()
    while queue:
        package = queue.pop().lower().replace("_", "-")
        with contextlib.suppress(metadata.PackageNotFoundError):  # for another system
            required = [] if package in installed else metadata.requires(package) or []
            queue += [re.match(r"[\w.-]+", r)[0] for r in required if "extra" not in r]
            installed.add(package)
    return installed


def test_the_container_runs_the_command():
    """SageMaker runs the image with the one argument `serve`, and wants signals passed on."""
    text = stages("sagemaker")
    (entry,) = re.findall(r"^ENTRYPOINT (.+)$", text, re.MULTILINE)
    (command,) = re.findall(r"^CMD (.+)$", text, re.MULTILINE)
    assert json.loads(entry) == ["python", "-m", "mnist_code"]
    assert json.loads(command) == ["serve"]
    assert re.search(r"^EXPOSE 8080$", text, re.MULTILINE)
    assert re.search(r"^WORKDIR /opt/ml/model$", text, re.MULTILINE)
    assert re.search(r"MNIST_CODE_HOST=0\.0\.0\.0", text)
    label = r"^LABEL com\.amazonaws\.sagemaker\.capabilities\.accept-bind-to-port=true$"
    assert re.search(label, text, re.MULTILINE)


def test_only_sagemaker_gets_root():
    """A server that strangers reach, with all rights; SageMaker refuses any other user."""
    assert list(STAGES)[-1] == "serve"  # what is built unless another is named
    assert re.search(r"^USER \d+:\d+$", stages("serve"), re.MULTILINE)
    assert not re.search(r"^USER", stages("sagemaker"), re.MULTILINE)


def test_the_image_for_training_has_what_training_needs():
    """A job on a cluster that stops because Orbax or Optax is missing."""
    needed = {"orbax-checkpoint", "optax", "tensorflow-datasets", "scikit-learn", "jax"}
    assert needed <= installed_by("train")
    assert "starlette" not in installed_by("train")


def test_the_container_installs_all_that_serving_imports(python, trained, tmp_path):
    """An image that lacks a package, seen only when it starts."""
    installed = installed_by("serve")
    assert "tensorflow" not in installed
    save_params(tmp_path / "params", trained)
    absent = [
        module
        for module, owners in metadata.packages_distributions().items()
        if module != "mnist_code"
        and not installed & {name.lower().replace("_", "-") for name in owners}
    ]
    program = (
        f"import sys; sys.modules |= dict.fromkeys({absent})\n"
        "from mnist_code import cli, serve, storage\n"
        "serve.create_app(storage.load_params('params'))\n"
        "import uvicorn.protocols.http.h11_impl\n"
    )
    result = python("-c", program)
    assert (result.returncode, result.stderr) == (0, "")
    assert {"tensorflow", "matplotlib"} <= set(absent)
