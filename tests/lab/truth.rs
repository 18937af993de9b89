//! What records say, held against what OpenSSH's own tools and the published algorithms say.

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};

use md5::{Digest, Md5};
use serde_json::Value;

use crate::support::fleet::Fleet;
use crate::support::guard::lab;
use crate::support::run::{run, sshprobe};
use crate::support::tools::{key_seen_by_keyscan, methods_seen_by_ssh};
use crate::support::topology::Family;

/// Real servers only, at the addresses 1 to 7; 9 is stock.
const REAL: &str = "
*   openssh             ok           ok               -  auth  ident=SSH-2.0-OpenSSH_ kexinit key=ssh-ed25519 methods=publickey,password
1   openssh:keyboard    ok           ok               -  auth  ident=SSH-2.0-OpenSSH_ kexinit key=ssh-ed25519 methods=keyboard-interactive
2   openssh:no-methods  auth-failure auth-no-methods  -  auth  ident=SSH-2.0-OpenSSH_ kexinit key=ssh-ed25519 methods=
3   openssh:rsa         ok           ok               -  auth  ident=SSH-2.0-OpenSSH_ kexinit key=ssh-rsa methods=publickey,password
4   openssh:ecdsa       ok           ok               -  auth  ident=SSH-2.0-OpenSSH_ kexinit key=ecdsa-sha2-nistp256 methods=publickey,password
5   openssh:banner      ok           ok               -  auth  ident=SSH-2.0-OpenSSH_ kexinit key=ssh-ed25519 methods=publickey,password banner
6   dropbear            ok           ok               -  auth  ident=SSH-2.0-dropbear kexinit key=ssh-ed25519 methods=publickey,password
7   tinysshd            ok           ok               -  auth  ident=SSH-2.0-tinyssh kexinit key=ssh-ed25519 methods=publickey
";
const OCTETS: [u8; 8] = [1, 2, 3, 4, 5, 6, 7, 9];

#[test]
fn truth_agrees_with_the_tools_of_openssh() {
    let Some(_lab) = lab() else { return };
    let family = Family::V4;
    let fleet = Fleet::of(REAL, family);
    let prober = &fleet.topology.prober;
    let mut command = sshprobe(prober, &[]);
    command.args(OCTETS.map(|octet| family.address(octet).to_string())).args(["--format", "jsonl", "--user", "root"]);
    let run = run(command);
    assert_eq!(run.records.len(), OCTETS.len(), "{}", run.stderr);
    for octet in OCTETS {
        let address = family.address(octet);
        let record = find(&run.records, address);
        let behaviour = &fleet.scenario.at(octet).behaviour;
        let differences = fleet.scenario.at(octet).differences(octet, record, &fleet.context);
        assert!(differences.is_empty(), "{behaviour}: {differences:?}\n{record}\n{}", run.stderr);
        assert_eq!(names(&record["auth"]["methods"]).join(","), methods_seen_by_ssh(prober, address), "{behaviour}");
        let key = &record["host_keys"][0];
        let blob = key_seen_by_keyscan(prober, address, key["type"].as_str().expect("a type"));
        assert_eq!(key["key"].as_str(), Some(blob.as_str()), "{behaviour}");

        let lists = prober.enter(|| kexinit_lists(address));
        let kexinit = &record["kexinit"];
        let keys = ["kex", "host_key", "cipher_c2s", "cipher_s2c", "mac_c2s", "mac_s2c", "comp_c2s", "comp_s2c"];
        for (key, list) in keys.iter().zip(&lists) {
            assert_eq!(names(&kexinit[key]).join(","), *list, "{behaviour}: {key}");
        }
        // HASSH for servers: MD5 over kex, and cipher, MAC and compression of the direction to the client.
        let hassh = Md5::digest([&*lists[0], &*lists[3], &*lists[5], &*lists[7]].join(";"));
        let hassh: String = hassh.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(kexinit["hassh_server"].as_str(), Some(hassh.as_str()), "{behaviour}");
    }
    let banner = find(&run.records, family.address(5))["auth"]["banner"].as_str().expect("a banner");
    assert_eq!(banner, "Authorised use only.\nAll is logged.\n");
    let bits = |octet| find(&run.records, family.address(octet))["host_keys"][0]["bits"].as_u64();
    assert_eq!([bits(9), bits(3), bits(4)], [Some(256), Some(3072), Some(256)]);
}

#[test]
fn truth_is_as_deep_as_asked() {
    let Some(_lab) = lab() else { return };
    let fleet = Fleet::of(REAL, Family::V4);
    for (depth, parts) in [
        ("connect", &[] as &[&str]),
        ("ident", &["ident"]),
        ("kexinit", &["ident", "kexinit"]),
        ("kex", &["ident", "kexinit", "negotiated", "host_keys"]),
        ("auth", &["ident", "kexinit", "negotiated", "host_keys", "auth"]),
    ] {
        let mut command = sshprobe(&fleet.topology.prober, &[]);
        command.args(["10.0.0.9", "10.0.0.6", "10.0.0.7", "--format", "jsonl", "--depth", depth]);
        let run = run(command);
        assert_eq!(run.records.len(), 3, "{depth}: {}", run.stderr);
        assert_eq!(run.status.code(), Some(0), "{depth}: {}", run.stderr);
        for record in &run.records {
            assert_eq!(record["code"], "ok", "{depth}: {record}");
            assert_eq!(record["stage"], depth, "{record}");
            for part in ["ident", "kexinit", "negotiated", "host_keys", "auth"] {
                let there = match &record[part] {
                    Value::Null => false,
                    Value::Array(items) => !items.is_empty(),
                    _ => true,
                };
                assert_eq!(there, parts.contains(&part), "{depth}: {part} in {record}");
            }
        }
    }
}

fn find(records: &[Value], address: IpAddr) -> &Value {
    let address = address.to_string();
    records
        .iter()
        .find(|record| record["target"]["addr"] == address)
        .unwrap_or_else(|| panic!("no record of {address}"))
}

fn names(list: &Value) -> Vec<&str> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

/// The first eight name-lists of a server's KEXINIT, read with as little code as can be.
fn kexinit_lists(address: IpAddr) -> Vec<String> {
    let mut stream = TcpStream::connect(SocketAddr::new(address, 22)).expect("a connection");
    let mut take = |count: usize| {
        let mut bytes = vec![0; count];
        stream.read_exact(&mut bytes).expect("more bytes");
        bytes
    };
    while take(1) != b"\n" {}
    let mut writer = stream.try_clone().expect("a second handle");
    writer.write_all(b"SSH-2.0-lab\r\n").expect("a write");
    let mut take = |count: usize| {
        let mut bytes = vec![0; count];
        stream.read_exact(&mut bytes).expect("more bytes");
        bytes
    };
    let length = u32::from_be_bytes(take(4).try_into().expect("four"));
    let packet = take(usize::try_from(length).expect("64 bits"));
    // Padding length, message number and cookie come before the lists.
    assert_eq!(packet[1], 20, "not a KEXINIT");
    let mut rest = &packet[18..];
    let mut list = || {
        let (length, more) = rest.split_first_chunk::<4>().expect("a length");
        let (list, more) = more.split_at(u32::from_be_bytes(*length) as usize);
        rest = more;
        String::from_utf8(list.to_vec()).expect("ASCII")
    };
    (0..8).map(|_| list()).collect()
}
