# The server for docker-compose.yml, built from the root of the repository.
FROM golang:1.26.8-alpine AS build
WORKDIR /src
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -o /otelprof ./server/cmd/otelprof && mkdir /data

FROM alpine:3.22.2
COPY --from=build /otelprof /usr/local/bin/otelprof
COPY --from=build --chown=65534:65534 /data /data
USER 65534:65534
ENTRYPOINT ["otelprof"]
