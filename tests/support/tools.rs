//! What OpenSSH's own tools say of a server.

use std::net::IpAddr;
use std::process::Command;

use super::netns::Netns;

/// The list in ssh's "Authentications that can continue"; empty where it has nothing to continue with.
pub(crate) fn methods_seen_by_ssh(netns: &Netns, address: IpAddr) -> String {
    let mut ssh = netns.command("ssh");
    ssh.args(["-v", "-F", "none", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no"]);
    ssh.args(["-o", "UserKnownHostsFile=/dev/null", "-o", "IdentityFile=none", "-o", "PreferredAuthentications=none"]);
    ssh.arg(format!("root@{address}")).arg("true");
    let said = text(&mut ssh, true);
    let continued = said.lines().find_map(|line| line.split_once("Authentications that can continue: "));
    continued.unwrap_or_else(|| panic!("ssh listed no methods:\n{said}")).1.trim().to_owned()
}

/// The base64 key of this type as ssh-keyscan got it.
pub(crate) fn key_seen_by_keyscan(netns: &Netns, address: IpAddr, kind: &str) -> String {
    let short = kind.trim_start_matches("ssh-").split('-').next().expect("a word");
    let mut keyscan = netns.command("ssh-keyscan");
    keyscan.args(["-T", "20", "-t", short, &address.to_string()]);
    let said = text(&mut keyscan, false);
    let line =
        said.lines().find(|line| line.contains(kind)).unwrap_or_else(|| panic!("ssh-keyscan found no {kind}: {said}"));
    line.split_whitespace().nth(2).expect("host, type, key").to_owned()
}

/// Standard error (or output) of a command whose exit status says nothing.
fn text(command: &mut Command, stderr: bool) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    String::from_utf8_lossy(if stderr { &output.stderr } else { &output.stdout }).into_owned()
}
