//! Revocation lists, which outweigh whatever known_hosts says.

use super::case::{Row, Why, row};
use super::ground::{Ground, Group};
use crate::support::guard::lab;
use crate::support::netns::shell;

const BY_KEY: &[Row] = &[
    row(
        "key",
        "ed1",
        "{h}",
        "{h} {ed1}",
        "host-key-revoked revocation-list | ed1 revoked list | 1",
        "revoked",
        Why::Agree,
    ),
    row("another key", "ed2", "{h}", "{h} {ed2}", "ok | ed2 match 1 | 1", "accepted", Why::Agree),
    row(
        "key, within a good certificate",
        "ed1 / ca2 -h -n {h}",
        "{h}",
        "@cert-authority {h} {ca2}",
        "host-key-revoked revocation-list | cert revoked list | 1",
        "revoked",
        Why::Agree,
    ),
];

const BY_SERIAL: &[Row] = &[
    row(
        "serial",
        "ed1 / ca1 -h -n {h} -z 7",
        "{h}",
        "@cert-authority {h} {ca1}",
        "host-key-revoked revocation-list | cert revoked list | 1",
        "revoked",
        Why::Agree,
    ),
    row(
        "another serial",
        "ed1 / ca1 -h -n {h} -z 8",
        "{h}",
        "@cert-authority {h} {ca1}",
        "ok | cert ca-match 1 | 1",
        "accepted",
        Why::Agree,
    ),
    row(
        "another authority's serial",
        "ed1 / ca2 -h -n {h} -z 7",
        "{h}",
        "@cert-authority {h} {ca2}",
        "ok | cert ca-match 1 | 1",
        "accepted",
        Why::Agree,
    ),
    row(
        "serial, around a known plain key",
        "ed1 / ca1 -h -n {h} -z 7",
        "{h}",
        "{h} {ed1}",
        "host-key-revoked revocation-list | cert revoked list | 1",
        "revoked",
        Why::Agree,
    ),
    row(
        "serial, nothing known",
        "ed1 rsa1 / ca1 -h -n {h} -z 7",
        "{h}",
        "",
        "host-key-revoked revocation-list | cert revoked list | 1",
        "revoked",
        Why::Agree,
    ),
    row(
        "serial, but a plain key of another type is known",
        "ed1 rsa1 / ca1 -h -n {h} -z 7",
        "{h}",
        "{h} {rsa1}",
        "ok | rsa1 match 1 | 1",
        "accepted",
        Why::Agree,
    ),
];

const BY_AUTHORITY: &[Row] = &[
    row(
        "authority",
        "ed1 / ca1 -h -n {h}",
        "{h}",
        "@cert-authority {h} {ca1}",
        "host-cert-invalid ca-revoked | cert revoked list | 1",
        "revoked",
        Why::Agree,
    ),
    row(
        "authority, around a known plain key",
        "ed1 / ca1 -h -n {h}",
        "{h}",
        "{h} {ed1}",
        "host-cert-invalid ca-revoked | cert revoked list | 1",
        "revoked",
        Why::Agree,
    ),
    row(
        "another authority",
        "ed1 / ca2 -h -n {h}",
        "{h}",
        "@cert-authority {h} {ca2}",
        "ok | cert ca-match 1 | 1",
        "accepted",
        Why::Agree,
    ),
    row("no certificate", "ed1", "{h}", "{h} {ed1}", "ok | ed1 match 1 | 1", "accepted", Why::Agree),
];

const BY_LINE: &[Row] = &[
    row(
        "line of a list",
        "ed1",
        "{h}",
        "{h} {ed1}",
        "host-key-revoked revocation-list | ed1 revoked list:2 | 1",
        "revoked",
        Why::Agree,
    ),
    row(
        "authority in a list",
        "ed2 / ca1 -h -n {h}",
        "{h}",
        "@cert-authority {h} {ca1}",
        "host-cert-invalid ca-revoked | cert revoked list:3 | 1",
        "revoked",
        Why::Agree,
    ),
    row("in no line of the list", "ed2", "{h}", "{h} {ed2}", "ok | ed2 match 1 | 1", "accepted", Why::Agree),
];

/// Options for us and for ssh, which takes one list.
fn revocations(list: &str) -> (Vec<String>, Vec<String>) {
    (vec!["--revoked-host-keys".into(), list.into()], vec![format!("RevokedHostKeys={list}")])
}

#[test]
fn trust_in_revoked_keys_is_that_of_ssh() {
    let Some(_lab) = lab() else { return };
    let tables = [("key", BY_KEY), ("serial", BY_SERIAL), ("authority", BY_AUTHORITY), ("line", BY_LINE)];
    let rows: Vec<Row> = tables.iter().flat_map(|(_, rows)| rows.iter().copied()).collect();
    let ground = Ground::new(&rows);
    let public = |label: &str| ground.keys.path(label).with_extension("pub").display().to_string();
    let serials = ground.file("serials", "serial: 7\n");
    let options = tables.map(|(name, _)| {
        std::fs::create_dir_all(ground.path(name)).expect("a folder");
        let list = ground.file(&format!("{name}/list"), "");
        match name {
            "key" => drop(shell("ssh-keygen", &["-q", "-k", "-f", &list, &public("ed1")])),
            "serial" => drop(shell("ssh-keygen", &["-q", "-k", "-f", &list, "-s", &public("ca1"), &serials])),
            "authority" => drop(shell("ssh-keygen", &["-q", "-k", "-f", &list, &public("ca1")])),
            _ => {
                let lines = format!("# lost\n{} lost laptop\n{}\n", ground.public("ed1"), ground.public("ca1"));
                ground.file(&format!("{name}/list"), lines);
            }
        }
        revocations(&list)
    });
    let options: Vec<(Vec<&str>, Vec<&str>)> = options
        .iter()
        .map(|(ours, ssh)| (ours.iter().map(String::as_str).collect(), ssh.iter().map(String::as_str).collect()))
        .collect();
    let groups: Vec<Group<'_>> =
        tables.iter().zip(&options).map(|((_, rows), (ours, ssh))| Group { ours, ssh, rows }).collect();
    ground.check(&groups);
}
