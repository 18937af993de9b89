//! The tables in this folder: known_hosts files, questions, and the answers that ssh and ssh-keygen gave.
//!
//! ```text
//! == title of a file
//! | a line of the file, with {labels} of keys
//! ? HOST PORT KEY => what ssh says | what ssh-keygen -F finds | the same without the port
//! ```
//!
//! HOST is `@ALIAS` for a HostKeyAlias. ssh says `match LINE`, `changed LINE`, `unknown` or `revoked`; `other-type LINE` is
//! its CHANGED where no key of the type that was shown is among the lines found. ssh-keygen finds `LINE=KEY` with `@ca` or
//! `@revoked` behind it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use aws_lc_rs::{digest, hmac};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sshprobe_probes::trust::known_hosts::{Answer, Entry, KnownHosts, LookupName};

/// Where the tables lie.
pub(crate) fn folder() -> PathBuf {
    let crate_folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let inside = crate_folder.join("tests/known_hosts");
    if inside.is_dir() { inside } else { crate_folder.join("probes/tests/known_hosts") }
}

/// The tables' names, in order.
pub(crate) fn tables() -> Vec<String> {
    let entries = std::fs::read_dir(folder()).expect("the folder of tables");
    let names = entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("printable"));
    let mut tables: Vec<String> = names.filter(|name| name.ends_with(".txt") && name != "keys.txt").collect();
    tables.sort();
    tables
}

/// Labelled keys: type and blob.
#[derive(Debug, Clone, Default)]
pub(crate) struct Keys(pub(crate) BTreeMap<String, (String, Vec<u8>)>);

impl Keys {
    /// The keys of `keys.txt`.
    pub(crate) fn kept() -> Self {
        let mut keys = Self::default();
        let text = std::fs::read_to_string(folder().join("keys.txt")).expect("keys.txt");
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let (label, key) = line.split_once(' ').expect("label, key");
            keys.add(label, key);
        }
        keys
    }

    /// Sets a key from its two fields.
    pub(crate) fn add(&mut self, label: &str, fields: &str) {
        let mut fields = fields.split(' ');
        let (kind, base64) = (fields.next().expect("a type"), fields.next().expect("base64"));
        self.0.insert(label.to_owned(), (kind.to_owned(), STANDARD.decode(base64).expect("base64")));
    }

    /// The blob of a labelled key.
    pub(crate) fn blob(&self, label: &str) -> &[u8] {
        &self.0[label].1
    }

    fn label_of(&self, blob: &[u8]) -> &str {
        self.0.iter().find(|(_, (_, other))| other == blob).map_or("?", |(label, _)| label)
    }

    /// The bytes that a line of a table stands for.
    pub(crate) fn expand(&self, line: &str) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut rest = line;
        while let Some(special) = rest.find(['\\', '{']) {
            bytes.extend_from_slice(&rest.as_bytes()[..special]);
            rest = &rest[special..];
            if let Some(inside) = rest.strip_prefix('{') {
                let (word, after) = inside.split_once('}').expect("a closing brace");
                bytes.extend(self.word(word));
                rest = after;
                continue;
            }
            let (byte, length) = match rest.as_bytes()[1] {
                b't' => (b'\t', 2),
                b'r' => (b'\r', 2),
                b'0' => (0, 2),
                b'x' => (u8::from_str_radix(&rest[2..4], 16).expect("two hexadecimal digits"), 4),
                other => panic!("\\{} in {line}", char::from(other)),
            };
            bytes.push(byte);
            rest = &rest[length..];
        }
        bytes.extend_from_slice(rest.as_bytes());
        bytes
    }

    fn word(&self, word: &str) -> Vec<u8> {
        if let Some(name) = word.strip_prefix("hash:") {
            return hashed(name).into_bytes();
        }
        if let Some((text, count)) = word.split_once('*') {
            return text.repeat(count.parse().expect("a number")).into_bytes();
        }
        let (label, how) = word.split_once('.').unwrap_or((word, ""));
        let (kind, blob) = self.0.get(label).unwrap_or_else(|| panic!("no key {label}"));
        let base64 = STANDARD.encode(blob);
        let changed = |change: &dyn Fn(&mut Vec<u8>)| {
            let mut blob = blob.clone();
            change(&mut blob);
            format!("{kind} {}", STANDARD.encode(blob))
        };
        let text = match how {
            "" => format!("{kind} {base64}"),
            "type" => kind.clone(),
            "64" => base64,
            // The first and the second half of the base64.
            "head" => base64[..base64.len() / 2].to_owned(),
            "tail" => base64[base64.len() / 2..].to_owned(),
            // A whole group less, one character less, a byte less, one more, another last byte.
            "less4" => format!("{kind} {}", &base64[..base64.len() - 4]),
            "less1" => format!("{kind} {}", &base64[..base64.len() - 1]),
            "cut" => changed(&|blob| blob.truncate(blob.len() - 1)),
            "more" => changed(&|blob| blob.push(0)),
            "flip" => changed(&|blob| *blob.last_mut().expect("a byte") ^= 1),
            // Base64 without its padding; with bits left over that are not zero.
            "nopad" => format!("{kind} {}", base64.trim_end_matches('=')),
            "zeros" => format!("{kind} {}", STANDARD.encode(with_zeros(blob))),
            other => panic!("no way {other} to write a key"),
        };
        text.into_bytes()
    }
}

/// A hashed name, with a salt that depends on nothing but the name.
fn hashed(name: &str) -> String {
    let salt = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, name.as_bytes());
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, salt.as_ref());
    let hash = hmac::sign(&key, name.as_bytes());
    format!("|1|{}|{}", STANDARD.encode(salt.as_ref()), STANDARD.encode(hash.as_ref()))
}

/// The blob with a needless zero in front of the first byte of every field but the type.
fn with_zeros(blob: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = blob;
    while let Some((length, after)) = rest.split_first_chunk::<4>() {
        let length = usize::try_from(u32::from_be_bytes(*length)).expect("a length");
        let zero = usize::from(!out.is_empty());
        out.extend_from_slice(&u32::try_from(length + zero).expect("a length").to_be_bytes());
        out.extend(std::iter::repeat_n(0, zero));
        out.extend_from_slice(&after[..length]);
        rest = &after[length..];
    }
    out
}

/// A question and the answers that are written behind it.
#[derive(Debug, Clone)]
pub(crate) struct Question {
    /// The host, or `@` and an alias.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// The label of the key that the server shows.
    pub(crate) key: String,
    /// What stands behind `=>`; nothing in a row that was not blessed yet.
    pub(crate) answers: String,
}

impl Question {
    pub(crate) fn name(&self) -> LookupName {
        match self.host.strip_prefix('@') {
            Some(alias) => LookupName::alias(alias),
            None => LookupName::new(&self.host, self.port),
        }
    }
}

/// One known_hosts file with its questions.
#[derive(Debug, Clone, Default)]
pub(crate) struct Block {
    pub(crate) title: String,
    /// The lines of the file as the table has them.
    pub(crate) lines: Vec<String>,
    pub(crate) questions: Vec<Question>,
}

impl Block {
    /// The file that the lines stand for. The last line ends without a line feed if it ends with `\` in the table.
    pub(crate) fn content(&self, keys: &Keys) -> Vec<u8> {
        let mut content = Vec::new();
        for line in &self.lines {
            content.extend(keys.expand(line.trim_end_matches("\\")));
            if !line.ends_with('\\') {
                content.push(b'\n');
            }
        }
        content
    }

    /// What this crate answers, in the words of the table.
    pub(crate) fn answers(&self, keys: &Keys, question: &Question) -> String {
        let mut builder = KnownHosts::builder();
        builder.file("file", &self.content(keys));
        let store = builder.build();
        let name = question.name();
        let known = store.lookup(&name);
        let line = |entry: &Entry| entry.source.line.expect("a line");
        let has =
            |entries: &[&Entry], wanted: Option<u32>| wanted.is_none_or(|at| entries.iter().any(|e| line(e) == at));
        // ssh names one of the lines; which, is for the table to say.
        let said = question.answers.split(" | ").next().and_then(|said| said.split_once(' '));
        let wanted = said.and_then(|(_, line)| line.parse().ok());
        let offending = |word: &str, entries: &[&Entry]| {
            let at = if has(entries, wanted) { wanted } else { entries.first().map(|entry| line(entry)) };
            at.map_or_else(|| word.to_owned(), |at| format!("{word} {at}"))
        };
        let mut out = match known.answer(keys.blob(&question.key)) {
            Answer::Match(entry) => format!("match {}", line(entry)),
            Answer::Revoked(_) => String::from("revoked"),
            // The line that ssh calls offending may have another type than the key, although one has the same.
            Answer::Changed(_) => offending("changed", &known.keys.iter().collect::<Vec<_>>()),
            Answer::OtherType(entries) => offending("other-type", &entries),
            _ => String::from("unknown"),
        };
        let found = |known: &sshprobe_probes::trust::known_hosts::Known| {
            let mut lines = BTreeMap::new();
            for (marker, entries) in [("", &known.keys), ("@ca", &known.authorities), ("@revoked", &known.revoked)] {
                for entry in entries {
                    lines.insert(line(entry), format!("{}={}{marker}", line(entry), keys.label_of(&entry.blob)));
                }
            }
            if lines.is_empty() { String::from("-") } else { lines.into_values().collect::<Vec<_>>().join(" ") }
        };
        let _ = write!(out, " | {}", found(&known));
        if let Some(plain) = name.fallback() {
            let plain = store.lookup(&LookupName::new(plain, 22));
            let _ = write!(out, " | {}", found(&plain));
        }
        out
    }
}

/// Reads a table.
pub(crate) fn read(text: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    for row in text.lines().filter(|row| !row.is_empty() && !row.starts_with('#')) {
        if let Some(title) = row.strip_prefix("== ") {
            blocks.push(Block { title: title.to_owned(), ..Block::default() });
            continue;
        }
        let block = blocks.last_mut().expect("a title before lines and questions");
        if let Some(line) = row.strip_prefix('|') {
            block.lines.push(line.strip_prefix(' ').unwrap_or(line).to_owned());
        } else {
            block.questions.push(question(row));
        }
    }
    blocks
}

fn question(row: &str) -> Question {
    let row = row.strip_prefix("? ").unwrap_or_else(|| panic!("neither line nor question: {row}"));
    let (question, answers) = row.split_once("=>").unwrap_or((row, ""));
    let mut words = question.split_whitespace();
    let mut word = || words.next().unwrap_or_else(|| panic!("host, port, key: {row}"));
    let host = word().to_owned();
    let port = word().parse().unwrap_or_else(|_| panic!("no port: {row}"));
    let key = word().to_owned();
    Question { host, port, key, answers: answers.trim().to_owned() }
}
