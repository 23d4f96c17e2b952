# The images of chapters 14 and 15. The last stage is built unless you name another:
#
#   docker build -t digits .                                    the server, as an unprivileged user
#   docker build -t digits-sagemaker --target sagemaker .       the same as root, as SageMaker wants
#   docker build -t digits-train --target train .               the command `train`, with checkpoints
#   docker build -t digits-gpu --build-arg JAX="jax[cuda13]" .  for NVIDIA GPUs; any stage
#
# Add --platform linux/amd64 where the image will run on another kind of processor than yours.
FROM python:3.12-slim AS base

# "jax[cuda13]" brings NVIDIA's libraries. The machine provides the driver and the Container
# Toolkit: docker run --gpus all ...
ARG JAX=jax
WORKDIR /src
COPY constraints.txt pyproject.toml requirements.txt README.md LICENSE ./
COPY mnist_code mnist_code
# What every stage imports: no TensorFlow, no Jupyter.
RUN pip install --no-cache-dir -c constraints.txt \
    "$JAX" jaxtyping numpy safetensors scipy pillow tqdm filelock \
    && pip install --no-cache-dir --no-deps .
ENV PYTHONUNBUFFERED=1
ENTRYPOINT ["python", "-m", "mnist_code"]

FROM base AS train
# Orbax for checkpoints, Optax for the recipes; the rest reads MNIST and the embedded digits.
RUN pip install --no-cache-dir -c constraints.txt \
    orbax-checkpoint optax scikit-learn tensorflow tensorflow-datasets importlib_resources
WORKDIR /run
CMD ["train"]

# It follows SageMaker's contract for hosting: it is run with the argument `serve`, as root, with
# the model's files in /opt/ml/model, where the command looks for params.safetensors.
FROM base AS sagemaker
RUN pip install --no-cache-dir -c constraints.txt \
    anyio prometheus_client starlette uvicorn
# Several containers behind one address, or one after another: SageMaker then chooses the port and
# passes it as SAGEMAKER_BIND_TO_PORT, which `serve` reads. The server holds one model, so there is
# no label multi-models, which promises that models can be loaded and unloaded by request.
LABEL com.amazonaws.sagemaker.capabilities.accept-bind-to-port=true
ENV MNIST_CODE_HOST=0.0.0.0
EXPOSE 8080
WORKDIR /opt/ml/model
CMD ["serve"]

# Everywhere else, as an unprivileged user, by number, so that Kubernetes can check runAsNonRoot.
#
#   docker run -p 8080:8080 -v "$PWD/params.safetensors:/opt/ml/model/params.safetensors:ro" digits
FROM sagemaker AS serve
USER 10001:10001
