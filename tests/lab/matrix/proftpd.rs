//! ProFTPD's mod_sftp, which has an SSH of its own.

use std::fs;

use tempfile::TempDir;

use super::cell::check;
use super::pins::{Pins, cells, lists};
use crate::support::guard::lab_with;
use crate::support::inetd::Inetd;
use crate::support::servers::HostKeys;

const TOOLS: &[(&str, &str)] = &[("proftpd", "proftpd-core"), ("/usr/lib/proftpd/mod_sftp.so", "proftpd-mod-crypto")];

#[test]
fn matrix_of_proftpd_mod_sftp() {
    let Some(_lab) = lab_with(TOOLS) else { return };
    let keys = HostKeys::generate();
    let dir = TempDir::new().expect("a temporary directory");
    // What its manual lists and Debian's build has; it cannot be asked. Without rsa1024-sha1 and rsa2048-sha256, which want
    // an RSA key of their own.
    let lists = lists(&[
        (
            "kex",
            "curve25519-sha256 curve25519-sha256@libssh.org curve448-sha512 ecdh-sha2-nistp256 ecdh-sha2-nistp384 \
             ecdh-sha2-nistp521 diffie-hellman-group18-sha512 diffie-hellman-group16-sha512 \
             diffie-hellman-group14-sha256 diffie-hellman-group14-sha1 diffie-hellman-group1-sha1 \
             diffie-hellman-group-exchange-sha256 diffie-hellman-group-exchange-sha1",
        ),
        (
            "host_key",
            "ssh-ed25519 ecdsa-sha2-nistp256 ecdsa-sha2-nistp384 ecdsa-sha2-nistp521 rsa-sha2-256 rsa-sha2-512 ssh-rsa \
             ssh-dss",
        ),
        (
            "cipher",
            "aes256-gcm@openssh.com aes128-gcm@openssh.com aes256-ctr aes192-ctr aes128-ctr aes256-cbc aes192-cbc \
             aes128-cbc 3des-cbc blowfish-cbc cast128-cbc arcfour256 arcfour128",
        ),
        (
            "mac",
            "hmac-sha2-256 hmac-sha2-512 hmac-sha2-256-etm@openssh.com hmac-sha2-512-etm@openssh.com hmac-sha1 \
             hmac-sha1-etm@openssh.com hmac-sha1-96 hmac-sha1-96-etm@openssh.com hmac-md5 hmac-md5-etm@openssh.com \
             hmac-md5-96 hmac-md5-96-etm@openssh.com umac-64@openssh.com umac-64-etm@openssh.com umac-128@openssh.com \
             umac-128-etm@openssh.com",
        ),
    ]);
    let cells = cells(&lists, &keys, &["password"], |pins, key| {
        let key = key.map(|key| key.path.as_str()).expect("a key that ssh-keygen makes");
        configured(pins, key, &dir)
    });
    check(cells, Inetd::start);
}

/// The command for one connection.
fn configured(pins: &Pins, key: &str, dir: &TempDir) -> Vec<String> {
    let path = tempfile::Builder::new().suffix(".conf").disable_cleanup(true).tempfile_in(dir.path());
    let path = path.expect("a file").into_temp_path().to_path_buf();
    let log = path.with_extension("log");
    let mut config = String::from(
        "ServerType inetd\nServerName lab\nDefaultServer on\nDefaultAddress 127.0.0.1\nUseReverseDNS off\nUser nobody\nGroup nogroup\nWtmpLog off\nSystemLog none\n\
         TransferLog none\nScoreboardFile none\nRequireValidShell off\nLoadModule mod_sftp.c\nSFTPEngine on\n",
    );
    config.push_str(&format!("SFTPLog {}\nSFTPHostKey {key}\nSFTPHostKeys {}\n", log.display(), pins.host_key()));
    for (kind, directive) in [("kex", "SFTPKeyExchanges"), ("cipher", "SFTPCiphers"), ("mac", "SFTPDigests")] {
        if let Some(name) = pins.get(kind) {
            config.push_str(&format!("{directive} {name}\n"));
        }
    }
    fs::write(&path, config).expect("writing proftpd.conf");
    // It has no standard error of its own once it serves.
    let script = format!("/usr/sbin/proftpd -c {}; cat {} >&2", path.display(), log.display());
    ["sh", "-c", &script].map(str::to_owned).to_vec()
}
