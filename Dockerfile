# Adds the harness to Playwright's Python image, which includes the Chromium that records (see docs/docker.md).
ARG PLAYWRIGHT=1.65.0
FROM mcr.microsoft.com/playwright/python:v${PLAYWRIGHT}-noble

# The image's Chromium belongs to one version of Playwright, so the Python package must have the same version.
ARG PLAYWRIGHT
WORKDIR /opt/recording-harness
COPY pyproject.toml README.md LICENSE ./
COPY harness harness
COPY web web
# Install Dask as well, so that the image can also run a Dask scheduler or worker (see docs/clusters.md).
RUN pip install --no-cache-dir ".[dask]" "playwright==${PLAYWRIGHT}"

# The container's user may have no home directory, and Chrome needs one.
ENV HOME=/tmp HARNESS_RECORDINGS=/recordings PYTHONUNBUFFERED=1
RUN mkdir --mode=1777 /recordings
WORKDIR /tmp
VOLUME /recordings

ENTRYPOINT ["harness"]
CMD ["doctor"]
