# Adds the harness to Playwright's Python image, which includes the Chromium used for recording (see docs/docker.md).
ARG PLAYWRIGHT=1.65.0
FROM mcr.microsoft.com/playwright/python:v${PLAYWRIGHT}-noble

# The image's Chromium belongs to a specific Playwright version, so the Python package must have that same version.
ARG PLAYWRIGHT
WORKDIR /opt/recording-harness
COPY pyproject.toml README.md LICENSE ./
COPY harness harness
COPY web web
# Also install Dask, so that the image can run a Dask scheduler or worker (see docs/clusters.md).
RUN pip install --no-cache-dir ".[dask]" "playwright==${PLAYWRIGHT}"

# Playwright's image also contains fonts for participants' names: fonts-ipafont-gothic (Japanese), fonts-wqy-zenhei
# (Chinese), fonts-noto-color-emoji, and fonts-freefont-ttf and fonts-unifont (other scripts, for example Arabic and
# Korean).

# Any user can run the harness, for example with `docker run --user 12345`, and the root file system can be read-only if
# /tmp is not. The user might have no home directory, and Chrome needs one.
ENV HOME=/tmp HARNESS_RECORDINGS=/recordings PYTHONUNBUFFERED=1
RUN mkdir --mode=1777 /recordings
WORKDIR /tmp
VOLUME /recordings

# This user is part of Playwright's image. Unlike root, it can use Chrome's sandbox if the container allows user
# namespaces.
USER pwuser

ENTRYPOINT ["harness"]
CMD ["doctor"]
