# The server of chapter 15 in a container that fits Amazon SageMaker's contract for hosting:
# it is run with the argument `serve`, as root, with the model's files in /opt/ml/model.
#
#   docker build -t digits .
#   docker run -p 8080:8080 -v "$PWD/params.safetensors:/opt/ml/model/params.safetensors:ro" digits
FROM python:3.12-slim

# Several containers behind one address, or one after another: SageMaker then chooses the port and
# passes it as SAGEMAKER_BIND_TO_PORT, which `serve` reads. The server holds one model, so there is
# no label multi-models, which promises that models can be loaded and unloaded by request.
LABEL com.amazonaws.sagemaker.capabilities.accept-bind-to-port=true

WORKDIR /src
COPY constraints.txt pyproject.toml requirements.txt README.md LICENSE ./
COPY mnist_code mnist_code
# What serving imports, and no more: no TensorFlow, no Jupyter.
RUN pip install --no-cache-dir -c constraints.txt \
    jax jaxtyping numpy safetensors scipy pillow tqdm filelock anyio starlette uvicorn \
    && pip install --no-cache-dir --no-deps .

ENV MNIST_CODE_HOST=0.0.0.0 \
    PYTHONUNBUFFERED=1
EXPOSE 8080
# The command looks for params.safetensors here, where SageMaker unpacks the model's archive.
WORKDIR /opt/ml/model
ENTRYPOINT ["python", "-m", "mnist_code"]
CMD ["serve"]
