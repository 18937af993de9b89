//! Tokens (`%h`), variables (`${HOME}`) and `~` in values.

use std::fmt::Write as _;

use aws_lc_rs::digest;

use super::world::{Local, World};

/// Where the variables of the environment come from.
pub(super) type Variables<'a> = &'a dyn Fn(&str) -> Option<String>;

/// One pass over a text as ssh makes it: what a token or a variable stands for is not looked into again.
///
/// # Errors
/// An unknown token, a `%` at the end, a variable that is not set or not closed: for ssh the end of it.
pub(super) fn expand(
    text: &str,
    mut token: impl FnMut(char) -> Option<String>,
    variable: Option<Variables<'_>>,
) -> Result<String, String> {
    let (mut out, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(at) = rest.find(['%', '$']) {
        let (plain, tail) = rest.split_at_checked(at).unwrap_or((rest, ""));
        out.push_str(plain);
        if let (Some(variable), Some(named)) = (variable, tail.strip_prefix("${")) {
            let (name, behind) = named.split_once('}').ok_or_else(|| format!("${{{named} is not closed"))?;
            out.push_str(&variable(name).ok_or_else(|| format!("${{{name}}} is not set"))?);
            rest = behind;
        } else if let Some(behind) = tail.strip_prefix('%') {
            let mut behind = behind.chars();
            match behind.next() {
                Some('%') => out.push('%'),
                Some(letter) => out.push_str(&token(letter).ok_or_else(|| format!("%{letter} means nothing here"))?),
                None => return Err(String::from("a % at the end")),
            }
            rest = behind.as_str();
        } else {
            out.push('$');
            rest = tail.strip_prefix('$').unwrap_or_default();
        }
    }
    out.push_str(rest);
    Ok(out)
}

/// `~/x` and `~user/x` made absolute; anything else as it is.
///
/// # Errors
/// There is no such user.
pub(super) fn tilde(text: &str, local: &Local, world: &dyn World) -> Result<String, String> {
    let Some(rest) = text.strip_prefix('~') else { return Ok(text.to_owned()) };
    let (user, path) = rest.split_once('/').unwrap_or((rest, ""));
    let home = match user {
        "" => local.home.clone(),
        user => world.home_of(user).ok_or_else(|| format!("~{user}: there is no such user"))?,
    };
    let slash = if home.ends_with('/') { "" } else { "/" };
    Ok(format!("{home}{slash}{}", path.trim_start_matches('/')))
}

/// What the tokens of one connection stand for.
#[derive(Debug, Clone)]
pub(super) struct Tokens<'a> {
    pub(super) local: &'a Local,
    /// `%h`: the name that is connected to.
    pub(super) host: &'a str,
    /// `%n`: the name as given.
    pub(super) original: &'a str,
    /// `%k`: HostKeyAlias, or what stands for it.
    pub(super) alias: &'a str,
    /// `%p`.
    pub(super) port: u16,
    /// `%r`.
    pub(super) user: &'a str,
    /// `%j`: ProxyJump, or nothing.
    pub(super) jump: &'a str,
}

impl Tokens<'_> {
    /// The tokens that most keywords take.
    pub(super) fn client(&self, letter: char) -> Option<String> {
        Some(match letter {
            'C' => self.hash(),
            'L' => self.local.short_host_name().to_owned(),
            'd' => self.local.home.clone(),
            'i' => self.local.uid.to_string(),
            'j' => self.jump.to_owned(),
            'l' => self.local.host_name.clone(),
            'u' => self.local.user.clone(),
            _ => return self.proxy(letter),
        })
    }

    /// The tokens of ProxyCommand.
    pub(super) fn proxy(&self, letter: char) -> Option<String> {
        Some(match letter {
            'h' => self.host.to_owned(),
            'k' => self.alias.to_owned(),
            'n' => self.original.to_owned(),
            'p' => self.port.to_string(),
            'r' => self.user.to_owned(),
            _ => return None,
        })
    }

    /// `%C`: SHA-1 of `%l%h%p%r%j`. (`%j` since OpenSSH 9.6; without a ProxyJump it changes nothing.)
    fn hash(&self) -> String {
        let mut hash = digest::Context::new(&digest::SHA1_FOR_LEGACY_USE_ONLY);
        for part in [&self.local.host_name, self.host, &self.port.to_string(), self.user, self.jump] {
            hash.update(part.as_bytes());
        }
        hash.finish().as_ref().iter().fold(String::new(), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_and_variables_are_replaced_once() {
        let token = |letter| (letter == 'h').then(|| String::from("%h${X}"));
        let variable = |name: &str| (name == "X").then(|| String::from("%h"));
        let both = |text: &str| expand(text, token, Some(&variable));
        assert_eq!(both("a%%b%h-${X}$X").as_deref(), Ok("a%b%h${X}-%h$X"));
        assert_eq!(both("%z"), Err(String::from("%z means nothing here")));
        assert_eq!(both("a%"), Err(String::from("a % at the end")));
        assert_eq!(both("${Y}"), Err(String::from("${Y} is not set")));
        assert_eq!(both("${X"), Err(String::from("${X is not closed")));
        assert_eq!(expand("${X}%h", token, None).as_deref(), Ok("${X}%h${X}"));
    }
}
