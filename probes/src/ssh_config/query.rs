//! What is asked of a configuration: a destination, and what the command line says.

use super::jump::{self, Uri};

/// A host to look up.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Query {
    /// The name as given: an alias, a name, an address without brackets.
    pub host: String,
    /// The user that was named, ahead of any file.
    pub user: Option<String>,
    /// The port that was named, ahead of any file.
    pub port: Option<u16>,
    /// Lines as of `ssh -o`, ahead of any file.
    pub options: Vec<String>,
}

/// What a name may not look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadQuery {
    /// No `[user@]host` and no `ssh://[user@]host[:port]`.
    #[error("is no [user@]host and no ssh:// URI")]
    Syntax,
    /// The host's name begins with `-` or has a character that means something to a shell.
    #[error("the host's name has characters that no host has and a shell reads")]
    Host,
    /// The user's name is such.
    #[error("the user's name has characters that no user has and a shell reads")]
    User,
}

impl Query {
    /// A destination as ssh takes it: `[user@]host`, or `ssh://[user@]host[:port]`.
    ///
    /// # Errors
    /// It is none, or has a name that could do harm in the command line of a ProxyCommand; ssh refuses those, too.
    pub fn destination(text: &str) -> Result<Self, BadQuery> {
        let query = match jump::uri(text) {
            Uri::Bad => return Err(BadQuery::Syntax),
            Uri::Is(place) => Self { host: place.host, user: place.user, port: place.port, options: Vec::new() },
            Uri::None => {
                let (user, host) = text.rsplit_once('@').map_or((None, text), |(user, host)| (Some(user), host));
                if host.is_empty() || user == Some("") {
                    return Err(BadQuery::Syntax);
                }
                Self { host: host.to_owned(), user: user.map(str::to_owned), ..Self::default() }
            }
        };
        query.check().map(|()| query)
    }

    /// Whether the names can stand in a shell's command line.
    ///
    /// # Errors
    /// One cannot.
    pub fn check(&self) -> Result<(), BadQuery> {
        if !is_safe_host(&self.host) {
            return Err(BadQuery::Host);
        }
        self.user.as_deref().is_none_or(is_safe_user).then_some(()).ok_or(BadQuery::User)
    }
}

/// Whether a host's name is without a leading `-`, blanks, control characters and what means something to a shell.
#[must_use]
pub fn is_safe_host(name: &str) -> bool {
    let bad = |c: char| "'`\"$\\;&<>|(){},".contains(c) || c.is_whitespace() || c.is_control();
    !name.is_empty() && !name.starts_with('-') && !name.contains(bad)
}

/// The same for a user's name, where blanks are allowed within, though no `-` may follow one, and `\` but at the end.
#[must_use]
pub fn is_safe_user(name: &str) -> bool {
    let bad = |c: char| "'`\";&<>|(){}".contains(c) || c.is_control();
    let option = name.chars().zip(name.chars().skip(1)).any(|(first, next)| first.is_whitespace() && next == '-');
    !name.is_empty() && !name.starts_with('-') && !name.contains(bad) && !option && !name.ends_with('\\')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn destinations() {
        let query = Query::destination("u@v@host").unwrap();
        assert_eq!((query.user.as_deref(), &*query.host, query.port), (Some("u@v"), "host", None));
        let query = Query::destination("ssh://u@host:2222").unwrap();
        assert_eq!((query.user.as_deref(), &*query.host, query.port), (Some("u"), "host", Some(2222)));
        for (text, fault) in [
            ("", BadQuery::Syntax),
            ("u@", BadQuery::Syntax),
            ("@h", BadQuery::Syntax),
            ("ssh://", BadQuery::Syntax),
            ("ssh://h:0", BadQuery::Syntax),
            ("-oProxyCommand=x", BadQuery::Host),
            ("a;b", BadQuery::Host),
            ("$(a)", BadQuery::Host),
            ("a\nb", BadQuery::Host),
            ("a b", BadQuery::Host),
            ("-u@h", BadQuery::User),
            ("a -o@h", BadQuery::User),
            ("`a`@h", BadQuery::User),
            ("a\\@h", BadQuery::User),
        ] {
            assert_eq!(Query::destination(text), Err(fault), "{text}");
        }
    }
}
