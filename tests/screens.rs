//! What people see, as files in `tests/snapshots/`: table, summary and help at 80 and 200 columns, with and without
//! colour, and in ASCII. `SSHPROBE_BLESS=1` writes them anew; look at the difference before you commit it.

use std::path::Path;
use std::time::Duration;

use clap::CommandFactory;
use serde_json::{Value, json};
use sshprobe::cli::args::Cli;
use sshprobe::report::{Closing, FORMATS, Look, Reach, Summary};
use sshprobe_probes::escape::is_unsafe;
use sshprobe_probes::record::Record;

/// The looks every screen is shown in.
const LOOKS: [(&str, usize, bool); 4] =
    [("80", 80, false), ("80-color", 80, true), ("200", 200, false), ("200-color", 200, true)];

fn look(width: usize, color: bool) -> Look {
    let mut look = Look::default();
    (look.width, look.color) = (Some(width), color);
    look
}

/// Holds `text` against the file of this name; nothing but colour may steer a terminal.
#[track_caller]
fn assert_screen(name: &str, text: &str) {
    let mut bare = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("\x1b[") {
        let (codes, after) = after.split_once('m').expect("an SGR sequence has an end");
        assert!(codes.bytes().all(|b| b.is_ascii_digit() || b == b';'), "{name}: {codes:?} is no colour");
        bare.push_str(before);
        rest = after;
    }
    bare.push_str(rest);
    let raw = bare.chars().find(|c| *c != '\n' && is_unsafe(*c));
    assert_eq!(raw, None, "{name}: a character that steers a terminal:\n{text}");
    assert!(name.contains("color") || bare == text, "{name} is coloured");

    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/snapshots").join(name);
    if std::env::var_os("SSHPROBE_BLESS").is_some() {
        std::fs::write(&file, text).expect("written");
    }
    let kept = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(kept == text, "{} is no longer true; SSHPROBE_BLESS=1 writes it anew. Now:\n{text}", file.display());
}

/// A record of `host` that came to `status` and `code`, with what else is to be said of it.
fn record(host: &str, status: &str, code: &str, stage: &str, detail: &str, more: Value) -> Record {
    let mut record = json!({
        "schema": 1, "run": "run", "version": "0", "status": status, "code": code, "arg": null, "stage": stage,
        "target": {"input": host, "index": 0, "host": host, "port": 22, "via": "tcp"},
        "detail": detail, "confidence": "high", "connections": 1, "attempts": 1, "tried": [], "findings": [],
        "timing_us": {"connect": 230, "total": 5_000_000}, "diagnoses": [], "started": "2026-01-02T03:04:05.000Z",
    });
    if host.parse::<std::net::IpAddr>().is_ok() {
        record["target"]["addr"] = json!(host);
    }
    for (name, value) in more.as_object().expect("an object") {
        record[name] = value.clone();
    }
    serde_json::from_value(record).expect("a record")
}

fn healthy(host: &str, software: &str, methods: &[&str], total: u64) -> Record {
    let fingerprint = "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU";
    let more = json!({
        "ident": {"raw": format!("SSH-2.0-{software}"), "proto": "2.0", "software": software, "preamble": []},
        "host_keys": [{"type": "ssh-ed25519", "bits": 256, "fingerprint": fingerprint, "key": "",
                       "signature": "verified", "trust": "unchecked"}],
        "auth": {"user": "root", "methods": methods, "banner": "", "banner_truncated": false, "result": "listed"},
        "timing_us": {"connect": 240, "ident": 900, "kexinit": 300, "kex": 1500, "auth": 700, "total": total},
    });
    record(host, "ok", "ok", "auth", "the methods were listed", more)
}

/// Colour, title, hidden text and text from right to left: what servers send to whoever looks at their output.
const HOSTILE: &str = "\u{1b}[31m\u{1b}]0;x\u{7}\u{9b}2J\u{202e}evil\u{2066}\u{200b}\u{7f}\r\n\t\0";

fn fleet() -> Vec<Record> {
    let all = ["publickey", "password", "keyboard-interactive"];
    let mut fleet = vec![
        healthy("10.0.0.5", "OpenSSH_9.2p1", &all[..2], 12_300),
        healthy("web1.example", "OpenSSH_9.9", &all[..1], 9_900),
        healthy("2001:db8:1111:2222:3333:4444:5555:6666", "dropbear_2022.83", &all, 48_000),
        record("10.0.0.6", "timeout", "timeout-connect", "connect", "no answer to the SYN in 5 s", json!({})),
        record(
            "10.0.0.7",
            "refused",
            "refused",
            "connect",
            "the address answered the connection with a reset",
            json!({}),
        ),
        record(
            "10.0.1.8",
            "closed",
            "closed-no-ident",
            "ident",
            "the server closed the connection after 3 ms without a byte",
            json!({}),
        ),
        record(
            "10.0.1.9",
            "closed",
            "reset-no-ident",
            "ident",
            "the connection was reset after 3 ms without a byte",
            json!({}),
        ),
        record(
            "10.0.1.10",
            "throttled",
            "throttled-maxstartups",
            "ident",
            "the server said \"Exceeded MaxStartups\"",
            json!({}),
        ),
        record(
            "www.example",
            "not-ssh",
            "not-ssh",
            "ident",
            "this is http, not SSH: \"HTTP/1.1 400 Bad Request\"",
            json!({"arg": "http"}),
        ),
        record(
            "typo.example",
            "dns-failure",
            "dns-nxdomain",
            "resolve",
            "the name typo.example does not exist",
            json!({}),
        ),
        record(
            "2001:db8::9",
            "kex-failure",
            "bad-host-signature",
            "kex",
            "the host key's signature does not hold",
            json!({}),
        ),
        record(
            "10.0.0.11",
            "local-error",
            "local-resource-limit",
            "connect",
            "no descriptor was left for 60 s",
            json!({}),
        ),
    ];
    let mut open = healthy("honeypot.example", "OpenSSH_6.0p1", &[], 7_000);
    open.findings =
        serde_json::from_value(json!([{"id": "weak-kex", "detail": "x"}, {"id": "auth-none-accepted", "detail": "x"}]))
            .expect("findings");
    fleet.push(open);
    let mut evil = healthy(HOSTILE, HOSTILE, &[HOSTILE, "password"], 8_000);
    evil.host_keys[0].kind = HOSTILE.into();
    evil.host_keys[0].fingerprint = HOSTILE.into();
    fleet.push(evil);
    fleet.push(record(HOSTILE, "closed", "disconnected", "auth", HOSTILE, json!({"arg": HOSTILE})));
    fleet.push(record(
        "10.0.0.12",
        "closed",
        "refused-text",
        "ident",
        &format!("the server said {HOSTILE}"),
        json!({}),
    ));
    fleet
}

fn table(look: Look) -> String {
    let format = FORMATS.iter().find(|format| format.name == "table").expect("there");
    let mut encoder = (format.encoder)(look);
    let mut out = Vec::new();
    encoder.begin(&mut out);
    fleet().iter().for_each(|record| encoder.record(record, &mut out).expect("no error"));
    String::from_utf8(out).expect("UTF-8")
}

fn summary(look: Look) -> String {
    let mut summary = Summary::default();
    fleet().iter().for_each(|record| summary.add(record));
    for at in 0..40 {
        summary.add(&healthy("10.0.2.1", "OpenSSH_9.9", &["publickey"], 4_000 + at * at * at));
    }
    summary.hide();
    let closing = Closing {
        elapsed: Duration::from_millis(21_400),
        to_jump_hosts: 0,
        interrupted: false,
        list_all: "--show all",
        look,
        reach: Reach::default(),
    };
    summary.render(&closing)
}

#[test]
fn tables_are_as_kept() {
    for (name, width, color) in LOOKS {
        let text = table(look(width, color));
        assert_screen(&format!("table-{name}.txt"), &text);
        for clause in
            ["timeout-connect", "closed-no-ident", "throttled-maxstartups", "bad-host-signature", "this is http"]
        {
            assert!(text.contains(clause), "{clause} is lost at {width}:\n{text}");
        }
    }
    let mut ascii = look(80, false);
    ascii.ascii = true;
    assert_screen("table-80-ascii.txt", &table(ascii));
}

#[test]
fn summaries_are_as_kept() {
    for (name, width, color) in LOOKS {
        assert_screen(&format!("summary-{name}.txt"), &summary(look(width, color)));
    }
    let mut ascii = look(80, false);
    ascii.ascii = true;
    let text = summary(ascii);
    assert!(text.is_ascii());
    assert_screen("summary-80-ascii.txt", &text);
}

/// Without colour the program itself is asked, in `readers`.
#[test]
fn coloured_helps_are_as_kept() {
    for (name, width, _) in LOOKS.into_iter().filter(|(_, _, color)| *color) {
        let text = Cli::command().term_width(width).render_long_help().ansi().to_string();
        assert_screen(&format!("help-{name}.txt"), &text);
    }
}

#[test]
fn no_screen_without_ascii_or_colour_differs_in_its_words() {
    let bare = |text: String| {
        let mut parts = text.split("\x1b[");
        let first = parts.next().unwrap_or_default().to_owned();
        parts.fold(first, |out, part| out + part.split_once('m').map_or("", |(_, rest)| rest))
    };
    for width in [80, 200] {
        assert_eq!(bare(table(look(width, true))), table(look(width, false)));
        assert_eq!(bare(summary(look(width, true))), summary(look(width, false)));
    }
}
