//! The store as a whole. What ssh says of the same lines stands in `probes/tests/known_hosts/`.

use std::fmt::Write as _;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;

use super::*;
use crate::fuzzing;
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

#[test]
fn every_line_that_cannot_be_used_is_told_once() {
    let base64 = STANDARD.encode(blob(1));
    let mut rsa1023 = Vec::new();
    Writer::new(&mut rsa1023).string(b"ssh-rsa").mpint(&[1, 0, 1]).mpint(&[&[0x7f][..], &[0xff; 127]].concat());
    let mut rsa_huge = Vec::new();
    Writer::new(&mut rsa_huge).string(b"ssh-rsa").mpint(&[1, 0, 1]).mpint(&[0xff; 2049]);
    let mut off_curve = Vec::new();
    let point = [&[4][..], &[9; 64]].concat();
    Writer::new(&mut off_curve).string(b"ecdsa-sha2-nistp256").string(b"nistp256").string(&point);
    let [rsa1023, rsa_huge, off_curve] = [rsa1023, rsa_huge, off_curve].map(|blob| STANDARD.encode(blob));
    for (line, problem) in [
        (String::new(), ""),
        (String::from(" \t# \0"), ""),
        (String::from("\r"), ""),
        (format!("h ssh-ed25519 {base64}\r"), ""),
        (String::from("h"), "\"h\" is followed by no key"),
        (String::from("h\x1b[2J "), "\"h\\x1b[2J\" is followed by no key"),
        (format!("{} x", "h".repeat(2_000)), "a host name of 1023 or more characters makes ssh ignore the line"),
        ("x".repeat(10_000_000), "\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...\" is followed by no key"),
        (String::from("h ssh-ed25519"), "the key type is followed by no key"),
        (String::from("h ssh-ed25519 "), "the key type is followed by no key"),
        (String::from("h # ssh-ed25519"), "\"h\" is followed by no key"),
        (String::from("h 1024 35 12345"), "a key of SSH protocol 1, which nothing uses any more"),
        (String::from("h ssh-ed448 AAAA"), "key type \"ssh-ed448\" is not known"),
        (String::from("h ssh-ed25519 AAA"), "the key's base64 is damaged or cut short"),
        (String::from("h ssh-ed25519 AAAA"), "the base64 is no key"),
        (format!("h ssh-rsa {base64}"), "the line says ssh-rsa, the key in it is ssh-ed25519"),
        (format!("h ssh-ed25519 {}", &base64[..64]), "the key is damaged: string longer than its message at byte 19"),
        (format!("h ssh-rsa {rsa1023}"), "an RSA key of 1023 bits; ssh refuses those under 1024"),
        (format!("h ssh-rsa {rsa_huge}"), "an RSA key of 16392 bits; ssh refuses those over 16384"),
        (format!("h ecdsa-sha2-nistp256 {off_curve}"), "the key is damaged: its point is not on the curve"),
        (format!("@ca h ssh-ed25519 {base64}"), "\"@ca\" is no marker that ssh knows, or more than one"),
        (String::from("@revoked"), "\"@revoked\" is no marker that ssh knows, or more than one"),
        (String::from("@revoked @revoked h"), "\"@revoked h\" is no marker that ssh knows, or more than one"),
        (
            format!("@revoked\th ssh-ed25519 {base64}"),
            "@cert-authority and @revoked have to be followed by a blank; ssh ignores a line with a tab there",
        ),
        (format!("|1|AAAA|AAAA ssh-ed25519 {base64}"), "the hashed name is damaged"),
        (
            format!("|1|AAAA|AAAA,h ssh-ed25519 {base64}"),
            "a hashed name stands alone; what follows it after a comma makes ssh ignore the line",
        ),
        (format!("\0h ssh-ed25519 {base64}"), "a NUL byte; ssh reads nothing after it"),
        (format!("h ssh-ed25519 {base64}\0"), "a NUL byte; ssh reads the line only as far as that"),
        (format!("h\0 ssh-ed25519 {base64}"), "\"h\" is followed by no key"),
    ] {
        let content = format!("# first\n{line}\ng ssh-ed25519 {base64}\n");
        let mut builder = KnownHosts::builder();
        let problems = builder.file("file", content.as_bytes());
        let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
        let expected: Vec<String> =
            Some(format!("file:2: {problem}")).filter(|_| !problem.is_empty()).into_iter().collect();
        assert_eq!(told, expected);
        assert_eq!(builder.build().lookup(&LookupName::new("g", 22)).keys.len(), 1, "the line after it counts");
    }
    let mut builder = KnownHosts::builder();
    let told = builder.file("file", &[b"\xef\xbb\xbf", line("h", 1).as_bytes()].concat());
    assert_eq!(told[0].to_string(), "file:1: a byte order mark; for ssh it is part of the line's first name");
}

#[test]
fn an_authority_counts_under_either_name_unless_it_is_revoked_there() {
    let store = |lines: &[String]| store(&lines.concat()).lookup(&LookupName::new("h", 2222));
    let known = store(&[line("@cert-authority h", 1), line("[h]:2222", 2), line("@cert-authority [h]:2222", 3)]);
    assert!(known.authority(&blob(1)).is_some_and(|entry| entry.fallback));
    assert!(known.authority(&blob(3)).is_some_and(|entry| !entry.fallback));
    assert!(known.authority(&blob(2)).is_none());
    let known = store(&[line("@cert-authority h", 1), line("@revoked h", 1)]);
    assert!(known.authority(&blob(1)).is_none() && known.revokes(&blob(1)).is_none());
    let known = store(&[line("@cert-authority [h]:2222", 1), line("@revoked [h]:2222", 1)]);
    assert!(known.authority(&blob(1)).is_some() && known.revokes(&blob(1)).is_some());
}

#[test]
fn numbers_with_needless_zeros_are_the_same_key() {
    let rsa = |zeros: usize| {
        let mut blob = Vec::new();
        let modulus = [&vec![0; zeros][..], &[0xc5; 128]].concat();
        Writer::new(&mut blob).string(b"ssh-rsa").mpint(&[1, 0, 1]).string(&modulus);
        blob
    };
    let store = store(&format!("h ssh-rsa {}\n", STANDARD.encode(rsa(3))));
    let known = store.lookup(&LookupName::new("h", 22));
    for zeros in 1..5 {
        assert!(matches!(known.answer(&rsa(zeros)), Answer::Match(_)));
        assert_eq!(store.known_as(&rsa(zeros), &LookupName::new("g", 22), 9), ["h"]);
    }
}

/// Fields, names and joints of lines, put together at random: most files make some sense.
fn file() -> impl Strategy<Value = Vec<u8>> {
    let name = prop_oneof![
        4 => "[!]?[abAB*?]{1,3}",
        2 => "[!]?\\[[ab*?]{1,2}\\]:2?[2*?]{1,3}",
        1 => Just(String::from("|1|nJ1Bu4gKGLnXYQvPjmPjIzsBEWE=|AAAAAAAAAAAAAAAAAAAAAAAAAAA=")),
        1 => "[ -~]{0,6}",
    ];
    let names = proptest::collection::vec(name, 1..4).prop_map(|names| names.join(","));
    let marker =
        prop_oneof![6 => Just(""), 1 => Just("@revoked "), 1 => Just("@cert-authority "), 1 => Just("@revoked\t")];
    let blank = prop_oneof![6 => Just(" "), 1 => Just("\t"), 1 => Just(" \t "), 1 => Just("\0"), 1 => Just("\n")];
    let end = prop_oneof![4 => Just("\n"), 1 => Just("\r\n"), 1 => Just(" # comment\n"), 1 => Just("")];
    let line = (marker, names, blank, 1u8..5, end).prop_map(|(marker, names, blank, seed, end)| {
        let base64 = STANDARD.encode(blob(seed));
        format!("{marker}{names}{blank}ssh-ed25519{blank}{base64}{end}")
    });
    proptest::collection::vec(line, 0..8).prop_map(|lines| lines.concat().into_bytes())
}

proptest! {
    #[test]
    fn the_index_finds_what_a_naive_reader_finds(file in file(), host in "@?[ab]{1,2}", port in prop_oneof![Just(22), Just(222)]) {
        let data = [format!("{host} {port}\n").into_bytes(), file].concat();
        fuzzing::known_hosts(&data);
        fuzzing::known_hosts_naive(&data);
    }

    #[test]
    fn a_file_cut_anywhere_is_read_without_harm(file in file(), noise: Vec<u8>, keep in 0usize..400) {
        let data = [b"a 22\n", file.get(..keep).unwrap_or(&file), &noise].concat();
        fuzzing::known_hosts(&data);
        fuzzing::known_hosts_naive(&data);
    }
}
