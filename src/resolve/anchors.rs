//! The keys that DNSSEC validation starts from: the root's, or those of a file.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

use hickory_resolver::proto::dnssec::rdata::{DNSKEY, DNSSECRData, DS};
use hickory_resolver::proto::dnssec::{PublicKey, PublicKeyBuf, TrustAnchors};
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use hickory_resolver::proto::serialize::txt::trust_anchor;
use sshprobe_probes::trust::{Problem, Source};

use crate::sys::unread::unread;

/// More than any list of keys; what is longer is some other file.
const LONGEST_FILE: u64 = 1 << 20;

/// Where chains of signatures may begin. By default the root zone's keys, as IANA publishes them.
#[derive(Debug, Clone, Default)]
pub struct Anchors(Option<Arc<[Anchor]>>);

/// One trusted key of a zone.
#[derive(Debug, Clone)]
pub(super) struct Anchor {
    pub(super) zone: Name,
    pub(super) trusted: Trusted,
}

/// What is known of the key.
#[derive(Debug, Clone)]
pub(super) enum Trusted {
    /// The key.
    Key(PublicKeyBuf),
    /// Its digest (RFC 4034 section 5).
    Digest(DS),
}

impl Trusted {
    /// Whether a key of the zone is the trusted one.
    pub(super) fn is(&self, zone: &Name, key: &DNSKEY) -> bool {
        match self {
            Self::Key(trusted) => {
                trusted.public_bytes() == key.public_key().public_bytes()
                    && trusted.algorithm() == key.public_key().algorithm()
            }
            Self::Digest(digest) => {
                digest.algorithm() == key.public_key().algorithm() && digest.covers(zone, key).unwrap_or(false)
            }
        }
    }
}

impl Anchors {
    /// The root zone's keys.
    #[must_use]
    pub fn root() -> Self {
        Self(None)
    }

    /// Reads DNSKEY and DS records as zone files have them: `ZONE [TTL] [IN] DNSKEY 257 3 13 KEY`, with comments and
    /// parentheses; what `unbound-anchor`, `dig DNSKEY` and `ldns-keygen` write. They replace the root's keys.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong, with file and line: a key that cannot be used is told and never left out, since the
    /// names below it would be taken for unsigned.
    pub fn from_file(path: &Path) -> Result<Self, Problem> {
        let file = path.display().to_string();
        let mut content = Vec::new();
        let read = File::open(path).and_then(|open| open.take(LONGEST_FILE + 1).read_to_end(&mut content));
        let whole = |what: String| Problem::new(Source { file: file.as_str().into(), line: None }, what);
        if let Err(error) = read {
            return Err(whole(format!("cannot be read: {}", unread(&error))));
        }
        if u64::try_from(content.len()).unwrap_or(u64::MAX) > LONGEST_FILE {
            return Err(whole(format!("is longer than {LONGEST_FILE} bytes, which no list of trust anchors is")));
        }
        Self::parse(&file, &content)
    }

    /// Reads the content of such a file; messages call it `file`.
    ///
    /// # Errors
    ///
    /// As [`Anchors::from_file`].
    pub fn parse(file: &str, content: &[u8]) -> Result<Self, Problem> {
        let file: Arc<str> = file.into();
        let at = |line: Option<u32>| Source { file: Arc::clone(&file), line };
        let text = std::str::from_utf8(content)
            .map_err(|error| Problem::new(at(Some(line_at(content, error.valid_up_to()))), "is not text"))?;
        let mut anchors = Vec::new();
        let mut owner: Option<String> = None;
        for entry in entries(text) {
            let entry = entry.map_err(|(line, what)| Problem::new(at(Some(line)), what))?;
            let line = entry.line;
            if let Some(anchor) = entry.anchor(&mut owner).map_err(|what| Problem::new(at(Some(line)), what))? {
                anchors.push(anchor);
            }
        }
        if anchors.is_empty() {
            return Err(Problem::new(at(None), "holds no DNSKEY or DS record"));
        }
        Ok(Self(Some(anchors.into())))
    }

    /// Each trusted key.
    pub(super) fn all(&self) -> Vec<Anchor> {
        if let Some(read) = &self.0 {
            return read.to_vec();
        }
        let built_in = TrustAnchors::default();
        let keys = (0..built_in.len()).filter_map(|index| built_in.get(index));
        keys.map(|key| Anchor { zone: Name::root(), trusted: Trusted::Key(key.clone()) }).collect()
    }
}

/// The line of a byte, counted from 1.
fn line_at(content: &[u8], offset: usize) -> u32 {
    let before = content.iter().take(offset).filter(|byte| **byte == b'\n').count();
    u32::try_from(before).unwrap_or(u32::MAX).saturating_add(1)
}

/// One record as written, without comments and parentheses.
struct Entry<'a> {
    /// The line it begins on.
    line: u32,
    /// Whether it begins with a blank: the owner is that of the record before (RFC 1035 section 5.1).
    same_owner: bool,
    words: Vec<&'a str>,
}

/// The records of a file, or the line and what is wrong there.
fn entries(text: &str) -> impl Iterator<Item = Result<Entry<'_>, (u32, String)>> {
    let mut lines = (1u32..).zip(text.lines());
    std::iter::from_fn(move || {
        let mut entry: Option<Entry<'_>> = None;
        let mut open = false;
        loop {
            let Some((number, line)) = lines.next() else {
                return open.then(|| {
                    let line = entry.map_or(1, |entry| entry.line);
                    Err((line, "a parenthesis opens here and is not closed".into()))
                });
            };
            let same_owner = line.starts_with([' ', '\t']);
            let entry = entry.get_or_insert_with(|| Entry { line: number, same_owner, words: Vec::new() });
            // Neither of the two types has quoted text: a semicolon always begins a comment.
            let code = line.split(';').next().unwrap_or_default();
            let mut rest = code;
            while let Some(at) = rest.find(['(', ')']) {
                let (before, after) = rest.split_at(at);
                if after.starts_with('(') == open {
                    return Some(Err((number, "the parentheses do not match".into())));
                }
                open = !open;
                entry.words.extend(before.split_whitespace());
                rest = after.get(1..).unwrap_or_default();
            }
            entry.words.extend(rest.split_whitespace());
            if !open {
                break entry_of(entry);
            }
        }
    })
    .filter(|entry| !matches!(entry, Ok(entry) if entry.words.is_empty()))
}

/// Takes what was gathered.
fn entry_of<'a>(entry: &mut Entry<'a>) -> Option<Result<Entry<'a>, (u32, String)>> {
    let words = std::mem::take(&mut entry.words);
    Some(Ok(Entry { line: entry.line, same_owner: entry.same_owner, words }))
}

impl Entry<'_> {
    /// The anchor it is; `None` for `$TTL`, which says nothing about keys.
    fn anchor(self, owner: &mut Option<String>) -> Result<Option<Anchor>, String> {
        let mut words = self.words.into_iter().peekable();
        if let Some(directive) = words.peek().filter(|word| word.starts_with('$')) {
            if directive.eq_ignore_ascii_case("$TTL") {
                return Ok(None);
            }
            return Err(format!("{} is not followed here: write whole names", directive.escape_debug()));
        }
        if !self.same_owner {
            *owner = words.next().map(str::to_owned);
        }
        let Some(owner) = owner.as_deref() else {
            return Err("no zone is named: begin the line with it".into());
        };
        if owner == "@" {
            return Err("`@` stands for no zone here: write its whole name".into());
        }
        let mut zone =
            Name::from_ascii(owner).map_err(|error| format!("`{}` is no name: {error}", owner.escape_debug()))?;
        zone.set_fqdn(true);
        let kind = words
            .by_ref()
            .find(|word| !(word.eq_ignore_ascii_case("IN") || word.starts_with(|first: char| first.is_ascii_digit())));
        let fields = words.collect::<Vec<_>>().join(" ");
        let trusted = match kind {
            Some(word) if word.eq_ignore_ascii_case("DNSKEY") => trusted_key(&fields)?,
            Some(word) if word.eq_ignore_ascii_case("DS") => trusted_digest(&fields)?,
            Some(word) => {
                return Err(format!(
                    "`{}` is neither DNSKEY nor DS: write lines such as `example.org. IN DS 12345 13 2 DIGEST`",
                    word.escape_debug()
                ));
            }
            None => return Err("no DNSKEY or DS record".into()),
        };
        Ok(Some(Anchor { zone, trusted }))
    }
}

fn trusted_key(fields: &str) -> Result<Trusted, String> {
    // Of hickory's two readers the one for any record does not take this type.
    let entries = trust_anchor::Parser::new(format!(". IN DNSKEY {fields}")).parse();
    let entries = entries.map_err(|error| format!("no DNSKEY record: {error}"))?;
    let Some(trust_anchor::Entry::DNSKEY(record)) = entries.first() else {
        return Err("no DNSKEY record".into());
    };
    let key = record.data();
    let algorithm = key.public_key().algorithm();
    if !algorithm.is_supported() {
        return Err(format!("the key's algorithm {} cannot be checked here", u8::from(algorithm)));
    }
    if !key.zone_key() {
        return Err(format!("the key signs no zone (flags {}, RFC 4034 section 2.1.1)", key.flags()));
    }
    if key.revoke() {
        return Err(format!("the key is revoked (flags {}, RFC 5011)", key.flags()));
    }
    Ok(Trusted::Key(key.public_key().clone()))
}

fn trusted_digest(fields: &str) -> Result<Trusted, String> {
    let digest = match RData::try_from_str(RecordType::DS, fields) {
        Ok(RData::DNSSEC(DNSSECRData::DS(digest))) => digest,
        Ok(_) => return Err("no DS record".into()),
        Err(error) => return Err(format!("no DS record: {error}")),
    };
    if !digest.algorithm().is_supported() {
        return Err(format!("the key's algorithm {} cannot be checked here", u8::from(digest.algorithm())));
    }
    // The types of RFC 8624 section 3.3 by the length of what they give.
    let length = match u8::from(digest.digest_type()) {
        1 => 20,
        2 => 32,
        4 => 48,
        other => return Err(format!("digests of type {other} cannot be checked here")),
    };
    // Half a byte at the end would go unseen in the decoded digest.
    let written: usize = fields.split(' ').skip(3).map(str::len).sum();
    if digest.digest().len() != length || written != 2 * length {
        return Err(format!("the digest has {written} hexadecimal digits where {} belong", 2 * length));
    }
    Ok(Trusted::Digest(digest))
}

impl FromStr for Anchors {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        Self::parse("trust anchors", text.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "JnpTqOhuyrG6WBXrBR4ejmQYF1qwEPDfzXHNJ6N/cXU=";
    const DIGEST: &str = "E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D";

    fn zones(text: &str) -> Vec<String> {
        let anchors: Anchors = text.parse().unwrap();
        anchors.all().iter().map(|anchor| anchor.zone.to_ascii()).collect()
    }

    fn complaint(text: &str) -> String {
        text.parse::<Anchors>().unwrap_err().to_string()
    }

    #[test]
    fn the_roots_keys_are_built_in() {
        let anchors = Anchors::default().all();
        assert!(anchors.len() >= 2 && anchors.iter().all(|anchor| anchor.zone.is_root()), "{anchors:?}");
    }

    #[test]
    fn records_as_tools_write_them() {
        assert_eq!(zones(&format!("example.org. IN DNSKEY 257 3 15 {KEY}")), ["example.org."]);
        // ldns-keygen, unbound-anchor, dig; a name without its dot is whole all the same.
        let text = format!(
            "; anchors\r\n\r\nexample.org.\tIN\tDNSKEY\t257 3 15 {KEY} ;{{id = 1 (ksk), size = 256b}}\r\n\
             .\t172800\tIN\tDS\t20326 8 2 {DIGEST} ;;state=2\r\n\
             lower.example 1h dnskey ( 256 3 15 ; why\n {} \n {} )\n\
             $TTL 3600\n\
             \t in ds 7 15 2 ( {} {}\n)\n",
            &KEY[..20],
            &KEY[20..],
            &DIGEST[..30],
            &DIGEST[30..],
        );
        assert_eq!(zones(&text), ["example.org.", ".", "lower.example.", "lower.example."]);
    }

    #[test]
    fn a_digest_stands_for_its_key_only() {
        let zone = Name::from_ascii("example.org.").unwrap();
        let key = |text: &str| {
            let entries = trust_anchor::Parser::new(format!("example.org. IN DNSKEY 257 3 15 {text}")).parse();
            let Some(trust_anchor::Entry::DNSKEY(record)) = entries.unwrap().pop() else { panic!("no key: {text}") };
            record.data().clone()
        };
        let (this, other) = (key(KEY), key(&KEY.replace('J', "K")));
        let digest = this.to_digest(&zone, hickory_resolver::proto::dnssec::DigestType::SHA256).unwrap();
        let hex: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        let tag = this.calculate_key_tag().unwrap();
        for line in [format!("example.org. DS {tag} 15 2 {hex}"), format!("example.org. DNSKEY 257 3 15 {KEY}")] {
            let anchors = line.parse::<Anchors>().unwrap().all();
            assert!(anchors[0].trusted.is(&zone, &this), "{line}");
            assert!(!anchors[0].trusted.is(&zone, &other), "{line}");
        }
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        let rows = [
            (String::new(), "trust anchors: holds no DNSKEY or DS record"),
            ("; nothing\n\n$TTL 60\n".into(), "trust anchors: holds no DNSKEY or DS record"),
            (
                "\nexample.org. IN A 192.0.2.1".into(),
                "trust anchors:2: `A` is neither DNSKEY nor DS: write lines such as `example.org. IN DS 12345 13 2 DIGEST`",
            ),
            ("$ORIGIN example.org.".into(), "trust anchors:1: $ORIGIN is not followed here: write whole names"),
            (format!("@ DS 1 8 2 {DIGEST}"), "trust anchors:1: `@` stands for no zone here: write its whole name"),
            (format!(" DS 1 8 2 {DIGEST}"), "trust anchors:1: no zone is named: begin the line with it"),
            ("example.org.".into(), "trust anchors:1: no DNSKEY or DS record"),
            (
                format!("a.example. DS 1 8 2 {}", &DIGEST[1..]),
                "trust anchors:1: the digest has 63 hexadecimal digits where 64 belong",
            ),
            (
                format!("a.example. DS 1 8 1 {DIGEST}"),
                "trust anchors:1: the digest has 64 hexadecimal digits where 40 belong",
            ),
            (format!("a.example. DS 1 8 77 {DIGEST}"), "trust anchors:1: digests of type 77 cannot be checked here"),
            (format!("a.example. DS 1 3 2 {DIGEST}"), "trust anchors:1: the key's algorithm 3 cannot be checked here"),
            (format!("a. DNSKEY 257 3 16 {KEY}"), "trust anchors:1: the key's algorithm 16 cannot be checked here"),
            (format!("a. DNSKEY 385 3 15 {KEY}"), "trust anchors:1: the key is revoked (flags 385, RFC 5011)"),
            (
                format!("a. DNSKEY 0 3 15 {KEY}"),
                "trust anchors:1: the key signs no zone (flags 0, RFC 4034 section 2.1.1)",
            ),
            (
                format!("a. DNSKEY 257 3 15 {KEY}\nb. DNSKEY (257 3\n 15 {KEY}\n"),
                "trust anchors:2: a parenthesis opens here and is not closed",
            ),
            (format!("b. DNSKEY 257 3\n) 15 {KEY}\n"), "trust anchors:1: no DNSKEY record: algorithm not present"),
            (format!("b. DNSKEY (257 (3 15 {KEY}\n"), "trust anchors:1: the parentheses do not match"),
        ];
        for (text, message) in rows {
            assert_eq!(complaint(&text), message, "{text}");
        }
        for text in ["a. DNSKEY 257 3 15 !!", "a. DNSKEY 257 4 15 AAAA", "a. DNSKEY x 3 15 AAAA", "a. DS 1 8 2 zz"] {
            assert!(complaint(text).starts_with("trust anchors:1: no D"), "{}", complaint(text));
        }
        let not_text = Anchors::parse("f", b"a. DS 1 8 2 00\n\xff").unwrap_err();
        assert_eq!(not_text.to_string(), "f:2: is not text");
    }

    #[test]
    fn files_that_cannot_be_read() {
        let dir = tempfile::tempdir().unwrap();
        let complaint = |path: &Path| Anchors::from_file(path).unwrap_err().what;
        assert_eq!(complaint(&dir.path().join("absent")), "cannot be read: there is no such file");
        assert_eq!(complaint(dir.path()), "cannot be read: it is a directory");
        assert!(complaint(Path::new("/dev/zero")).starts_with("is longer than"));
        let good = dir.path().join("good");
        std::fs::write(&good, format!("example.org. DNSKEY 257 3 15 {KEY}\n")).unwrap();
        assert_eq!(Anchors::from_file(&good).unwrap().all().len(), 1);
    }
}
