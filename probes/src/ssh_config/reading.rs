//! Lines into settings: one pass over the files.

use std::sync::Arc;

use super::address;
use super::criteria::{self, Subject};
use super::expand::{Tokens, expand};
use super::include;
use super::jump;
use super::keyword::{self, Kind};
use super::number;
use super::pattern;
use super::settings::{Located, Settings};
use super::word::{BLANK, arguments, delimited};
use super::world::{Fault, Local, World};
use crate::escape::escape;
use crate::trust::{Effect, Problem, Source};

/// How deep files may include each other.
const DEEPEST: u8 = 16;

/// How many IdentityFile or CertificateFile lines ssh takes.
const MOST_IDENTITIES: usize = 100;

/// How many files a known_hosts keyword may name.
const MOST_FILES: usize = 32;

/// The port where nothing names one.
pub(super) const SSH_PORT: u16 = 22;

/// What is known of a file before it is read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Standing {
    /// The user's file: `~` may stand in its Include, and relative paths mean the user's folder.
    pub(super) users: bool,
    /// Its owner and mode are looked at.
    pub(super) check: bool,
    /// Included where it does not hold: it is read for its faults alone.
    pub(super) never: bool,
    pub(super) depth: u8,
}

/// One reading of the configuration for one host.
pub(super) struct Reading<'a> {
    pub(super) local: &'a Local,
    pub(super) world: &'a dyn World,
    /// The host's name as given.
    pub(super) original: &'a str,
    /// The name that Host is held against: as given, in the second pass the one that came of the first.
    pub(super) host: String,
    pub(super) final_pass: bool,
    pub(super) wants_final: bool,
    pub(super) settings: Settings,
    pub(super) problems: Vec<Problem>,
    pub(super) warnings: Vec<Problem>,
}

/// What is wrong ends the reading, as it ends ssh. The problems have been noted.
#[derive(Debug)]
pub(super) struct Stop;

/// A line as it comes to the readers of its keyword.
struct Line<'l> {
    keyword: &'static str,
    /// What follows the keyword.
    rest: &'l str,
    words: std::vec::IntoIter<String>,
    at: &'l Source,
    active: bool,
}

impl Line<'_> {
    /// The next word, which is to be there and not empty.
    fn word(&mut self) -> Result<String, String> {
        self.words.next().filter(|word| !word.is_empty()).ok_or_else(|| format!("{} lacks its value", self.keyword))
    }

    fn located(&self, value: impl Into<String>) -> Located<String> {
        Located { value: value.into(), at: Some(self.at.clone()) }
    }
}

impl Reading<'_> {
    /// Reads a file. `Ok(false)` if it cannot be opened, which may be no fault.
    pub(super) fn file(
        &mut self,
        path: &str,
        standing: Standing,
        from: Option<&Source>,
    ) -> Result<Result<(), Fault>, Stop> {
        let file: Arc<str> = path.into();
        let whole = || from.cloned().unwrap_or_else(|| Source { file: Arc::clone(&file), line: None });
        if standing.depth > DEEPEST {
            return Err(self.stop(whole(), format!("files include each other more than {DEEPEST} deep")));
        }
        let content = match self.world.read(path, standing.check) {
            Ok(content) => content,
            Err(Fault::Permissions) => {
                let at = Source { file, line: None };
                let what = "it belongs to another user, or group or others may write it: nobody knows what is in it";
                return Err(self.stop(at, String::from(what)));
            }
            Err(fault) => return Ok(Err(fault)),
        };
        let (mut active, before) = (!standing.never, self.problems.len());
        // What ends with a line feed has no line behind it.
        for (line, number) in content.split_inclusive(|byte| *byte == b'\n').zip(1u32..) {
            let at = Source { file: Arc::clone(&file), line: Some(number) };
            // ssh takes a line for a string of C, which a NUL ends.
            let line = line.split(|byte| *byte == 0).next().unwrap_or_default();
            self.line(&String::from_utf8_lossy(line), &at, standing, &mut active)?;
        }
        if self.problems.len() > before { Err(Stop) } else { Ok(Ok(())) }
    }

    /// A line of the command line (`-o`).
    pub(super) fn option(&mut self, text: &str) -> Result<(), Stop> {
        let at = Source { file: "command-line".into(), line: None };
        let before = self.problems.len();
        let standing = Standing { users: true, check: false, never: false, depth: 0 };
        match keyword_of(text).as_ref().and_then(|(name, _)| keyword::lookup(name)) {
            Some((name, Kind::Host | Kind::Match | Kind::Include)) => {
                return Err(self.stop(at, format!("{name} is nothing for the command line")));
            }
            _ => self.line(text, &at, standing, &mut true)?,
        }
        if self.problems.len() > before { Err(Stop) } else { Ok(()) }
    }

    fn stop(&mut self, at: Source, what: String) -> Stop {
        self.problems.push(Problem { effect: Effect::LeftOut, at, what });
        Stop
    }

    fn line(&mut self, text: &str, at: &Source, standing: Standing, active: &mut bool) -> Result<(), Stop> {
        // A form feed is a blank at the end of a line alone.
        let text = text.trim_end_matches([' ', '\t', '\r', '\n', '\u{c}']);
        let Some((name, rest)) = keyword_of(text) else { return Ok(()) };
        let mut problem = |what: String| {
            self.problems.push(Problem { effect: Effect::LeftOut, at: at.clone(), what: escape(what) });
            Ok(())
        };
        if rest.is_empty() {
            return problem(format!("{name} lacks its value"));
        }
        // Of a keyword that IgnoreUnknown passes over, too.
        let Some(words) = arguments(rest) else { return problem(String::from("a quote is not closed")) };
        let Some((keyword, kind)) = keyword::lookup(&name) else {
            let ignored = self.settings.text("ignoreunknown").is_some_and(|list| {
                // The one list of patterns in lower case: the keyword is, too.
                pattern::list_matches(&name, &list.to_ascii_lowercase())
            });
            if ignored {
                return Ok(());
            }
            return problem(format!("\"{name}\" is no keyword of ssh_config; IgnoreUnknown {name} passes over it"));
        };
        let mut line = Line { keyword, rest, words: words.into_iter(), at, active: *active };
        let result = match kind {
            Kind::Host => self.host_line(&mut line, standing.never).map(|holds| *active = holds),
            Kind::Match => self.match_line(&mut line, standing.never).map(|holds| *active = holds),
            Kind::Include => self.include(&mut line, standing)?,
            Kind::Unchecked | Kind::Ignored => {
                line.words = Vec::new().into_iter();
                Ok(())
            }
            Kind::Unsupported => {
                line.words = Vec::new().into_iter();
                self.warnings.push(Problem {
                    effect: Effect::LeftOut,
                    at: at.clone(),
                    what: format!("{keyword} is no longer supported by ssh"),
                });
                Ok(())
            }
            kind => self.setting(&mut line, kind),
        };
        let garbage = line.words.next();
        match (result, garbage) {
            (Err(what), _) => {
                self.problems.push(Problem { effect: Effect::LeftOut, at: at.clone(), what: escape(what) })
            }
            (Ok(()), Some(_)) => {
                self.problems.push(Problem {
                    effect: Effect::LeftOut,
                    at: at.clone(),
                    what: format!("something stands behind what {keyword} takes"),
                });
            }
            (Ok(()), None) => {}
        }
        Ok(())
    }

    fn host_line(&mut self, line: &mut Line<'_>, never: bool) -> Result<bool, String> {
        let mut holds = false;
        while let Some(word) = line.words.next() {
            if word.is_empty() {
                return Err(String::from("Host with an empty pattern"));
            }
            if never {
                line.words = Vec::new().into_iter();
                return Ok(false);
            }
            let (negated, pattern) = word.strip_prefix('!').map_or((false, &*word), |pattern| (true, pattern));
            if pattern::matches(&self.host, pattern) {
                if negated {
                    line.words = Vec::new().into_iter();
                    return Ok(false);
                }
                holds = true;
            }
        }
        Ok(holds)
    }

    fn match_line(&mut self, line: &mut Line<'_>, never: bool) -> Result<bool, String> {
        let settings = &self.settings;
        // The configuration is not whole yet: what is missing is taken for its default.
        let host = match settings.text("hostname") {
            Some(name) if !self.final_pass => expand(name, |letter| (letter == 'h').then(|| self.host.clone()), None)
                .map_err(|what| format!("HostName: {what}"))?,
            _ => self.host.clone(),
        };
        let tokens = Tokens {
            local: self.local,
            host: &host,
            original: self.original,
            alias: settings.text("hostkeyalias").unwrap_or(&host),
            port: settings.text("port").and_then(|port| port.parse().ok()).unwrap_or(SSH_PORT),
            user: settings.text("user").unwrap_or(&self.local.user),
            jump: settings.text("proxyjump").filter(|jump| *jump != "none").unwrap_or_default(),
        };
        let tag = settings.text("tag").unwrap_or_default();
        let outcome =
            criteria::judge(line.rest, &Subject { tokens, tag, final_pass: self.final_pass, never }, self.world)?;
        if !outcome.more {
            line.words = Vec::new().into_iter();
        }
        self.wants_final |= outcome.wants_final;
        let warnings =
            outcome.warnings.into_iter().map(|what| Problem { effect: Effect::LeftOut, at: line.at.clone(), what });
        self.warnings.extend(warnings);
        Ok(outcome.holds && !never)
    }

    fn include(&mut self, line: &mut Line<'_>, standing: Standing) -> Result<Result<(), String>, Stop> {
        let mut result = Ok(());
        for word in line.words.by_ref() {
            let paths = match include::paths(&word, standing.users, self.local, self.world) {
                Ok(paths) => paths,
                Err(what) => return Ok(Err(what)),
            };
            for path in paths {
                // What is included has its own blocks: a Host in it ends with it.
                let standing = Standing {
                    check: true,
                    never: standing.never || !line.active,
                    depth: standing.depth.saturating_add(1),
                    ..standing
                };
                match self.file(&path, standing, Some(line.at))? {
                    Ok(()) => {}
                    Err(Fault::Other(why)) => return Ok(Err(format!("{path} cannot be read: {why}"))),
                    Err(_) => result = Err(format!("{path} cannot be read")),
                }
            }
        }
        Ok(result)
    }

    fn setting(&mut self, line: &mut Line<'_>, kind: Kind) -> Result<(), String> {
        let keyword = line.keyword;
        let value = match kind {
            Kind::Text | Kind::Algorithms => line.word()?,
            Kind::Command => {
                let value = line.rest.trim_start_matches([' ', '\t', '\r', '\n', '=']).to_owned();
                line.words = Vec::new().into_iter();
                if keyword == "proxycommand" && self.settings.text("proxyjump").is_some_and(|jump| jump != "none") {
                    return Ok(());
                }
                value
            }
            Kind::Port => {
                let word = line.word()?;
                number::port(&word).ok_or_else(|| format!("\"{word}\" is no port"))?.to_string()
            }
            Kind::Seconds => {
                let word = line.word()?;
                if word == "none" {
                    // For ssh that is as good as unset: a later line may set it.
                    return Ok(());
                }
                number::seconds(&word).ok_or_else(|| format!("\"{word}\" is no time, as 30 or 1m30s is"))?.to_string()
            }
            Kind::Number => {
                let word = line.word()?;
                let number = number::whole(&word, i32::MAX.unsigned_abs());
                number.ok_or_else(|| format!("\"{word}\" is no number"))?.to_string()
            }
            Kind::Choice(choices) => {
                let word = line.word()?;
                let chosen = choices.iter().find(|(choice, _)| choice.eq_ignore_ascii_case(&word));
                let (_, shown) = chosen.ok_or_else(|| format!("{keyword} knows no \"{word}\""))?;
                (*shown).to_owned()
            }
            Kind::Agent => {
                let word = line.word()?;
                self.agent(&word)?;
                word
            }
            Kind::Jump => return self.jump(line),
            Kind::Files => return self.files(line),
            Kind::Identity => return self.identity(line),
            Kind::SendEnv => return self.send_env(line),
            Kind::SetEnv => return self.set_env(line),
            _ => return Ok(()),
        };
        if line.active && self.settings.first(keyword).is_none() {
            self.settings.set(keyword, line.located(value));
        }
        Ok(())
    }

    /// What an agent's path may not be, whether its line holds or not.
    fn agent(&self, word: &str) -> Result<(), String> {
        expand_variables(word, self.world)?;
        let legacy = word.strip_prefix('$').filter(|name| !name.starts_with('{'));
        let is_name =
            |name: &str| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if legacy.is_some_and(|name| !is_name(name)) {
            return Err(format!("\"{word}\" names no variable"));
        }
        Ok(())
    }

    fn jump(&mut self, line: &mut Line<'_>) -> Result<(), String> {
        let text = line.rest.trim_start_matches([' ', '\t', '\r', '\n', '=']);
        line.words = Vec::new().into_iter();
        let open = ["proxycommand", "proxyjump"].iter().all(|keyword| self.settings.first(keyword).is_none());
        if text.eq_ignore_ascii_case("none") {
            if line.active && open {
                self.settings.set("proxyjump", line.located("none"));
            }
            return Ok(());
        }
        // A blank or a comment sign ends the list, whatever follows.
        let listed = text.split(['#', ' ', '\t', '\r', '\n']).next().unwrap_or_default();
        let chain = jump::chain(listed).ok_or_else(|| format!("\"{listed}\" is no list of jump hosts"))?;
        if line.active && open {
            let shown: Vec<String> = chain.iter().map(ToString::to_string).collect();
            self.settings.set("proxyjump", line.located(shown.join(",")));
        }
        Ok(())
    }

    fn files(&mut self, line: &mut Line<'_>) -> Result<(), String> {
        let mut words: Vec<String> = line.words.by_ref().collect();
        if words.iter().any(String::is_empty) {
            return Err(format!("{} with an empty name", line.keyword));
        }
        if words.iter().any(|word| word.eq_ignore_ascii_case("none")) {
            if words.len() > 1 {
                return Err(format!("\"none\" of {} stands alone", line.keyword));
            }
            words = vec![String::from("none")];
        }
        if line.active && self.settings.first(line.keyword).is_none() {
            if words.len() > MOST_FILES {
                return Err(format!("{} takes {MOST_FILES} files", line.keyword));
            }
            let located: Vec<_> = words.into_iter().map(|word| line.located(word)).collect();
            *self.settings.list(line.keyword) = located;
        }
        Ok(())
    }

    fn identity(&mut self, line: &mut Line<'_>) -> Result<(), String> {
        let word = line.word()?;
        if !line.active {
            return Ok(());
        }
        let setting = line.located(word);
        let list = self.settings.list(line.keyword);
        if list.len() >= MOST_IDENTITIES {
            return Err(format!("more than {MOST_IDENTITIES} of {}", line.keyword));
        }
        // ssh tells the user's files and the system's apart here; both name the same key.
        if list.iter().all(|listed| listed.value != setting.value) {
            list.push(setting);
        }
        Ok(())
    }

    fn send_env(&mut self, line: &mut Line<'_>) -> Result<(), String> {
        let words: Vec<String> = line.words.by_ref().collect();
        for word in words {
            if word.is_empty() || word.contains('=') {
                return Err(format!("\"{word}\" names no variable"));
            }
            if !line.active {
                continue;
            }
            let list = self.settings.list(line.keyword);
            match word.strip_prefix('-') {
                Some(pattern) => list.retain(|listed| !pattern::matches(&listed.value, pattern)),
                None => list.push(line.located(word)),
            }
        }
        Ok(())
    }

    fn set_env(&mut self, line: &mut Line<'_>) -> Result<(), String> {
        let set_before = self.settings.first(line.keyword).is_some();
        let words: Vec<String> = line.words.by_ref().collect();
        for word in words {
            let (name, _) = word.split_once('=').ok_or_else(|| format!("\"{word}\" sets no variable"))?;
            let same =
                |listed: &Located<String>| listed.value.split_once('=').is_some_and(|(listed, _)| listed == name);
            if line.active && !set_before && !self.settings.all(line.keyword).iter().any(same) {
                let setting = line.located(word);
                self.settings.list(line.keyword).push(setting);
            }
        }
        Ok(())
    }

    /// The name that is connected to, as far as it is known now: HostName with its tokens, addresses and case as ssh has them.
    pub(super) fn final_host(&self) -> Result<String, String> {
        let host = match self.settings.text("hostname") {
            Some(name) => expand(name, |letter| (letter == 'h').then(|| self.host.clone()), None)?,
            None => self.host.clone(),
        };
        Ok(match address::canonical(&host) {
            Some(address) if !address.eq_ignore_ascii_case(&host) => address,
            Some(_) => host,
            None => host.to_ascii_lowercase(),
        })
    }
}

/// A line's keyword in lower case and what follows it; `None` for a line that says nothing.
fn keyword_of(text: &str) -> Option<(String, &str)> {
    let mut rest = Some(text);
    let mut word = delimited(&mut rest)?;
    if word.is_empty() {
        word = delimited(&mut rest)?;
    }
    if word.is_empty() || word.starts_with('#') {
        return None;
    }
    Some((word.to_ascii_lowercase(), rest.unwrap_or_default().trim_start_matches(BLANK)))
}

/// The keyword and the arguments of a line, for those who look at Host and Include alone.
pub(super) fn keyword_and_arguments(line: &[u8]) -> Option<(String, Option<Vec<String>>)> {
    let line = line.split(|byte| *byte == 0).next().unwrap_or_default();
    let line = String::from_utf8_lossy(line);
    let (name, rest) = keyword_of(line.trim_end_matches([' ', '\t', '\r', '\n', '\u{c}']))?;
    Some((name, arguments(rest)))
}

fn expand_variables(text: &str, world: &dyn World) -> Result<String, String> {
    // Tokens stay: they are filled in later.
    expand(text, |letter| Some(format!("%{letter}")), Some(&|name| world.variable(name)))
}
