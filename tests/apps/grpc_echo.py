"""A gRPC service that knows nothing of the gateway, and a client of it. Messages are plain bytes."""

import queue
import sys
from concurrent import futures

import grpc


def same(data):
    return data


def unary(request, context):
    metadata = dict(context.invocation_metadata())
    context.set_trailing_metadata((("x-user", metadata.get("remote-user", "nobody")),))
    if request == b"fail":
        context.abort(grpc.StatusCode.FAILED_PRECONDITION, "as asked")
    return request.upper()


def download(request, context):
    for number in range(int(request)):
        yield str(number).encode()


def chat(requests, context):
    for request in requests:
        yield b"re: " + request


def run_server():
    handlers = {
        "Unary": grpc.unary_unary_rpc_method_handler(unary, same, same),
        "Download": grpc.unary_stream_rpc_method_handler(download, same, same),
        "Chat": grpc.stream_stream_rpc_method_handler(chat, same, same),
    }
    server = grpc.server(futures.ThreadPoolExecutor(8))
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("echo.Echo", handlers),))
    print(server.add_insecure_port("127.0.0.1:0"), flush=True)
    server.start()
    server.wait_for_termination()


def talk(target, token, ca):
    if ca:
        channel = grpc.secure_channel(target, grpc.ssl_channel_credentials(open(ca, "rb").read()))
    else:
        channel = grpc.insecure_channel(target)
    metadata = (("authorization", f"Bearer {token}"),)

    call = channel.unary_unary("/echo.Echo/Unary", same, same)
    answer, rpc = call.with_call(b"hello", metadata=metadata, timeout=20)
    print("unary", answer.decode(), dict(rpc.trailing_metadata())["x-user"])

    for request, headers in [(b"fail", metadata), (b"hello", ())]:
        try:
            call(request, metadata=headers, timeout=20)
        except grpc.RpcError as error:
            print("error", error.code().name, error.details() if headers else "")

    stream = channel.unary_stream("/echo.Echo/Download", same, same)
    received = list(stream(b"1000", metadata=metadata, timeout=20))
    print("download", len(received), received[-1].decode())

    # each answer is awaited before the next message: neither side may wait for the other's end
    asked, answers, outbox = [b"one", b"two", b"three"], [], queue.Queue()
    conversation = channel.stream_stream("/echo.Echo/Chat", same, same)(iter(outbox.get, None), metadata=metadata, timeout=20)
    for message in asked:
        outbox.put(message)
        answers.append(next(conversation).decode())
    outbox.put(None)
    print("chat", ", ".join(answers), len(list(conversation)))


if sys.argv[1] == "serve":
    run_server()
else:
    talk(sys.argv[2], sys.argv[3], sys.argv[4] if len(sys.argv) > 4 else None)
