# The example webshop for docker-compose.yml, built from the root of the repository.
FROM golang:1.26.8-alpine AS build
WORKDIR /src
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -o /webshop ./examples/webshop

FROM alpine:3.22.2
COPY --from=build /webshop /usr/local/bin/webshop
USER 65534:65534
ENTRYPOINT ["webshop"]
