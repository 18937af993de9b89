//! What looking host keys up costs.
//!
//! `cargo bench --bench trust` looks 100,000 hosts up in 100,000 plain lines, and 1,000 hosts in 10,000 hashed lines beside
//! the floor of the same run: one HMAC-SHA1 for each line and host, with the salt of the line as its key. A hashed name can
//! be found no other way, so only the ratio means anything. Once on one thread, once on every core.

// A bench that cannot set itself up ends.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../shared/median.rs"]
mod median;

use std::hint::black_box;
use std::net::Ipv4Addr;
use std::thread;
use std::time::{Duration, Instant};

use aws_lc_rs::hmac::{HMAC_SHA1_FOR_LEGACY_USE_ONLY, Key, sign};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sshprobe_probes::trust::{Answer, KnownHosts, LookupName};

use crate::median::median;

const PLAIN: u32 = 100_000;
const HASHED_LINES: u32 = 10_000;
const HASHED_HOSTS: u32 = 1_000;
const ROUNDS: usize = 5;

/// The name of a host, all of one length.
fn host(number: u32) -> String {
    Ipv4Addr::from(0x0a80_0000 + number).to_string()
}

/// A key of its own for every host.
fn blob(number: u32) -> Vec<u8> {
    let mut blob = b"\0\0\0\x0bssh-ed25519\0\0\0\x20".to_vec();
    blob.extend([7; 28]);
    blob.extend(number.to_be_bytes());
    blob
}

fn salt(number: u32) -> [u8; 20] {
    let mut salt = [9; 20];
    salt[..4].copy_from_slice(&number.to_be_bytes());
    salt
}

fn hashed(number: u32) -> String {
    let salt = salt(number);
    let tag = sign(&Key::new(HMAC_SHA1_FOR_LEGACY_USE_ONLY, &salt), host(number).as_bytes());
    format!("|1|{}|{}", STANDARD.encode(salt), STANDARD.encode(tag))
}

fn store(lines: u32, name: fn(u32) -> String) -> KnownHosts {
    let mut content = String::new();
    for number in 0..lines {
        content += &format!("{} ssh-ed25519 {}\n", name(number), STANDARD.encode(blob(number)));
    }
    let mut files = KnownHosts::builder();
    assert_eq!(files.file("known_hosts", content.as_bytes()), []);
    files.build()
}

/// Looks hosts up; each is known with its key.
fn look_up(files: &KnownHosts, hosts: std::ops::Range<u32>) {
    for number in hosts {
        let known = files.lookup(&LookupName::new(&host(number), 22));
        assert!(matches!(known.answer(&blob(number)), Answer::Match(_)), "{}", host(number));
    }
}

/// One HMAC for each line and host, and nothing else.
fn floor(salts: &[[u8; 20]], hosts: std::ops::Range<u32>) {
    for number in hosts {
        let host = host(number);
        for salt in salts {
            black_box(sign(&Key::new(HMAC_SHA1_FOR_LEGACY_USE_ONLY, salt), host.as_bytes()));
        }
    }
}

/// How long `work` takes when every thread does all of it.
fn on(threads: usize, work: &(impl Fn() + Sync)) -> Duration {
    let begun = Instant::now();
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(work);
        }
    });
    begun.elapsed()
}

fn main() {
    let plain = store(PLAIN, host);
    let files = store(HASHED_LINES, hashed);
    let salts: Vec<[u8; 20]> = (0..HASHED_LINES).map(salt).collect();
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let each = |span: Duration, count: u32| span.as_secs_f64() * 1e9 / f64::from(count);

    let lookups: Vec<f64> = (0..ROUNDS).map(|_| each(on(1, &|| look_up(&plain, 0..PLAIN)), PLAIN)).collect();
    println!("median of {ROUNDS} rounds");
    println!("plain lines    {PLAIN} hosts in {PLAIN} lines: {:.0} ns a host", median(lookups));
    for threads in [1, cores] {
        let (mut ratios, mut nanos) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            let ours = on(threads, &|| look_up(&files, 0..HASHED_HOSTS));
            let least = on(threads, &|| floor(&salts, 0..HASHED_HOSTS));
            ratios.push(ours.as_secs_f64() / least.as_secs_f64());
            nanos.push(each(least, HASHED_LINES * HASHED_HOSTS));
        }
        println!(
            "hashed lines   {HASHED_HOSTS} hosts in {HASHED_LINES} lines, {threads} thread(s): {:.2} times one HMAC-SHA1 a line and host ({:.0} ns)",
            median(ratios),
            median(nanos)
        );
    }
}
