"""OTLP in: HTTP (protobuf and JSON) and gRPC, for traces, metrics and logs.

`intake` is what both transports share: payload to masked rows to the store's queue.
`http` is an ASGI app, `grpc` a server of grpcio.
"""
