//! The store as a whole. What ssh says of the same lines stands in `probes/tests/known_hosts/`.

use std::fmt::Write as _;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::*;
use crate::wire::write::Writer;

fn blob(seed: u8) -> Vec<u8> {
    let mut blob = Vec::new();
    Writer::new(&mut blob).string(b"ssh-ed25519").string(&[seed; 32]);
    blob
}

fn line(names: &str, seed: u8) -> String {
    format!("{names} ssh-ed25519 {}\n", STANDARD.encode(blob(seed)))
}

fn store(content: &str) -> KnownHosts {
    let mut builder = KnownHosts::builder();
    assert_eq!(builder.file("file", content.as_bytes()), []);
    builder.build()
}

#[test]
fn the_store_is_shared_by_all_threads() {
    const fn shared<T: Send + Sync + 'static>() {}
    shared::<KnownHosts>();
    shared::<Known>();
    assert!(KnownHosts::default().is_empty());
    assert_eq!(KnownHosts::default().lookup(&LookupName::new("h", 2222)), Known::default());
}

#[test]
fn files_and_lines_keep_their_order() {
    let mut builder = KnownHosts::builder();
    builder.file("one", [line("other", 9), line("*", 1), line("h,H", 2)].concat().as_bytes());
    builder.file("two", [line("h", 3), line("h", 1)].concat().as_bytes());
    let known = builder.build().lookup(&LookupName::new("H", 22));
    let places: Vec<String> = known.keys.iter().map(|entry| entry.source.to_string()).collect();
    assert_eq!(places, ["one:2", "one:3", "two:1", "two:2"]);
    assert_eq!(known.keys.iter().map(|entry| entry.by_pattern).collect::<Vec<_>>(), [true, true, false, false]);
    assert!(matches!(known.answer(&blob(1)), Answer::Match(entry) if entry.source.to_string() == "one:2"));
    assert_eq!(known.key_types().collect::<Vec<_>>(), ["ssh-ed25519"]);
    assert!(matches!(known.answer(&blob(7)), Answer::Changed(entries) if entries.len() == 4));
    assert!(std::sync::Arc::ptr_eq(&known.keys[0].blob, &known.keys[3].blob));
}

#[test]
fn other_names_of_a_key_are_told_as_ssh_does() {
    let hashed = "|1|DFREFkR73jaR4t9x30DqFpkgHLI=|P0rhuPer1xNmvOjZAKNfqhcee08=";
    let lines = [
        line("a", 1),
        line("b,B2", 1),
        line("b", 2),
        line("@revoked c", 1),
        line("*.d", 1),
        line(hashed, 1),
        line("[a]:2222", 1),
    ];
    let store = store(&lines.concat());
    let names = |host, port, most| store.known_as(&blob(1), &LookupName::new(host, port), most);
    assert_eq!(names("a", 22, 9), ["b,B2", "*.d", "[hashed] file:6", "[a]:2222"]);
    assert_eq!(names("example.com", 22, 9), ["a", "b,B2", "*.d", "[a]:2222"]);
    assert_eq!(names("a", 2222, 2), ["a", "b,B2"]);
    assert_eq!(store.known_as(&blob(3), &LookupName::new("a", 22), 9), [""; 0]);
}

#[test]
fn problems_beyond_measure_are_counted() {
    let mut content = "bad\n".repeat(1_500);
    let _ = write!(content, "{}", line("h", 1));
    let mut builder = KnownHosts::builder();
    let problems = builder.file("file", content.as_bytes());
    assert_eq!(problems.len(), 1_001);
    assert_eq!(problems[999].to_string(), "file:1000: \"bad\" is followed by no key");
    assert_eq!(problems[1_000].to_string(), "file: 500 more lines of this file cannot be used");
    assert_eq!(builder.build().lookup(&LookupName::new("h", 22)).keys.len(), 1);
}
