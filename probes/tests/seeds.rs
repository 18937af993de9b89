//! The fuzz targets' seeds, replayed by the ordinary tests.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

use std::path::PathBuf;

use sshprobe_probes::fuzzing;

fn replay(target: &str, run: fn(&[u8])) {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../fuzz/seeds").join(target);
    let mut seeds = 0;
    for entry in std::fs::read_dir(&folder).unwrap_or_else(|fault| panic!("{}: {fault}", folder.display())) {
        let path = entry.unwrap().path();
        let seed = std::fs::read(&path).unwrap();
        run(&seed);
        // Neighbours of a seed, as a fuzzer would make them first: cut short, and with one byte changed.
        for cut in 0..seed.len().min(512) {
            run(&seed[..cut]);
        }
        for at in (0..seed.len()).step_by(seed.len() / 64 + 1) {
            let mut changed = seed.clone();
            changed[at] ^= 0x41;
            run(&changed);
        }
        seeds += 1;
    }
    assert!(seeds > 0, "no seeds for {target}");
}

#[test]
fn ident_seeds() {
    replay("ident", fuzzing::ident);
}

#[test]
fn kexinit_seeds() {
    replay("kexinit", fuzzing::kexinit);
}

#[test]
fn packet_seeds() {
    replay("packet", fuzzing::packet);
}

#[test]
fn probe_seeds() {
    replay("probe", fuzzing::probe);
}

#[test]
fn host_key_seeds() {
    replay("host_key", fuzzing::host_key);
}

#[test]
fn host_certificate_seeds() {
    replay("host_certificate", fuzzing::host_certificate);
}

#[test]
fn krl_seeds() {
    replay("krl", fuzzing::krl);
}

#[test]
fn sshfp_seeds() {
    replay("sshfp", fuzzing::sshfp);
}

#[test]
fn known_hosts_seeds() {
    replay("known_hosts", fuzzing::known_hosts);
}

#[test]
fn known_hosts_naive_seeds() {
    replay("known_hosts_naive", fuzzing::known_hosts_naive);
}

#[cfg(feature = "syn")]
#[test]
fn syn_reply_seeds() {
    replay("syn_reply", fuzzing::syn_reply);
}

#[test]
fn relay_frame_seeds() {
    replay("relay_frame", fuzzing::relay_frame);
}

#[test]
fn proxy_stderr_seeds() {
    replay("proxy_stderr", fuzzing::proxy_stderr);
}

#[test]
fn socks5_reply_seeds() {
    replay("socks5_reply", fuzzing::socks5_reply);
}

#[test]
fn http_connect_reply_seeds() {
    replay("http_connect_reply", fuzzing::http_connect_reply);
}

#[test]
fn ssh_config_seeds() {
    replay("ssh_config", fuzzing::ssh_config);
}

#[test]
fn inventory_seeds() {
    replay("inventory", fuzzing::inventory);
}
