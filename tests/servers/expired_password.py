"""A server whose users' passwords have expired: it answers them with PASSWD_CHANGEREQ (RFC 4252 section 8).

    expired_password.py KEY [BANNER]    serves a free port of 127.0.0.1 with this host key, and prints the port
"""

import asyncio
import sys
import warnings

warnings.simplefilter("ignore")

import asyncssh


class Server(asyncssh.SSHServer):
    def connection_made(self, connection):
        self.connection = connection

    def password_auth_supported(self):
        return True

    def validate_password(self, username, password):
        if len(sys.argv) > 2:
            self.connection.send_auth_banner(sys.argv[2])
        raise asyncssh.PasswordChangeRequired("Your password has expired")

    def change_password(self, username, old, new):
        print("changed", flush=True)
        return True


async def serve():
    server = await asyncssh.listen("127.0.0.1", 0, server_factory=Server, server_host_keys=[sys.argv[1]])
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.get_running_loop().create_future()


asyncio.run(serve())
