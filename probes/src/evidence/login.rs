//! What a login showed: what was tried, in its order, and what the server answered to each.

use std::time::Duration;

/// What a connection that was made to log in showed (RFC 4252). How it ended beyond that is in [`super::Evidence::fault`]
/// and [`super::Evidence::disconnect`].
///
/// No secret is in here: credentials go by their name and, where they are keys, by their fingerprint.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Login {
    /// The user named.
    pub user: String,
    /// What was tried, in the order in which it was.
    pub attempts: Vec<Attempt>,
    /// What was given and not tried, and why.
    pub withheld: Vec<Withheld>,
    /// The methods that can continue, as last listed.
    pub methods: Vec<String>,
    /// The server let us in.
    pub accepted: bool,
    /// From the first request for authentication to the last answer.
    pub took: Option<Duration>,
}

/// One credential that was tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// By which method.
    pub method: Method,
    /// What was shown.
    pub credential: Named,
    /// What the server answered.
    pub answer: Answer,
}

/// A credential without its secret.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Named {
    /// The file it came from, or its comment in the agent.
    pub name: String,
    /// The type of a key or certificate.
    pub kind: Option<String>,
    /// The fingerprint of a key, `SHA256:` and base64; of a certificate that of the key in it.
    pub fingerprint: Option<String>,
    /// What is odd about it on its own: a certificate that has expired, or that is not for this user.
    pub note: Option<String>,
}

/// A credential that was given and not tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Withheld {
    /// For which method it is.
    pub method: Method,
    /// Which one.
    pub credential: Named,
    /// Why not.
    pub why: Why,
}

/// Why a credential was not tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Why {
    /// The server does not take its method (now).
    NotOffered,
    /// The host key is not known, and what is sent so can be used by whoever holds it.
    HostKeyUnknown,
    /// One try more and sshd would have hung up (MaxAuthTries).
    TriesSpent,
}

/// A method of userauth that uses a credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Method {
    /// RFC 4252 section 7.
    PublicKey,
    /// RFC 4256.
    KeyboardInteractive,
    /// RFC 4252 section 8.
    Password,
}

impl Method {
    /// Its name on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Method::PublicKey => "publickey",
            Method::KeyboardInteractive => "keyboard-interactive",
            Method::Password => "password",
        }
    }

    /// Whoever receives its credential can use it themselves. A signature is bound to the one session (RFC 4252 section 7).
    #[must_use]
    pub const fn gives_the_secret_away(self) -> bool {
        !matches!(self, Method::PublicKey)
    }
}

/// What came of a try.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Answer {
    /// The server let us in.
    Accepted,
    /// It took this one and wants another factor: one of these methods, as far as those are known by name to whoever logs in.
    Partial(Vec<String>),
    /// It would take the key, said in answer to a query; nothing was signed, as was asked.
    WouldBeAccepted,
    /// It does not want the key: the query was refused, and nothing was signed.
    RefusedAtQuery,
    /// It asked for the signature and then refused.
    RefusedAfterKey,
    /// It refused a password or the answers.
    Refused,
    /// No algorithm that the server allows can be used to sign with this key. Nothing was sent.
    NoSignatureAlgorithm,
    /// The key could not sign: an agent that refuses, or a key that is broken. The text is ours and says how.
    NotSigned(String),
    /// The server asked something for which no answer was given; the prompt, as sent. The attempt was given up.
    NoAnswer(String),
    /// It wants a new password before it lets anybody in: this one has expired. None was sent.
    NewPassword,
    /// It sent something after a password, and neither success nor failure by the time the connection ended or the time was over.
    /// The likely reason is that it wants a new password (PASSWD_CHANGEREQ, RFC 4252 section 8), which whoever logs in cannot read.
    Undecided,
    /// The connection ended, or the time was over, before an answer came.
    None,
}

impl Answer {
    /// It says whether the credential is taken, or what else there is to do.
    #[must_use]
    pub const fn decides(&self) -> bool {
        !matches!(self, Answer::Undecided | Answer::None)
    }
}

/// What may stand between `new` and `password` in a prompt for one: whose password it is.
const WHOSE: [&str; 12] =
    ["account", "ad", "current", "domain", "kerberos", "ldap", "login", "nt", "samba", "unix", "windows", "your"];

/// Whether a prompt of keyboard-interactive asks for a new password, as PAM does where the old one has expired: `New password: `,
/// `Retype new UNIX password:`. The next one-time password of a token is none that would be changed, and a user, a host or a
/// realm may be called `new`: `Password for bob@NEW.EXAMPLE.COM:`.
#[must_use]
pub fn wants_new_password(prompt: &str) -> bool {
    let prompt = prompt.to_lowercase();
    let words: Vec<&str> =
        prompt.split(|letter: char| !letter.is_alphabetic()).filter(|word| !word.is_empty()).collect();
    let mut after_new = words.iter().enumerate().filter(|(_, word)| **word == "new").map(|(at, _)| at + 1);
    let asked = |after: usize| words.iter().skip(after).find(|word| !WHOSE.contains(word)) == Some(&"password");
    after_new.any(asked)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_prompt_for_a_new_password_wants_one() {
        for prompt in [
            "New password: ",
            "New UNIX password:",
            "Enter new password",
            "Enter new UNIX password:",
            "Retype new password: ",
            "Your password has expired. Enter your new (Kerberos) password:",
        ] {
            assert!(wants_new_password(prompt), "{prompt}");
        }
        for prompt in [
            "Password: ",
            "Password for newton: ",
            "Current password: ",
            "New one-time password: ",
            "New code: ",
            "",
            "(current) UNIX password: ",
            "Password for bob@NEW.EXAMPLE.COM:",
            "Password for new-york-db:",
            "Password for user new:",
        ] {
            assert!(!wants_new_password(prompt), "{prompt}");
        }
    }
}
