//! Whose remedy it is: the target's name and port in the place of the words that stand for them.

use std::borrow::Cow;
use std::net::IpAddr;

use crate::target::host_port;

/// The target as it stands in a command to be typed.
///
/// The words it takes the place of, in [`Diagnosis::remedy`](super::Diagnosis::remedy):
///
/// | word | becomes |
/// |---|---|
/// | `HOST` | the name or address |
/// | `ADDRESS` | the address, once it is known |
/// | `PORT` | the port |
/// | `HOST:PORT` | both, an IPv6 address in brackets |
/// | `KNOWN_HOSTS_NAME` | what known_hosts calls it: the name, `[name]:port` for another port than 22, or its alias |
/// | `USER` | who was named to the server, once somebody was; of what is typed on a jump host, there |
/// | `JUMP` | the jump hosts on the way, as `ssh -J` takes them |
/// | `JUMP_HOST` | the last of them, behind a `-J` with those before it |
/// | `KNOWN_HOSTS_FILE` | the file with the line in question, once that is known |
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// The name or address.
    pub host: &'a str,
    /// The address, if it is known.
    pub addr: Option<IpAddr>,
    /// The port.
    pub port: u16,
    /// What known_hosts calls it, where that is not the name and port.
    pub known_as: Option<&'a str>,
    /// The known_hosts file with the line in question.
    pub known_in: Option<&'a str>,
    /// Who was named to the server.
    pub user: Option<&'a str>,
    /// The jump hosts on the way, with commas between.
    pub jump: Option<&'a str>,
}

impl<'a> Place<'a> {
    /// A target that stands in no file.
    #[must_use]
    pub const fn new(host: &'a str, addr: Option<IpAddr>, port: u16) -> Self {
        Self { host, addr, port, known_as: None, known_in: None, user: None, jump: None }
    }
}

impl Place<'_> {
    /// `text` with the target in it. Every word is quoted for a POSIX shell; one that no quoting makes safe to paste (it
    /// begins with `-`, or holds what a terminal obeys) leaves its placeholder as it is.
    #[must_use]
    pub fn fill(&self, text: &'static str) -> Cow<'static, str> {
        let mut filled = String::new();
        // Written out only from the first word on that is one of ours: most lines have none.
        let (mut rest, mut unwritten) = (text, text);
        while let Some(start) = rest.find(|c: char| c.is_ascii_uppercase()) {
            let (before, from) = rest.split_at(start);
            let end = from.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(from.len());
            // A word that ends in capitals is none of ours.
            let whole = !before.ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
            let (mut word, mut after) = from.split_at(end);
            if word == "HOST" && after.starts_with(":PORT") {
                (word, after) = from.split_at(end + ":PORT".len());
            }
            rest = after;
            if let Some(value) = self.words(word).filter(|_| whole) {
                let untouched = unwritten.len().saturating_sub(word.len()).saturating_sub(after.len());
                filled.reserve(text.len().saturating_add(value.len()));
                filled.push_str(unwritten.get(..untouched).unwrap_or_default());
                filled.push_str(&value);
                unwritten = after;
            }
        }
        if filled.is_empty() {
            return Cow::Borrowed(text);
        }
        filled.push_str(unwritten);
        Cow::Owned(filled)
    }

    /// What takes the place of `word`, as a shell reads it back.
    fn words(&self, word: &str) -> Option<String> {
        match self.jump.filter(|_| word == "JUMP_HOST").map(|jump| (jump, jump.rsplit_once(','))) {
            None => shell_word(&self.value(word)?),
            Some((alone, None)) => shell_word(alone),
            Some((_, Some((before, last)))) => Some(format!("-J {} {}", shell_word(before)?, shell_word(last)?)),
        }
    }

    fn value(&self, word: &str) -> Option<String> {
        let Self { host, addr, port, known_as, known_in, user, jump } = *self;
        Some(match word {
            "HOST" => host.to_owned(),
            "ADDRESS" => addr?.to_string(),
            "PORT" => port.to_string(),
            "HOST:PORT" => host_port(host, port),
            "USER" => user?.to_owned(),
            "JUMP" => jump?.to_owned(),
            "KNOWN_HOSTS_FILE" => known_in?.to_owned(),
            "KNOWN_HOSTS_NAME" if known_as.is_some() => known_as?.to_owned(),
            "KNOWN_HOSTS_NAME" if port == 22 => host.to_owned(),
            "KNOWN_HOSTS_NAME" => format!("[{host}]:{port}"),
            _ => return None,
        })
    }
}

/// `word` as a POSIX shell reads it back in one piece; `None` if it is not safe to paste in any form.
#[must_use]
pub fn shell_word(word: &str) -> Option<String> {
    // Quoting does not help against a word that a command takes for an option, nor against what an editor line obeys.
    let unsafe_anyhow = word.is_empty() || word.starts_with('-') || word.chars().any(crate::escape::is_unsafe);
    if unsafe_anyhow {
        return None;
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-:@%+,/=".contains(c);
    if word.chars().all(plain) {
        return Some(word.to_owned());
    }
    Some(format!("'{}'", word.replace('\'', r"'\''")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnose::DIAGNOSES;

    fn fill(host: &str, port: u16, text: &'static str) -> String {
        Place::new(host, host.parse().ok(), port).fill(text).into_owned()
    }

    #[test]
    fn whole_words_become_the_target() {
        assert_eq!(fill("web1", 22, "ssh -p PORT -v HOST"), "ssh -p 22 -v web1");
        assert_eq!(fill("web1", 2222, "ssh-keygen -R KNOWN_HOSTS_NAME"), "ssh-keygen -R '[web1]:2222'");
        assert_eq!(fill("web1", 22, "ssh-keygen -R KNOWN_HOSTS_NAME"), "ssh-keygen -R web1");
        assert_eq!(fill("2001:db8::1", 22, "-connect HOST:PORT"), "-connect '[2001:db8::1]:22'");
        assert_eq!(fill("web1", 22, "curl -v http://HOST:PORT/"), "curl -v http://web1:22/");
        assert_eq!(fill("10.0.0.1", 22, "ping ADDRESS"), "ping 10.0.0.1");
        assert_eq!(fill("web1", 22, "ping ADDRESS"), "ping ADDRESS", "not known yet");
        let alias = Place { known_as: Some("gate"), known_in: Some("~/my keys"), ..Place::new("web1", None, 2222) };
        let remove = "ssh-keygen -f KNOWN_HOSTS_FILE -R KNOWN_HOSTS_NAME";
        assert_eq!(alias.fill(remove), "ssh-keygen -f '~/my keys' -R gate");
        assert_eq!(Place::new("web1", None, 22).fill(remove), "ssh-keygen -f KNOWN_HOSTS_FILE -R web1");
        let by_itself = |jump| Place { jump: Some(jump), ..Place::new("web1", None, 22) }.fill("sshprobe JUMP_HOST");
        assert_eq!(by_itself("ops@gate:2222"), "sshprobe ops@gate:2222");
        assert_eq!(by_itself("a,b,ops@[2001:db8::1]:22"), "sshprobe -J a,b 'ops@[2001:db8::1]:22'");
        assert_eq!(by_itself("-oProxyCommand=x,b"), "sshprobe JUMP_HOST", "no word to be typed");
        assert_eq!(Place::new("web1", None, 22).fill("sshprobe JUMP_HOST"), "sshprobe JUMP_HOST");
        for other in ["OTHER_PORT PROBE_ADDRESS HOSTKEY.pub REPORT", "no word of ours", "xHOST HOSTx MY_HOST HOST_1"] {
            assert!(matches!(Place::new("h", None, 1).fill(other), Cow::Borrowed(_)), "{other}");
        }
    }

    #[test]
    fn what_a_shell_or_terminal_would_obey_does_not_get_through() {
        assert_eq!(fill("a;rm -rf ~", 22, "ping HOST"), "ping 'a;rm -rf ~'");
        assert_eq!(fill("$(id)`id`", 22, "ping HOST"), "ping '$(id)`id`'");
        assert_eq!(fill("it's", 22, "ping HOST"), r"ping 'it'\''s'");
        for hostile in ["-oProxyCommand=id", "a\u{1b}[2J", "a\nb", "a\u{202e}b", ""] {
            assert_eq!(fill(hostile, 22, "ping HOST"), "ping HOST", "{hostile:?}");
        }
    }

    #[test]
    fn no_placeholder_stands_within_quotes_where_quoting_would_break_it() {
        for (code, line) in DIAGNOSES.iter().flat_map(|row| row.remedy.iter().map(move |line| (row.code, line))) {
            for word in ["HOST", "ADDRESS", "KNOWN_HOSTS_NAME", "KNOWN_HOSTS_FILE"] {
                for (at, _) in line.match_indices(word) {
                    // An apostrophe between letters is one.
                    let before = line[..at].replace("'s ", " ");
                    let quoted = |quote| before.matches(quote).count() % 2 == 1;
                    assert!(!quoted('\'') && !quoted('"'), "{code}: {line}");
                }
            }
        }
    }
}
