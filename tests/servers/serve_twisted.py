"""Twisted Conch as a server: see cells.py."""

import sys

from twisted.conch.openssh_compat.primes import parseModuliFile
from twisted.conch.ssh import connection, keys, transport, userauth
from twisted.conch.ssh.factory import SSHFactory
from twisted.cred.checkers import InMemoryUsernamePasswordDatabaseDontUse
from twisted.cred.portal import Portal
from twisted.internet import reactor
from twisted.python import log

import cells


def lists():
    server = transport.SSHServerTransport
    return {
        "kex": server.supportedKeyExchanges,
        "host_key": server.supportedPublicKeys,
        "cipher": server.supportedCiphers,
        "mac": server.supportedMACs,
    }


class Factory(SSHFactory):
    """One cell."""

    services = {b"ssh-userauth": userauth.SSHUserAuthServer, b"ssh-connection": connection.SSHConnection}

    def __init__(self, cell, primes):
        self.cell = cell
        self.primes = primes
        key = keys.Key.fromFile(cell["key"])
        self.publicKeys = {key.sshType(): key.public()}
        self.privateKeys = {key.sshType(): key}
        # No realm, as nobody is ever let in.
        self.portal = Portal(None, [InMemoryUsernamePasswordDatabaseDontUse()])

    def buildProtocol(self, addr):
        protocol = super().buildProtocol(addr)
        protocol.supportedPublicKeys = [self.cell["host_key"].encode("ascii")]
        for kind, attribute in (
            ("kex", "supportedKeyExchanges"),
            ("cipher", "supportedCiphers"),
            ("mac", "supportedMACs"),
        ):
            if kind in self.cell:
                setattr(protocol, attribute, [self.cell[kind].encode("ascii")])
        return protocol


def serve(wanted):
    log.startLogging(sys.stderr)
    # For the group exchanges, which it offers only with moduli at hand.
    primes = parseModuliFile("/etc/ssh/moduli")
    for address, cell in wanted.items():
        reactor.listenTCP(cells.PORT, Factory(cell, primes), interface=address)
    reactor.callWhenRunning(cells.ready)
    reactor.run()


if __name__ == "__main__":
    cells.run(lists, serve)
