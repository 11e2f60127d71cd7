# Adds the harness to Playwright's Python image, whose Chromium makes the recordings (see docs/docker.md).
ARG PLAYWRIGHT=1.65.0
FROM mcr.microsoft.com/playwright/python:v${PLAYWRIGHT}-noble

# The image contains the Chromium for one version of Playwright, so the Python package must have the same version.
ARG PLAYWRIGHT
WORKDIR /opt/recording-harness
COPY pyproject.toml README.md LICENSE ./
COPY harness harness
COPY web web
# With Dask, the image can also run a scheduler or a worker (see docs/clusters.md).
RUN pip install --no-cache-dir ".[dask]" "playwright==${PLAYWRIGHT}"

# The container's user may have no home directory, and Chrome needs one.
ENV HOME=/tmp HARNESS_RECORDINGS=/recordings PYTHONUNBUFFERED=1
RUN mkdir --mode=1777 /recordings
WORKDIR /tmp
VOLUME /recordings

ENTRYPOINT ["harness"]
CMD ["doctor"]
