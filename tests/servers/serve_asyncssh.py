"""AsyncSSH as a server: see cells.py."""

import asyncio

import asyncssh
from asyncssh.encryption import get_encryption_algs
from asyncssh.kex import get_kex_algs
from asyncssh.mac import get_mac_algs
from asyncssh.public_key import get_public_key_algs

import cells


class Server(asyncssh.SSHServer):
    """Lets nobody in."""

    def public_key_auth_supported(self):
        return True

    def password_auth_supported(self):
        return True


def lists():
    """GSSAPI needs a Kerberos realm, and a security key its hardware."""
    return {
        "kex": [name for name in get_kex_algs() if not name.startswith(b"gss-")],
        "host_key": [name for name in get_public_key_algs() if not name.startswith(b"sk-")],
        "cipher": get_encryption_algs(),
        "mac": get_mac_algs(),
    }


async def listen(wanted):
    for address, cell in wanted.items():
        if "key" in cell:
            (key,) = asyncssh.load_keypairs(cell["key"])
        else:
            (key,) = asyncssh.load_keypairs([asyncssh.generate_private_key(cell["host_key"])])
        # A key of its own for every listener: which algorithm is to sign, AsyncSSH 2.10 keeps in the key.
        if "host_key" in cell:
            key.host_key_algorithms = [cell["host_key"].encode("ascii")]
        pinned = {}
        for kind, option in (("kex", "kex_algs"), ("cipher", "encryption_algs"), ("mac", "mac_algs")):
            if kind in cell:
                pinned[option] = [cell[kind]]
        await asyncssh.listen(address, cells.PORT, server_factory=Server, server_host_keys=[key], **pinned)
    cells.ready()
    await asyncio.get_running_loop().create_future()


def serve(wanted):
    asyncio.run(listen(wanted))


if __name__ == "__main__":
    cells.run(lists, serve)
