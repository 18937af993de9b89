//! What real servers sent: each taken from a running server with default settings, or put together from its source and
//! proven by the HASSH that was measured.

use std::net::{Ipv4Addr, SocketAddr};

use crate::evidence::{Evidence, Identification, Stage};
use crate::time::Moment;
use crate::wire::kexinit::KexInit;

/// A server's identification and lists; both directions are alike in all of them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Server {
    pub(crate) ident: &'static str,
    /// What its HASSH belongs to.
    pub(crate) product: &'static str,
    pub(crate) kex: &'static str,
    pub(crate) host_key: &'static str,
    pub(crate) cipher: &'static str,
    pub(crate) mac: &'static str,
    pub(crate) compression: &'static str,
}

/// OpenSSH's MACs from 6.7 to 10.5.
const OPENSSH_MACS: &str = "umac-64-etm@openssh.com,umac-128-etm@openssh.com,hmac-sha2-256-etm@openssh.com,\
    hmac-sha2-512-etm@openssh.com,hmac-sha1-etm@openssh.com,umac-64@openssh.com,umac-128@openssh.com,hmac-sha2-256,\
    hmac-sha2-512,hmac-sha1";

impl Server {
    pub(crate) const ALL: [Server; 9] = [
        Server::DEBIAN_12,
        Server::OPENSSH_10_5,
        Server::DROPBEAR,
        Server::TINYSSH,
        Server::LSHD,
        Server::LIBSSH,
        Server::PARAMIKO,
        Server::ASYNCSSH,
        Server::TWISTED,
    ];

    pub(crate) const DEBIAN_12: Server = Server {
        ident: "SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u10",
        product: "OpenSSH",
        kex: "sntrup761x25519-sha512,sntrup761x25519-sha512@openssh.com,curve25519-sha256,curve25519-sha256@libssh.org,\
              ecdh-sha2-nistp256,ecdh-sha2-nistp384,ecdh-sha2-nistp521,diffie-hellman-group-exchange-sha256,\
              diffie-hellman-group16-sha512,diffie-hellman-group18-sha512,diffie-hellman-group14-sha256,\
              kex-strict-s-v00@openssh.com",
        host_key: "rsa-sha2-512,rsa-sha2-256,ecdsa-sha2-nistp256,ssh-ed25519",
        cipher: "chacha20-poly1305@openssh.com,aes128-ctr,aes192-ctr,aes256-ctr,aes128-gcm@openssh.com,\
                 aes256-gcm@openssh.com",
        mac: OPENSSH_MACS,
        compression: "none,zlib@openssh.com",
    };

    pub(crate) const OPENSSH_10_5: Server = Server {
        ident: "SSH-2.0-OpenSSH_10.5",
        product: "OpenSSH",
        kex: "mlkem768x25519-sha256,sntrup761x25519-sha512,sntrup761x25519-sha512@openssh.com,curve25519-sha256,\
              curve25519-sha256@libssh.org,ecdh-sha2-nistp256,ecdh-sha2-nistp384,ecdh-sha2-nistp521,ext-info-s,\
              kex-strict-s-v00@openssh.com",
        host_key: "ssh-ed25519,ecdsa-sha2-nistp256,rsa-sha2-512,rsa-sha2-256",
        cipher: "chacha20-poly1305@openssh.com,aes128-gcm@openssh.com,aes256-gcm@openssh.com,aes128-ctr,aes192-ctr,\
                 aes256-ctr",
        mac: OPENSSH_MACS,
        compression: "none,zlib@openssh.com",
    };

    pub(crate) const DROPBEAR: Server = Server {
        ident: "SSH-2.0-dropbear_2022.83",
        product: "Dropbear",
        kex: "curve25519-sha256,curve25519-sha256@libssh.org,ecdh-sha2-nistp521,ecdh-sha2-nistp384,ecdh-sha2-nistp256,\
              diffie-hellman-group14-sha256,diffie-hellman-group14-sha1,kexguess2@matt.ucc.asn.au,\
              kex-strict-s-v00@openssh.com",
        host_key: "ssh-ed25519,ecdsa-sha2-nistp256,rsa-sha2-256,ssh-rsa",
        cipher: "chacha20-poly1305@openssh.com,aes128-ctr,aes256-ctr",
        mac: "hmac-sha1,hmac-sha2-256",
        compression: "zlib@openssh.com,none",
    };

    pub(crate) const TINYSSH: Server = Server {
        ident: "SSH-2.0-tinyssh_20230101-1 P6qDunuc",
        product: "tinyssh",
        kex: "curve25519-sha256,curve25519-sha256@libssh.org,sntrup761x25519-sha512@openssh.com",
        host_key: "ssh-ed25519",
        cipher: "chacha20-poly1305@openssh.com",
        mac: "hmac-sha2-256",
        compression: "none",
    };

    pub(crate) const LSHD: Server = Server {
        ident: "SSH-2.0-lshd-2.1 lsh - a GNU ssh",
        product: "lshd",
        kex: "diffie-hellman-group14-sha1,diffie-hellman-group1-sha1",
        host_key: "ssh-rsa",
        cipher: "aes256-cbc,3des-cbc,blowfish-cbc,arcfour",
        mac: "hmac-sha1,hmac-md5",
        compression: "none,zlib",
    };

    pub(crate) const LIBSSH: Server = Server {
        ident: "SSH-2.0-libssh_0.10.6",
        product: "libssh",
        kex: "curve25519-sha256,curve25519-sha256@libssh.org,ecdh-sha2-nistp256,ecdh-sha2-nistp384,ecdh-sha2-nistp521,\
              diffie-hellman-group18-sha512,diffie-hellman-group16-sha512,diffie-hellman-group-exchange-sha256,\
              diffie-hellman-group14-sha256,kex-strict-s-v00@openssh.com",
        host_key: "ssh-ed25519,rsa-sha2-512,rsa-sha2-256",
        // The comma at the end is libssh's.
        cipher: "chacha20-poly1305@openssh.com,aes256-gcm@openssh.com,aes128-gcm@openssh.com,aes256-ctr,aes192-ctr,\
                 aes128-ctr,",
        mac: "hmac-sha2-256-etm@openssh.com,hmac-sha2-512-etm@openssh.com,hmac-sha2-256,hmac-sha2-512",
        compression: "none,zlib@openssh.com",
    };

    pub(crate) const PARAMIKO: Server = Server {
        ident: "SSH-2.0-paramiko_2.12.0",
        product: "Paramiko",
        kex: "curve25519-sha256@libssh.org,ecdh-sha2-nistp256,ecdh-sha2-nistp384,ecdh-sha2-nistp521,\
              diffie-hellman-group16-sha512,diffie-hellman-group-exchange-sha256,diffie-hellman-group14-sha256,\
              diffie-hellman-group-exchange-sha1,diffie-hellman-group14-sha1,diffie-hellman-group1-sha1",
        host_key: "rsa-sha2-512,rsa-sha2-256,ssh-rsa",
        cipher: "aes128-ctr,aes192-ctr,aes256-ctr,aes128-cbc,aes192-cbc,aes256-cbc,3des-cbc",
        mac: "hmac-sha2-256,hmac-sha2-512,hmac-sha2-256-etm@openssh.com,hmac-sha2-512-etm@openssh.com,hmac-sha1,hmac-md5,\
              hmac-sha1-96,hmac-md5-96",
        compression: "none",
    };

    pub(crate) const ASYNCSSH: Server = Server {
        ident: "SSH-2.0-AsyncSSH_2.10.1",
        product: "AsyncSSH",
        kex: "curve25519-sha256,curve25519-sha256@libssh.org,curve448-sha512,ecdh-sha2-nistp521,ecdh-sha2-nistp384,\
              ecdh-sha2-nistp256,ecdh-sha2-1.3.132.0.10,diffie-hellman-group-exchange-sha256,\
              diffie-hellman-group14-sha256,diffie-hellman-group15-sha512,diffie-hellman-group16-sha512,\
              diffie-hellman-group17-sha512,diffie-hellman-group18-sha512,diffie-hellman-group14-sha256@ssh.com,\
              diffie-hellman-group14-sha1,rsa2048-sha256,ext-info-s,kex-strict-s-v00@openssh.com",
        host_key: "ssh-ed25519",
        cipher: "chacha20-poly1305@openssh.com,aes256-gcm@openssh.com,aes128-gcm@openssh.com,aes256-ctr,aes192-ctr,\
                 aes128-ctr",
        mac: "umac-64-etm@openssh.com,umac-128-etm@openssh.com,hmac-sha2-256-etm@openssh.com,\
              hmac-sha2-512-etm@openssh.com,hmac-sha1-etm@openssh.com,umac-64@openssh.com,umac-128@openssh.com,\
              hmac-sha2-256,hmac-sha2-512,hmac-sha1,hmac-sha256-2@ssh.com,hmac-sha224@ssh.com,hmac-sha256@ssh.com,\
              hmac-sha384@ssh.com,hmac-sha512@ssh.com",
        compression: "zlib@openssh.com,none",
    };

    pub(crate) const TWISTED: Server = Server {
        ident: "SSH-2.0-Twisted_22.4.0",
        product: "Twisted Conch",
        kex: "curve25519-sha256,curve25519-sha256@libssh.org,ecdh-sha2-nistp256,ecdh-sha2-nistp384,ecdh-sha2-nistp521,\
              diffie-hellman-group14-sha1,ext-info-s",
        host_key: "ssh-rsa",
        cipher: "aes256-ctr,aes256-cbc,aes192-ctr,aes192-cbc,aes128-ctr,aes128-cbc,cast128-cbc,blowfish-cbc,3des-cbc",
        mac: "hmac-sha2-512,hmac-sha2-384,hmac-sha2-256,hmac-sha1,hmac-md5",
        compression: "none,zlib",
    };

    /// The evidence of a connection that came as far as the KEXINIT.
    pub(crate) fn evidence(self) -> Evidence {
        let mut evidence = evidence(self.ident);
        evidence.kexinit = Some(self.kexinit());
        evidence.stage = Stage::Kexinit;
        evidence
    }

    /// The lists as a KEXINIT.
    pub(crate) fn kexinit(self) -> KexInit {
        let Server { kex, host_key, cipher, mac, compression, .. } = self;
        kexinit([kex, host_key, cipher, cipher, mac, mac, compression, compression])
    }
}

/// A KEXINIT of these lists, in the order of RFC 4253 section 7.1, languages left out.
pub(crate) fn kexinit(lists: [&str; 8]) -> KexInit {
    let [kex, host_key, cipher_c2s, cipher_s2c, mac_c2s, mac_s2c, comp_c2s, comp_s2c] = lists.map(str::as_bytes);
    let lists = [kex, host_key, cipher_c2s, cipher_s2c, mac_c2s, mac_s2c, comp_c2s, comp_s2c, b"", b""];
    KexInit::parse(&KexInit::build([0; 16], lists, false)).unwrap()
}

/// The evidence of a connection that brought an identification and nothing else.
pub(crate) fn evidence(ident: &str) -> Evidence {
    let mut evidence = Evidence::new(SocketAddr::from((Ipv4Addr::LOCALHOST, 22)), Moment::START);
    evidence.ident = Some(Identification { raw: ident.as_bytes().to_vec() });
    evidence.stage = Stage::Ident;
    evidence
}
