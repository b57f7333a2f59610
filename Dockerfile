# A server of reward models on a processor: no root, no data, no model inside.
#
#   docker build -t rewardsmith .
#   rewardsmith serve-key trainer --keys keys.json
#   docker run --read-only --tmpfs /tmp --stop-timeout 60 -p 8000:8000 \
#       -v "$PWD/runs/demo/model:/model:ro" -v "$PWD/keys.json:/keys.json:ro" rewardsmith
#
# The model must have passed its gate (its verdict lies beside it, or --verdict names it), or the command must end with
# --allow-ungated. Other models, names and options: whatever `rewardsmith serve --help` says goes behind the image's name.

FROM python:3.11-slim AS build

# An index of packages with PyTorch's CPU builds, where the default one has builds for CUDA, which are ten times as large:
# --build-arg TORCH_INDEX=URL
ARG TORCH_INDEX=""

ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
RUN python -m venv /opt/rewardsmith
ENV PATH=/opt/rewardsmith/bin:$PATH
WORKDIR /source

# What is pinned changes less often than the source: two layers.
COPY constraints.txt ./
RUN pip install -c constraints.txt ${TORCH_INDEX:+--extra-index-url "$TORCH_INDEX"} setuptools torch
COPY LICENSE README.md pyproject.toml ./
COPY src src
RUN pip install -c constraints.txt --no-build-isolation '.[serve]'

FROM python:3.11-slim

RUN useradd --uid 10001 --create-home --shell /usr/sbin/nologin rewardsmith
COPY --from=build /opt/rewardsmith /opt/rewardsmith

# Nothing is fetched from a hub. The cache of a converted model, the only thing that is written, goes where a container
# with a read-only root has room.
ENV PATH=/opt/rewardsmith/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    HF_HUB_OFFLINE=1 \
    XDG_CACHE_HOME=/tmp/cache

USER 10001
WORKDIR /home/rewardsmith
EXPOSE 8000

# Whether it answers at all. Readiness is another question, for the load balancer: /health/ready.
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/health/live', timeout=4)"]

ENTRYPOINT ["rewardsmith", "serve"]
CMD ["/model", "--host", "0.0.0.0", "--port", "8000", "--keys", "/keys.json"]
