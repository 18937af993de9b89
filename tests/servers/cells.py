"""What the matrix of real servers asks of each of them.

    serve_NAME.py list        prints the algorithms the library has, as JSON: kex, host_key, cipher, mac
    serve_NAME.py serve FILE  serves port 22 of every address in FILE, which is JSON: from an address to its cell

A cell may hold kex, host_key, cipher and mac, the one algorithm of its kind to be had there (absent: what the library offers
by itself), and key, the path of a private key. Where there is none the server is to make one that fits host_key.
"""

import json
import sys

PORT = 22


def run(lists, serve):
    """Does what the command line says. `serve` gets the cells and calls ready() when it listens everywhere."""
    if sys.argv[1] == "list":
        json.dump({kind: [text(name) for name in names] for kind, names in lists().items()}, sys.stdout)
        return
    with open(sys.argv[2], encoding="ascii") as file:
        serve(json.load(file))


def text(name):
    """A name in the one form, where some libraries have bytes."""
    return name.decode("ascii") if isinstance(name, bytes) else name


def ready():
    """Tells who started us that connections may come."""
    print("ready", file=sys.stderr, flush=True)
