# The service on the CPU. From the top of the repository:
#     docker build -f docker/cpu.Dockerfile -t distilld:cpu .
FROM debian:12.11-slim AS build
WORKDIR /src
COPY cmake/setup.sh cmake/swagger_ui.sh cmake/
RUN cmake/setup.sh build
COPY . .
RUN cmake -S . -B build -G Ninja -DDISTILL_TESTS=OFF && cmake --build build
RUN docker/libraries.sh build/distill build/distilld >build/libraries

FROM debian:12.11-slim
COPY --from=build /src/build/libraries /tmp/libraries
RUN apt-get update && DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -y \
        --no-install-recommends ca-certificates curl redis-server $(cat /tmp/libraries) && \
    rm -rf /tmp/libraries /var/lib/apt/lists/* && \
    useradd --uid 10001 --user-group --create-home --home-dir /data distill
COPY --from=build /src/build/distill /src/build/distilld /usr/local/bin/
USER 10001:10001
VOLUME /data
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=3s CMD ["curl", "-fsS", "http://127.0.0.1:8080/healthz"]
ENTRYPOINT ["distilld"]
CMD ["up", "data=/data", "host=0.0.0.0", "insecure=1"]
