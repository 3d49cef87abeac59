# Tidegate's image: built on Debian 12 from its packages, run without a shell's worth of extras and without root.
#   docker build -t tidegate . && docker run -p 8080:8080 -v ./tidegate.yaml:/etc/tidegate/tidegate.yaml tidegate
FROM debian:bookworm AS build
WORKDIR /src
COPY deploy/install-deps deploy/install-deps
RUN deploy/install-deps
COPY . .
RUN cmake -S . -B /build -G Ninja -DCMAKE_BUILD_TYPE=Release -Wno-dev && cmake --build /build --target tidegate \
    && strip --strip-debug /build/tidegate
RUN deploy/image-root /build/tidegate /image

FROM scratch
COPY --from=build /image /
USER 65532:65532
ENV STATE_DIRECTORY=/var/lib/tidegate
VOLUME /var/lib/tidegate
EXPOSE 8080 9900 9902
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/bin/tidegate"]
CMD ["run", "--config", "/etc/tidegate/tidegate.yaml"]
