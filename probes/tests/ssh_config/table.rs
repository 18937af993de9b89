//! The tables in this folder: configurations, questions, and what `ssh -G` answered.
//!
//! ```text
//! == title
//! | a line of the file; `\x20` is a byte, `|~` in place of `|` leaves out the line feed at its end
//! + .ssh/NAME 0600
//! | a line of another file in the home, with its mode where that is not 0600
//! ? ARGUMENTS of ssh
//! > keyword value, as `ssh -G` shows it; or `fails`, and the lines it complains of
//! v ARGUMENTS of ssh
//! > exec, identity, certificate, as `ssh -v` tells them
//! ```
//!
//! Shown are user, hostname, port, and those of the keywords in the files and arguments that have not ssh's default. `{dir}`
//! is `$HOME` with the files in it, `{d}` the home in the password database, `{u}` the local user, `{i}` the user's number,
//! `{l}` the machine's name.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use sshprobe_probes::ssh_config::{
    Exec, Fault, Files, HostConfig, IdentityAgent, Local, Problems, Query, World, resolve,
};

/// The defaults of ssh by `ssh -G`, of the keywords that tables set to them.
pub(crate) const DEFAULTS: &[(&str, &str)] = &[
    ("addressfamily", "any"),
    ("batchmode", "no"),
    ("canonicalizehostname", "false"),
    ("checkhostip", "no"),
    ("compression", "no"),
    ("connectionattempts", "1"),
    ("connecttimeout", "none"),
    ("identitiesonly", "no"),
    ("stricthostkeychecking", "ask"),
    ("tcpkeepalive", "yes"),
];

/// What has no value of its own, here or in ssh.
const HIDDEN: &[&str] = &[
    "addkeystoagent",
    "controlmaster",
    "controlpersist",
    "dynamicforward",
    "escapechar",
    "forwardagent",
    "forwardx11",
    "gssapiauthentication",
    "host",
    "include",
    "ipqos",
    "localforward",
    "loglevel",
    "match",
    "rekeylimit",
    "remoteforward",
    "requesttty",
    "tunnel",
    "visualhostkey",
    "xauthlocation",
];

/// The variable of the environment that is set beside HOME.
pub(crate) const VARIABLE: (&str, &str) = ("SSHPROBE_VARIABLE", "of the environment");

/// A user's number that stands for `{i}`.
const UID: u32 = 424_242;

/// Where the tables lie.
pub(crate) fn folder() -> PathBuf {
    let crate_folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let inside = crate_folder.join("tests/ssh_config");
    if inside.is_dir() { inside } else { crate_folder.join("probes/tests/ssh_config") }
}

/// The tables' names, in order.
pub(crate) fn tables() -> Vec<String> {
    let entries = std::fs::read_dir(folder()).expect("the folder of tables");
    let names = entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("printable"));
    let mut tables: Vec<String> = names.filter(|name| name.ends_with(".txt")).collect();
    tables.sort();
    tables
}

/// One file of a block.
#[derive(Debug, Clone)]
pub(crate) struct File {
    pub(crate) name: String,
    pub(crate) mode: u32,
    pub(crate) content: String,
}

/// A question with the answer kept.
#[derive(Debug, Clone)]
pub(crate) struct Question {
    /// Of `ssh -v` in place of `ssh -G`.
    pub(crate) verbose: bool,
    pub(crate) arguments: String,
    pub(crate) answer: Vec<String>,
}

/// Files and the questions to them.
#[derive(Debug, Clone)]
pub(crate) struct Block {
    pub(crate) title: String,
    pub(crate) files: Vec<File>,
    pub(crate) questions: Vec<Question>,
}

/// The facts that placeholders stand for.
#[derive(Debug, Clone)]
pub(crate) struct Facts {
    pub(crate) dir: String,
    pub(crate) local: Local,
}

impl Facts {
    /// Placeholders stand for themselves, with a slash where a path is absolute.
    #[allow(dead_code, reason = "where ssh is asked, the facts are the machine's")]
    pub(crate) fn placeholders() -> Self {
        let local = Local { user: "{u}".into(), home: "/{d}".into(), uid: UID, host_name: "{l}".into() };
        Self { dir: "/{dir}".into(), local }
    }

    /// A text of the tables with the facts in it.
    pub(crate) fn fill(&self, text: &str) -> String {
        text.replace("{dir}", &self.dir).replace("{d}", &self.local.home).replace("{u}", &self.local.user)
    }

    /// The reverse, of facts that the block asks for.
    pub(crate) fn strip(&self, text: &str, block: &Block) -> String {
        let all = block.text();
        let asks = |signs: &[&str]| signs.iter().any(|sign| all.contains(sign));
        let mut text = text.replace(&self.dir, "{dir}");
        if asks(&["~", "%d", "{d}"]) {
            text = text.replace(&self.local.home, "{d}");
        }
        if asks(&["%l", "%L"]) {
            text = text.replace(&self.local.host_name, "{l}").replace(self.local.short_host_name(), "{l}");
        }
        if asks(&["%u", "%r", "{u}"]) || text.starts_with("user ") {
            text = text.replace(&self.local.user, "{u}");
        }
        if asks(&["%i"]) {
            text = text.replace(&self.local.uid.to_string(), "{i}");
        }
        text
    }
}

/// The files of a block as a machine of their own.
struct Machine<'a> {
    block: &'a Block,
    facts: &'a Facts,
}

impl World for Machine<'_> {
    fn read(&self, path: &str, check: bool) -> Result<Vec<u8>, Fault> {
        let inside = path.strip_prefix(&self.facts.dir).and_then(|path| path.strip_prefix('/'));
        let file = self.block.files.iter().find(|file| Some(&*file.name) == inside).ok_or(Fault::Absent)?;
        if check && file.mode & 0o022 != 0 {
            Err(Fault::Permissions)
        } else {
            Ok(bytes(&self.facts.fill(&file.content)))
        }
    }

    fn glob(&self, pattern: &str) -> Vec<String> {
        let paths = self.block.files.iter().map(|file| format!("{}/{}", self.facts.dir, file.name));
        let mut paths: Vec<String> = paths.filter(|path| glob(path.as_bytes(), pattern.as_bytes())).collect();
        paths.sort();
        paths
    }

    fn variable(&self, name: &str) -> Option<String> {
        match name {
            "HOME" => Some(self.facts.dir.clone()),
            name => (name == VARIABLE.0).then(|| VARIABLE.1.to_owned()),
        }
    }

    fn home_of(&self, user: &str) -> Option<String> {
        (user == self.facts.local.user).then(|| self.facts.local.home.clone())
    }

    fn exec(&self, command: &str) -> Exec {
        let words: Vec<&str> = command.split_whitespace().collect();
        match words[..] {
            ["true", ..] => Exec::Ran(true),
            ["false", ..] => Exec::Ran(false),
            ["test", one, "=", other] => Exec::Ran(one == other),
            _ => panic!("a command that no table may have: {command}"),
        }
    }
}

/// glob(3) for what tables have of it: no star takes a slash, or a dot at the start of a name.
fn glob(path: &[u8], pattern: &[u8]) -> bool {
    match (path, pattern) {
        ([], []) => true,
        (_, [b'*', rest @ ..]) => {
            let taken = path.iter().take_while(|byte| **byte != b'/').count();
            (0..=taken).any(|taken| glob(&path[taken..], rest)) && !path.starts_with(b".")
        }
        ([byte, path @ ..], [b'?', rest @ ..]) if *byte != b'/' => glob(path, rest),
        ([byte, path @ ..], [wanted, rest @ ..]) if byte == wanted => glob(path, rest),
        _ => false,
    }
}

/// Lines as they stand in a table, as bytes.
pub(crate) fn bytes(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("\\x") {
        out.extend(before.bytes());
        out.push(u8::from_str_radix(&after[..2], 16).expect("two hexadecimal digits"));
        rest = &after[2..];
    }
    out.extend(rest.bytes());
    out
}

/// Reads a table.
pub(crate) fn read(text: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let blank = |name: &str, mode| File { name: name.to_owned(), mode, content: String::new() };
    for row in text.lines() {
        if let Some(title) = row.strip_prefix("== ") {
            blocks.push(Block { title: title.to_owned(), files: vec![blank("config", 0o600)], questions: Vec::new() });
            continue;
        }
        if row.is_empty() || row.starts_with('#') {
            continue;
        }
        let block = blocks.last_mut().expect("a title first");
        let (sign, value) = row.split_at(1);
        let value = value.strip_prefix(' ').unwrap_or(value);
        let file = block.files.last_mut().expect("a file");
        match sign {
            "|" => match value.strip_prefix('~') {
                Some(value) => file.content.push_str(value.strip_prefix(' ').unwrap_or(value)),
                None => writeln!(file.content, "{value}").expect("text"),
            },
            "+" => {
                let split = value.rsplit_once(' ').filter(|(_, mode)| mode.starts_with('0'));
                let (name, mode) = split.unwrap_or((value, "0600"));
                block.files.push(blank(name, u32::from_str_radix(mode, 8).expect("a mode")));
            }
            "?" | "v" => {
                block.questions.push(Question { verbose: sign == "v", arguments: value.to_owned(), answer: Vec::new() })
            }
            ">" => block.questions.last_mut().expect("a question first").answer.push(value.to_owned()),
            other => panic!("{other} begins no row"),
        }
    }
    blocks
}

impl Block {
    /// All that was written in it.
    fn text(&self) -> String {
        let files = self.files.iter().map(|file| file.content.clone());
        files.chain(self.questions.iter().map(|question| question.arguments.clone())).collect::<Vec<_>>().join("\n")
    }

    /// The keywords that the answers show, for a question.
    fn shown(&self, question: &Question) -> BTreeSet<String> {
        let contents = self.files.iter().map(|file| file.content.replace("\\x09", " ").replace("\\x0d", " "));
        let mut text = contents.collect::<Vec<_>>().join("\n");
        for (option, value) in options(&question.arguments).1 {
            if option == 'o' {
                let _ = write!(text, "\n{value}");
            }
        }
        let word = |line: &str| {
            let word = line.trim_start_matches([' ', '\t', '=', '"']).split([' ', '\t', '=', '"']).next();
            word.unwrap_or_default().to_ascii_lowercase()
        };
        let mut words: BTreeSet<String> = text.lines().map(word).collect();
        words.extend(["user", "hostname", "port"].map(String::from));
        words.retain(|word| !HIDDEN.contains(&&**word));
        for (old, new) in [("pubkeyacceptedkeytypes", "pubkeyacceptedalgorithms"), ("identityfile2", "identityfile")] {
            if words.contains(old) {
                words.insert(new.to_owned());
            }
        }
        words
    }

    /// Lines of `keyword value` in the order of the tables, without what they do not show.
    pub(crate) fn arrange(&self, question: &Question, lines: Vec<(String, String)>) -> Vec<String> {
        let shown = self.shown(question);
        let mut lines: Vec<(String, String)> = lines
            .into_iter()
            .filter(|(keyword, value)| shown.contains(keyword) && !DEFAULTS.contains(&(&**keyword, &**value)))
            .collect();
        let rank = |keyword: &str| match keyword {
            "user" => (0, String::new()),
            "hostname" => (1, String::new()),
            "port" => (2, String::new()),
            other => (3, other.to_owned()),
        };
        lines.sort_by_key(|(keyword, _)| rank(keyword));
        lines.into_iter().map(|(keyword, value)| format!("{keyword} {value}")).collect()
    }

    /// The answer given here.
    pub(crate) fn answer(&self, question: &Question, facts: &Facts) -> Vec<String> {
        let arguments = facts.fill(&question.arguments);
        let (destination, options) = options(&arguments);
        let Ok(mut query) = Query::destination(&destination) else { return vec![String::from("fails")] };
        for (option, value) in options {
            match option {
                'o' => query.options.push(value),
                'l' => query.user = Some(value),
                'p' => query.port = Some(value.parse().expect("a port")),
                other => panic!("-{other}"),
            }
        }
        if query.check().is_err() {
            return vec![String::from("fails")];
        }
        let machine = Machine { block: self, facts };
        let files = Files::Named(format!("{}/config", facts.dir));
        let answer = match resolve(&query, &files, &facts.local, &machine) {
            Err(problems) => complaints(&problems, &facts.dir),
            Ok(config) if question.verbose => verbose(&config),
            Ok(config) => self.arrange(question, lines(&config)),
        };
        answer.iter().map(|line| line.replace(&UID.to_string(), "{i}")).map(|line| facts.strip(&line, self)).collect()
    }

    /// Whether an answer is the one kept. Where ssh does not say what it complains of, it is enough to complain.
    pub(crate) fn same(kept: &[String], said: &[String]) -> bool {
        kept == said || kept == ["fails"] && said.first().is_some_and(|line| line == "fails")
    }
}

/// The destination and the options of a question: words, or words in double quotes.
pub(crate) fn options(arguments: &str) -> (String, Vec<(char, String)>) {
    let (mut words, mut rest) = (Vec::new(), arguments.trim_start());
    while !rest.is_empty() {
        let (word, behind) = match rest.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').expect("a quote at the end"),
            None => rest.split_once(' ').unwrap_or((rest, "")),
        };
        words.push(word.to_owned());
        rest = behind.trim_start();
    }
    let destination = words.pop().expect("a destination");
    assert!(words.len().is_multiple_of(2), "{arguments}");
    let options = words.chunks(2).map(|pair| (pair[0].chars().nth(1).expect("an option"), pair[1].clone()));
    (destination, options.collect())
}

fn complaints(problems: &Problems, dir: &str) -> Vec<String> {
    let mut lines = vec![String::from("fails")];
    for problem in &problems.0 {
        let file = problem.at.file.strip_prefix(dir).map_or(&*problem.at.file, |file| file.trim_start_matches('/'));
        let line = problem.at.line.map(|line| format!(" {line}")).unwrap_or_default();
        let line = format!("{file}{line}");
        if lines.last() != Some(&line) {
            lines.push(line);
        }
    }
    lines
}

fn verbose(config: &HostConfig) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(proxy) = &config.proxy_command {
        lines.push(format!("exec {}", proxy.value.command.as_deref().unwrap_or("refused")));
    }
    if config.identity_files_named {
        lines.extend(config.identity_files.iter().map(|file| format!("identity {}", file.value)));
    }
    lines.extend(config.certificate_files.iter().map(|file| format!("certificate {}", file.value)));
    lines
}

/// What `ssh -G` would show of the keywords that were set.
fn lines(config: &HostConfig) -> Vec<(String, String)> {
    let mut lines: Vec<(String, String)> = [
        ("user", config.user.value.clone()),
        ("hostname", config.hostname.value.clone()),
        ("port", config.port.value.to_string()),
    ]
    .map(|(keyword, value)| (keyword.to_owned(), value))
    .to_vec();
    for keyword in config.settings.keywords() {
        let values: Vec<&str> = config.settings.all(keyword).iter().map(|setting| &*setting.value).collect();
        let is_none = values.iter().all(|value| value.eq_ignore_ascii_case("none"));
        let values: Vec<String> = match keyword {
            "user" | "hostname" | "port" => continue,
            "proxycommand" | "proxyjump" | "localcommand" | "revokedhostkeys" | "knownhostscommand" if is_none => {
                continue;
            }
            "proxycommand" if config.proxy_jump.is_some() => continue,
            "userknownhostsfile" if !is_none => {
                vec![config.user_known_hosts.iter().map(|file| &*file.value).collect::<Vec<_>>().join(" ")]
            }
            "userknownhostsfile" | "globalknownhostsfile" => vec![values.join(" ")],
            "identityagent" => match &config.identity_agent.value {
                IdentityAgent::Socket(path) => vec![path.clone()],
                _ => values.into_iter().map(str::to_owned).collect(),
            },
            _ => values.into_iter().map(str::to_owned).collect(),
        };
        lines.extend(values.into_iter().map(|value| (keyword.to_owned(), value)));
    }
    lines
}
