# One image, every part: the command chooses (worker, gateway, console, topics ...).
FROM python:3.11-slim-bookworm AS build
WORKDIR /app
RUN pip install --no-cache-dir uv==0.13.9
COPY pyproject.toml uv.lock README.md LICENSE ./
RUN uv sync --frozen --no-dev --no-install-project
COPY schemas schemas
COPY fences fences
COPY pipeline pipeline
COPY agents agents
COPY gateway gateway
COPY console console
COPY fenceline fenceline
RUN uv sync --frozen --no-dev --no-editable

FROM python:3.11-slim-bookworm
RUN useradd --system --uid 10001 --create-home fenceline && install -d -o fenceline /var/lib/fenceline
COPY --from=build /app/.venv /app/.venv
ENV PATH=/app/.venv/bin:$PATH PYTHONUNBUFFERED=1 FENCELINE_DATA_DIR=/var/lib/fenceline
USER fenceline
WORKDIR /var/lib/fenceline
ENTRYPOINT ["fenceline"]
CMD ["--help"]
