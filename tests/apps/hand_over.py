"""Opens sockets as systemd does, and becomes the program that they are for.

hand_over.py PLACE... -- PROGRAM ARGUMENT...

A PLACE is `tcp` (a free port of 127.0.0.1) or the path of a unix socket. The ports are the first line on stdout.
"""

import os
import socket
import sys


def open_socket(place):
    if place == "tcp":
        opened = socket.create_server(("127.0.0.1", 0))
    else:
        opened = socket.socket(socket.AF_UNIX)
        opened.bind(place)
        opened.listen()
    return opened


def main():
    end = sys.argv.index("--")
    places, program = sys.argv[1:end], sys.argv[end + 1 :]
    opened = [open_socket(place) for place in places]
    ports = [str(one.getsockname()[1]) for one in opened if one.family == socket.AF_INET]
    print(" ".join(ports), flush=True)
    # out of the way first: the numbers below may be in use
    high = [os.dup2(one.fileno(), 100 + number) for number, one in enumerate(opened)]
    for number, descriptor in enumerate(high):
        os.dup2(descriptor, 3 + number, inheritable=True)
        os.close(descriptor)
    os.environ["LISTEN_FDS"] = str(len(opened))
    os.environ["LISTEN_PID"] = str(os.getpid())
    os.execvp(program[0], program)


main()
