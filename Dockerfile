# JupyterLab with the course, for whoever has Docker and nothing else. How to start it safely: .devcontainer/README.md
#
#     docker build --tag vaecourse .
#     docker run --init --rm -it -p 127.0.0.1:8888:8888 vaecourse
#
# Not proven: hadolint has read this file and its commands were run one by one as another user, but there was no Docker.

# Python on Debian 12 for x86_64 and ARM. The digest is the one that many public repositories gave for this tag in September
# 2026, as an index of all platforms; it could not be looked up at the registry. ci.yml runs the tests in the same image.
FROM python:3.11.16-slim-bookworm@sha256:a36c24f9cbdf4fd0f52d67f0823eeac19c2028c637cecc392d97f980d4fec56b AS base

# Without versions: Debian keeps no old ones.
# hadolint ignore=DL3008
RUN apt-get update && \
    apt-get install --yes --no-install-recommends ca-certificates git make && \
    rm -rf /var/lib/apt/lists/* && \
    useradd --create-home --uid 1000 --shell /bin/bash learner && \
    install --directory --owner learner --group learner /home/learner/vaecourse
USER 1000:1000
WORKDIR /home/learner/vaecourse

# What a codespace starts from ends here: it brings the course along, and installs it itself (.devcontainer/devcontainer.json).
FROM base AS lab

# PyTorch's own index: cpu, or cu126 for NVIDIA GPUs with that CUDA. Empty means PyPI's build, with gigabytes of CUDA.
ARG TORCH=cpu

COPY --chown=learner:learner . .
RUN --mount=type=cache,target=/home/learner/.cache,uid=1000,gid=1000 \
    UV_LINK_MODE=copy make .venv/installed-lab TORCH="$TORCH"
# learn/ belongs to the learner, and so does a volume that is filled from it.
RUN .venv/bin/python -m tools.edition

# 0.0.0.0 is every address of the container, and of nothing else while it is published as above. A token guards it: a new one
# at each start, in the address that is printed, or yours in JUPYTER_TOKEN.
EXPOSE 8888
CMD [".venv/bin/python", "-m", "tools.lab", "--no-browser", "--ip=0.0.0.0"]
