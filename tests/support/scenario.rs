//! The scenario file: what is at which address, and what the record about it must say.

use std::collections::BTreeMap;
use std::net::IpAddr;

use base64::prelude::{BASE64_STANDARD, Engine};
use serde_json::Value;

use super::topology::Family;

/// A scenario, read for one address family.
pub(crate) struct Scenario {
    /// The addresses named, by last octet.
    pub(crate) special: BTreeMap<u8, Expected>,
    /// All the others.
    pub(crate) rest: Expected,
}

/// One line of a scenario.
#[derive(Debug, Clone)]
pub(crate) struct Expected {
    pub(crate) behaviour: String,
    status: String,
    code: String,
    arg: Option<String>,
    stage: String,
    evidence: Vec<String>,
}

/// What a scenario cannot know: it is made when the fleet is built.
pub(crate) struct Context {
    pub(crate) family: Family,
    /// The right fingerprints, by last octet and key type; for addresses not listed, by key type alone.
    pub(crate) special_keys: BTreeMap<u8, String>,
    pub(crate) keys: BTreeMap<String, String>,
}

impl Scenario {
    /// Reads a scenario. A mistake in it fails the test with the line.
    pub(crate) fn parse(text: &str, family: Family) -> Self {
        let mut special = BTreeMap::new();
        let mut rest = None;
        for line in text.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty()) {
            let words: Vec<String> = line.split_whitespace().map(|word| choose(word, family).to_owned()).collect();
            let [number, behaviour, status, code, arg, stage, evidence @ ..] = words.as_slice() else {
                panic!("not a line of a scenario: {line}");
            };
            let expected = Expected {
                behaviour: behaviour.clone(),
                status: status.clone(),
                code: code.clone(),
                arg: (arg != "-").then(|| arg.clone()),
                stage: stage.clone(),
                evidence: evidence.to_vec(),
            };
            if number == "*" {
                assert!(rest.replace(expected).is_none(), "two lines for the rest: {line}");
            } else {
                let octet = number.parse().unwrap_or_else(|_| panic!("not an octet: {line}"));
                assert!(special.insert(octet, expected).is_none(), "twice the same address: {line}");
            }
        }
        Self { special, rest: rest.expect("a line for the rest") }
    }

    /// What is expected of the address with this last octet.
    pub(crate) fn at(&self, octet: u8) -> &Expected {
        self.special.get(&octet).unwrap_or(&self.rest)
    }
}

fn choose(word: &str, family: Family) -> &str {
    match (word.split_once('|'), family) {
        (Some((v4, _)), Family::V4) => v4,
        (Some((_, v6)), Family::V6) => v6,
        (None, _) => word,
    }
}

impl Expected {
    /// Every way in which the record differs from what is expected.
    pub(crate) fn differences(&self, octet: u8, record: &Value, context: &Context) -> Vec<String> {
        let mut differences = Vec::new();
        let mut compare = |what: &str, expected: Value, found: &Value| {
            if *found != expected {
                differences.push(format!("{what} is {found}, not {expected}"));
            }
        };
        compare("status", self.status.as_str().into(), &record["status"]);
        compare("code", self.code.as_str().into(), &record["code"]);
        compare("arg", self.arg.as_deref().into(), &record["arg"]);
        compare("stage", self.stage.as_str().into(), &record["stage"]);
        let found = evidence(record);
        for wanted in self.evidence.iter().filter(|wanted| !wanted.ends_with('?')) {
            let (name, value) =
                wanted.split_once('=').map_or((wanted.as_str(), None), |(name, value)| (name, Some(value)));
            match found.get(name) {
                None => differences.push(format!("{wanted} is missing")),
                Some(found) => differences.extend(self.judge(name, value, found, octet, record, context)),
            }
        }
        // These ride along with many an outcome (on a busy machine any server may be slow enough for us to speak first); of
        // the rest nothing may turn up that was never sent.
        const ALWAYS: [&str; 7] = ["errno", "finding", "kex", "hostkey", "cipher", "mac", "spoke"];
        let wanted = |name: &str| self.evidence.iter().any(|wanted| wanted.split(['=', '?']).next() == Some(name));
        for (name, value) in found.iter().filter(|(name, _)| !ALWAYS.contains(name) && !wanted(name)) {
            differences.push(format!("{name} was not expected: {value}"));
        }
        differences
    }

    fn judge(
        &self,
        name: &str,
        value: Option<&str>,
        found: &str,
        octet: u8,
        record: &Value,
        context: &Context,
    ) -> Option<String> {
        let fine = match (name, value) {
            ("key" | "badkey", Some(kind)) => {
                let key = context.special_keys.get(&octet).or_else(|| context.keys.get(kind));
                let fingerprint = record["host_keys"][0]["fingerprint"].as_str();
                if fingerprint != key.map(String::as_str) {
                    return Some(format!("the fingerprint is {fingerprint:?}, not {key:?}"));
                }
                found == kind
            }
            ("ident" | "first", Some(text)) => found.starts_with(&text.replace('_', " ")) || found.starts_with(text),
            ("icmp", Some(icmp)) => {
                let (numbers, who) = icmp.split_once('@').expect("icmp=T/C@WHO");
                let from = match who {
                    "router" => context.family.router(),
                    "host" => context.family.address(octet),
                    _ => panic!("who is {who}?"),
                };
                found == format!("{numbers}@{from}")
            }
            ("finding", Some(id)) => found.split(',').any(|found| found == id),
            (_, Some(value)) => found == value,
            (_, None) => true,
        };
        (!fine).then(|| format!("{name} is {found:?}, not {value:?}"))
    }
}

/// What a record holds, in the scenario's words.
fn evidence(record: &Value) -> BTreeMap<&'static str, String> {
    let mut found = BTreeMap::new();
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let list = |value: &Value, key: &str| -> String {
        let names = value.as_array().into_iter().flatten();
        names
            .filter_map(|item| if key.is_empty() { item.as_str() } else { item[key].as_str() })
            .collect::<Vec<_>>()
            .join(",")
    };
    let mut add = |name, value: Option<String>| {
        if let Some(value) = value {
            found.insert(name, value);
        }
    };
    add("ident", text(&record["ident"]["raw"]));
    add("kexinit", record["kexinit"].is_object().then(|| list(&record["kexinit"]["kex"], "")));
    let key = &record["host_keys"][0];
    match key["signature"].as_str() {
        Some("verified") => add("key", text(&key["type"])),
        Some("bad") => add("badkey", text(&key["type"])),
        Some(other) => add("uncheckedkey", Some(other.to_owned())),
        None => {}
    }
    let methods = &record["auth"]["methods"];
    add("methods", methods.is_array().then(|| list(methods, "")));
    add("first", text(&record["first_bytes_b64"]).map(|bytes| decode(&bytes)));
    let preamble = &record["ident"]["preamble"];
    add("preamble", preamble.as_array().filter(|lines| !lines.is_empty()).map(|_| list(preamble, "")));
    add("errno", text(&record["net"]["errno"]));
    let icmp = &record["net"]["icmp"];
    add(
        "icmp",
        icmp.is_object().then(|| format!("{}/{}@{}", icmp["type"], icmp["code"], icmp["from"].as_str().unwrap_or("?"))),
    );
    add("spoke", (record["net"]["spoke_first"] == Value::Bool(true)).then(String::new));
    add("disconnect", record["disconnect"]["code"].as_u64().map(|code| code.to_string()));
    add("banner", text(&record["auth"]["banner"]).filter(|banner| !banner.is_empty()));
    let count = |name: &str| record[name].as_u64();
    // What never got beyond connect() opened no connection.
    let opened = u64::from(record["stage"] != "connect" || record["code"] == "ok");
    match (count("connections"), count("attempts")) {
        (Some(connections), Some(1)) if connections == opened => {}
        (Some(2), Some(2)) => add("retried", Some(String::new())),
        (Some(2), Some(1)) => add("second", Some(String::new())),
        (connections, attempts) => add("contacts", Some(format!("{connections:?} in {attempts:?} attempts"))),
    }
    add("result", text(&record["auth"]["result"]));
    let negotiated = &record["negotiated"];
    add("kex", text(&negotiated["kex"]));
    add("hostkey", text(&negotiated["host_key"]));
    add("cipher", text(&negotiated["cipher"]));
    add("mac", text(&negotiated["mac"]).filter(|mac| !mac.is_empty()));
    add("finding", record["findings"].is_array().then(|| list(&record["findings"], "id")));
    // The result follows from the method list; it is compared where a scenario names it.
    found.retain(|name, value| *name != "result" || value == "open");
    found
}

fn decode(base64: &str) -> String {
    let bytes = BASE64_STANDARD.decode(base64).unwrap_or_else(|error| panic!("first_bytes_b64 {base64:?}: {error}"));
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The address a record is about.
pub(crate) fn address(record: &Value) -> IpAddr {
    record["target"]["addr"]
        .as_str()
        .and_then(|text| text.parse().ok())
        .unwrap_or_else(|| panic!("no address: {record}"))
}
