"""A server that says something while it thinks about a password, as it may (DEBUG and IGNORE, RFC 4253 section 11).

    slow_password.py KEY accept|refuse    serves a free port of 127.0.0.1 with this host key, and prints the port
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

    async def validate_password(self, username, password):
        self.connection.send_debug("asking the directory")
        await asyncio.sleep(4)
        return sys.argv[2] == "accept"


async def serve():
    server = await asyncssh.listen("127.0.0.1", 0, server_factory=Server, server_host_keys=[sys.argv[1]])
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.get_running_loop().create_future()


asyncio.run(serve())
