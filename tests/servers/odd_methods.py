"""A server that refuses every key, and lists what it is told to.

    odd_methods.py KEY FIRST THEN PARTIAL    serves a free port of 127.0.0.1 with this host key, and prints the port

FIRST is listed for `none`, THEN in the refusal of a key; with PARTIAL `yes` that is a partial success.
"""

import socket
import sys
import threading

import paramiko


class Server(paramiko.ServerInterface):
    listed = sys.argv[2]

    def get_allowed_auths(self, username):
        return self.listed

    def check_auth_publickey(self, username, key):
        self.listed = sys.argv[3]
        return paramiko.AUTH_PARTIALLY_SUCCESSFUL if sys.argv[4] == "yes" else paramiko.AUTH_FAILED


def serve(connection):
    transport = paramiko.Transport(connection)
    transport.add_server_key(paramiko.RSAKey(filename=sys.argv[1]))
    try:
        transport.start_server(server=Server())
    except (paramiko.SSHException, EOFError):
        pass


listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
while True:
    connection, _ = listener.accept()
    threading.Thread(target=serve, args=(connection,), daemon=True).start()
