"""Paramiko as a server: see cells.py."""

import socket
import threading

import paramiko

import cells

KEYS = {
    "ssh-ed25519": paramiko.Ed25519Key,
    "ssh-dss": paramiko.DSSKey,
    "ssh-rsa": paramiko.RSAKey,
    "rsa-sha2-256": paramiko.RSAKey,
    "rsa-sha2-512": paramiko.RSAKey,
    "ecdsa-sha2-nistp256": paramiko.ECDSAKey,
    "ecdsa-sha2-nistp384": paramiko.ECDSAKey,
    "ecdsa-sha2-nistp521": paramiko.ECDSAKey,
}


def lists():
    """GSSAPI needs a Kerberos realm, and as a server Paramiko sends no certificates."""
    transport = paramiko.Transport
    return {
        "kex": [name for name in transport._kex_info if not name.startswith("gss-")],
        "host_key": [name for name in transport._key_info if "-cert-" not in name],
        "cipher": list(transport._cipher_info),
        "mac": list(transport._mac_info),
    }


def serve(wanted):
    # For the group exchanges, which it offers only with moduli at hand.
    paramiko.Transport.load_server_moduli()
    listener = socket.create_server(("0.0.0.0", cells.PORT), backlog=256)
    cells.ready()
    while True:
        connection, _ = listener.accept()
        cell = wanted[connection.getsockname()[0]]
        threading.Thread(target=speak, args=(connection, cell), daemon=True).start()


def speak(connection, cell):
    transport = paramiko.Transport(connection)
    options = transport.get_security_options()
    if "kex" in cell:
        options.kex = [cell["kex"]]
    if "cipher" in cell:
        options.ciphers = [cell["cipher"]]
    if "mac" in cell:
        options.digests = [cell["mac"]]
    options.key_types = [cell["host_key"]]
    transport.add_server_key(KEYS[cell["host_key"]].from_private_key_file(cell["key"]))
    transport.start_server(event=threading.Event(), server=paramiko.ServerInterface())
    transport.join()


if __name__ == "__main__":
    cells.run(lists, serve)
