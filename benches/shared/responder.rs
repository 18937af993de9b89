//! The responder's process of the benches: a server with the lists of OpenSSH 9.2, and one that falls silent at userauth.

use std::io::Read;
use std::sync::Arc;

use sshprobe::demo::serve;
use sshprobe_probes::responder::{Action, List, Point, Script};
use tokio::net::TcpListener;

/// The key exchange that this OpenSSH likes best, and the others behind it.
pub(crate) const SNTRUP: &str = "sntrup761x25519-sha512@openssh.com,";
const KEX: &str = "curve25519-sha256,curve25519-sha256@libssh.org,ecdh-sha2-nistp256,ecdh-sha2-nistp384,ecdh-sha2-nistp521,\
                   diffie-hellman-group-exchange-sha256,diffie-hellman-group16-sha512,diffie-hellman-group18-sha512,\
                   diffie-hellman-group14-sha256,kex-strict-s-v00@openssh.com";

/// Serves until whoever holds the other end of standard input is gone: it ends when the bench does. What a fleet holds is
/// offered, not all that a responder could speak; `first` goes in front of the key exchanges.
pub(crate) async fn respond(first: &str, healthy: TcpListener, mute: TcpListener) {
    let script = Script::healthy(&[7; 32])
        .list(List::Kex, format!("{first}{KEX}"))
        .ciphers(
            "chacha20-poly1305@openssh.com,aes128-ctr,aes192-ctr,aes256-ctr,aes128-gcm@openssh.com,\
             aes256-gcm@openssh.com",
        )
        .macs(
            "umac-64-etm@openssh.com,umac-128-etm@openssh.com,hmac-sha2-256-etm@openssh.com,\
             hmac-sha2-512-etm@openssh.com,hmac-sha1-etm@openssh.com,umac-64@openssh.com,umac-128@openssh.com,\
             hmac-sha2-256,hmac-sha2-512,hmac-sha1",
        );
    tokio::spawn(serve(mute, Arc::new(script.clone().on(Point::Userauth, Action::Mute))));
    tokio::spawn(serve(healthy, Arc::new(script)));
    tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await.ok();
    std::process::exit(0);
}
