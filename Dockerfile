# The server, and nothing that builds it. The final stage holds one virtual environment and an ordinary user.
ARG PYTHON=3.11.14-slim-bookworm

FROM python:${PYTHON} AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /src
RUN python -m venv /opt/prefilter
COPY requirements/build.txt requirements/serve.txt requirements/
RUN /opt/prefilter/bin/pip install --require-hashes -r requirements/build.txt -r requirements/serve.txt
COPY pyproject.toml README.md LICENSE ./
COPY prefilter prefilter
COPY models models
COPY classifier classifier
COPY serving serving
COPY eval eval
RUN /opt/prefilter/bin/pip install --no-deps --no-build-isolation . \
 && /opt/prefilter/bin/prefilter model verify \
 && /opt/prefilter/bin/pip uninstall --yes setuptools pip

FROM python:${PYTHON}
RUN useradd --system --uid 10001 --home-dir /var/lib/prefilter --shell /usr/sbin/nologin prefilter \
 && install --directory --owner=prefilter --mode=0700 /var/lib/prefilter
COPY --from=build /opt/prefilter /opt/prefilter
ENV PATH=/opt/prefilter/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PREFILTER_ENVIRONMENT=production \
    PREFILTER_HOME=/var/lib/prefilter \
    PREFILTER_HOST=0.0.0.0 \
    PREFILTER_PORT=8080
USER 10001
WORKDIR /var/lib/prefilter
VOLUME /var/lib/prefilter
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
  CMD ["python", "-c", "import os, urllib.request as u; u.urlopen(f\"http://127.0.0.1:{os.environ['PREFILTER_PORT']}/readyz\", timeout=4)"]
ENTRYPOINT ["prefilter"]
CMD ["serve"]
