//! FILE.state: what a run is, and which of its targets are done without a line in FILE.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use sshprobe_probes::diagnose::Code;
use sshprobe_probes::escape;

use super::bits::Bits;
use super::folder_of;

/// The layout of the file. Another program version reads it if it knows the number.
const LAYOUT: u32 = 1;

/// What may not change between the parts of one run: its records would mean different things. Each is the text of what was given,
/// or a digest.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shape {
    /// The targets, each with its index, and the share of them.
    pub targets: String,
    /// `--depth`.
    pub depth: String,
    /// The options that decide how a target is reached and judged.
    pub reach: String,
    /// What is in the files that host keys are held against.
    pub trust: String,
    /// Who is named with `none`.
    pub user: String,
    /// `--records`.
    pub records: String,
}

impl Shape {
    /// In what the shape of a call differs from that of the run that it would go on with, in words for who called; `None` if in
    /// nothing.
    #[must_use]
    pub fn differs_from(&self, run: &Self) -> Option<String> {
        let quoted = |text: &str| escape::quote(text.trim(), 400);
        let said = |what: &str, now: &str, then: &str| {
            format!("with {what} {}, and this call says {}", quoted(then), quoted(now))
        };
        let differences = [
            (self.targets != run.targets)
                .then(|| String::from("with other targets, exclusions, ports or another --shard")),
            (self.depth != run.depth).then(|| said("--depth", &self.depth, &run.depth)),
            (self.reach != run.reach).then(|| said("the options", &self.reach, &run.reach)),
            (self.trust != run.trust)
                .then(|| String::from("when other keys stood in the files that host keys are held against")),
            (self.user != run.user).then(|| said("--user", &self.user, &run.user)),
            (self.records != run.records).then(|| said("--records", &self.records, &run.records)),
        ];
        let differences: Vec<String> = differences.into_iter().flatten().collect();
        (!differences.is_empty()).then(|| differences.join("; "))
    }
}

/// Targets that are done without a line: silent, refused and unreachable addresses of ranges under `--records answered`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Unwritten {
    /// Which.
    pub which: Bits,
    /// How many came to what.
    pub codes: BTreeMap<Code, u64>,
    /// Connections made to them.
    pub connections: u64,
}

impl Unwritten {
    /// Counts one, unless it was counted before.
    pub fn add(&mut self, index: u64, code: Code, connections: u32) {
        if self.which.add(index) {
            *self.codes.entry(code).or_default() += 1;
            self.connections += u64::from(connections);
        }
    }
}

/// All of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct State {
    /// [`Record::run`](sshprobe_probes::record::Record::run) of every record of the run.
    pub run: String,
    /// What may not change.
    pub shape: Shape,
    /// What has no line.
    pub unwritten: Unwritten,
}

/// The same as it is written.
#[derive(Serialize, Deserialize)]
struct Written {
    sshprobe_state: u32,
    version: String,
    run: String,
    shape: Shape,
    unwritten: WrittenUnwritten,
}

#[derive(Serialize, Deserialize)]
struct WrittenUnwritten {
    targets: u64,
    connections: u64,
    codes: BTreeMap<Code, u64>,
    /// [`Bits::to_bytes`] in base64.
    which: String,
}

impl State {
    /// Where the state of a run into `file` is kept.
    #[must_use]
    pub fn path(file: &Path) -> PathBuf {
        let mut name = OsString::from(file);
        name.push(".state");
        name.into()
    }

    /// Reads a state; `None` if there is none, or none that can be made sense of.
    ///
    /// # Errors
    /// It is there and cannot be read.
    pub fn load(path: &Path) -> io::Result<Option<Self>> {
        match fs::read(path) {
            Ok(bytes) => Ok(Self::parse(&bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let written: Written = serde_json::from_slice(bytes).ok().filter(|w: &Written| w.sshprobe_state == LAYOUT)?;
        let WrittenUnwritten { targets, connections, codes, which } = written.unwritten;
        let which = Bits::from_bytes(&STANDARD.decode(which).ok()?).ok()?;
        // Its parts have to agree, or somebody has edited it.
        let whole = which.len() == targets && codes.values().sum::<u64>() == targets;
        let unwritten = Unwritten { which, codes, connections };
        whole.then_some(Self { run: written.run, shape: written.shape, unwritten })
    }

    /// Puts it in the place of the last one, in one piece, and on the disk.
    ///
    /// # Errors
    /// That cannot be done: the last one is still there.
    pub fn save(&self, path: &Path) -> io::Result<()> {
        let Self { run, shape, unwritten } = self;
        let written = Written {
            sshprobe_state: LAYOUT,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            run: run.clone(),
            shape: shape.clone(),
            unwritten: WrittenUnwritten {
                targets: unwritten.which.len(),
                connections: unwritten.connections,
                codes: unwritten.codes.clone(),
                which: STANDARD.encode(unwritten.which.to_bytes()),
            },
        };
        let mut new = tempfile::Builder::new().prefix(".sshprobe-state-").tempfile_in(folder_of(path))?;
        serde_json::to_writer(io::BufWriter::new(new.as_file_mut()), &written)?;
        new.as_file_mut().write_all(b"\n")?;
        new.as_file().sync_data()?;
        new.persist(path).map(drop).map_err(|error| error.error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some() -> State {
        let shape = Shape { depth: String::from("auth"), targets: String::from("digest"), ..Shape::default() };
        let mut unwritten = Unwritten { connections: 3, ..Unwritten::default() };
        for index in [1, 70_000, 5] {
            unwritten.which.add(index);
        }
        unwritten.codes = [(Code::Refused, 2), (Code::TimeoutConnect, 1)].into();
        State { run: String::from("0123"), shape, unwritten }
    }

    #[test]
    fn a_state_is_read_as_it_was_written() {
        let home = tempfile::tempdir().unwrap();
        let path = State::path(&home.path().join("out.jsonl"));
        assert!(path.ends_with("out.jsonl.state"));
        assert_eq!(State::load(&path).unwrap(), None);
        some().save(&path).unwrap();
        assert_eq!(State::load(&path).unwrap(), Some(some()));
        let empty = State { unwritten: Unwritten::default(), ..some() };
        empty.save(&path).unwrap();
        assert_eq!(State::load(&path).unwrap(), Some(empty));
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_is_torn_edited_or_of_another_layout_is_none() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("state");
        some().save(&path).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        for end in 0..text.len() - 2 {
            assert_eq!(State::parse(&text.as_bytes()[..end]), None, "cut at {end}");
        }
        for (from, to) in
            [("\"refused\":2", "\"refused\":3"), ("\"sshprobe_state\":1", "\"sshprobe_state\":2"), ("AA", "!A")]
        {
            let edited = text.replacen(from, to, 1);
            assert_ne!(edited, text);
            assert_eq!(State::parse(edited.as_bytes()), None, "{from}");
        }
    }

    #[test]
    fn a_full_disk_leaves_the_last_one() {
        let home = tempfile::tempdir().unwrap();
        let missing = home.path().join("gone/state");
        assert!(some().save(&missing).is_err());
    }

    #[test]
    fn what_differs_is_named() {
        let one = some().shape;
        let other = Shape { depth: String::from("kex"), user: String::from("root"), ..one.clone() };
        assert_eq!(
            one.differs_from(&other).as_deref(),
            Some("with --depth \"kex\", and this call says \"auth\"; with --user \"root\", and this call says \"\"")
        );
        assert_eq!(one.differs_from(&one), None);
    }
}
