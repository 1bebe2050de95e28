# `idxhub board` in a container. docs/how-to/benchmark-classifiers.md has the commands; the context is the repository.
FROM python:3.13-slim AS build
WORKDIR /source
COPY pyproject.toml README.md LICENSE ./
COPY core core
COPY adapters adapters
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheels .

FROM python:3.13-slim
ARG EXTRAS=board
# LightGBM's wheel needs the system's OpenMP
RUN apt-get update && apt-get install --yes --no-install-recommends libgomp1 && rm -rf /var/lib/apt/lists/*
COPY --from=build /wheels /wheels
RUN pip install --no-cache-dir "$(echo /wheels/*.whl)[$EXTRAS]"
RUN useradd --create-home board && install --directory --owner=board /results /cache
USER board
ENV IDXHUB_CACHE=/cache
VOLUME ["/results", "/cache"]
WORKDIR /results
ENTRYPOINT ["idxhub", "board"]
CMD ["run", "smoke.jsonl", "--tier", "smoke"]
