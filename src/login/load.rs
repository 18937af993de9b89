//! Reads what the user gave to log in with, before anything is sent.

use std::collections::HashMap;
use std::env;
use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use nix::unistd::getuid;
use russh::keys::agent::AgentIdentity;
use russh::keys::agent::client::AgentClient;
use russh::keys::ssh_key::certificate::CertType;
use russh::keys::{Certificate, Error as KeyError, HashAlg, PrivateKey, PublicKey, decode_secret_key};
use sshprobe_probes::escape::escape;
use sshprobe_probes::evidence::login::Named;
use zeroize::Zeroizing;

use super::answers::Answers;
use super::ask;
use super::credentials::{Credentials, Holder, Identity, Public, Secret, add};
use super::file::{open, text};
use crate::sys::unread::unread;

/// What the user named.
#[derive(Debug, Clone, Default)]
pub struct Given {
    /// Private keys; a certificate beside one (`FILE-cert.pub`) is used with it, as ssh does. A public key stands for the private
    /// one that an agent has.
    pub identities: Vec<PathBuf>,
    /// Certificates for them.
    pub certificates: Vec<PathBuf>,
    /// The keys of the agent behind SSH_AUTH_SOCK.
    pub agent: bool,
    /// The keys of the agent behind this socket.
    pub agent_socket: Option<PathBuf>,
    /// Agents that may have the private half of a key in `identities`, where that file holds its public half alone or is
    /// encrypted. Of their keys no others are used.
    pub holders: Vec<PathBuf>,
    /// A file whose first line is the password.
    pub password: Option<PathBuf>,
    /// A file of answers.
    pub answers: Option<PathBuf>,
    /// Ask only, sign nothing.
    pub query_only: bool,
}

impl Given {
    /// Nothing was named.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.identities.is_empty()
            && !self.agent
            && self.agent_socket.is_none()
            && self.password.is_none()
            && self.answers.is_none()
    }

    /// Reads all of it; asks for the passphrases of keys that have one. What is not used is told in `warnings`.
    ///
    /// # Errors
    /// The first thing that cannot be used, as one line with the option; never what is in a file.
    pub fn load(&self, warnings: &mut Vec<String>) -> Result<Credentials, String> {
        let mut agents = Agents::default();
        let mut lent = Vec::new();
        if self.agent {
            let socket = auth_sock().ok_or("--agent: SSH_AUTH_SOCK is not set: no agent runs here")?;
            lent.extend(agents.keys(&socket).map_err(|why| format!("--agent: {why}"))?);
        }
        if let Some(socket) = &self.agent_socket {
            lent.extend(agents.keys(socket)?);
        }
        let mut found = Vec::new();
        for path in &self.identities {
            let read = key(path, |public| agents.lend(&self.holders, public), warnings);
            found.extend(read.map_err(|why| format!("-i: {}: {why}", shown(path)))?.map(|read| (path, read)));
        }
        let mut keys: Vec<Identity> = Vec::new();
        for path in &self.certificates {
            let fault = |why| format!("--certificate: {}: {why}", shown(path));
            let certificate = certificate(path).map_err(fault)?;
            let holder = found.iter().find_map(|(_, read)| read.signs_for(&certificate));
            let Some(holder) = holder else {
                return Err(fault(String::from("it is for none of the keys given; give the key too: -i FILE")));
            };
            keys.push(certified(path.display().to_string(), certificate, holder));
        }
        // As ssh has it: first those that an agent has.
        found.sort_by_key(|(_, read)| matches!(read, Read::Private(_)));
        for (path, read) in found {
            // Of a public half, that beside the key itself as well.
            let file = path.display().to_string();
            let names = [Some(file.as_str()), file.strip_suffix(".pub")].into_iter().flatten();
            let mut beside = names.map(|name| PathBuf::from(format!("{name}-cert.pub")));
            if let Some(beside) = beside.find(|beside| beside.exists()) {
                let shown = shown(&beside);
                match certificate(&beside).map(|certificate| (read.signs_for(&certificate), certificate)) {
                    // It may have been named, too.
                    Ok((Some(holder), certificate)) => {
                        add(&mut keys, certified(beside.display().to_string(), certificate, holder));
                    }
                    Ok((None, _)) => warnings.push(format!("{shown}: not used, as it is for another key")),
                    Err(why) => warnings.push(format!("{shown}: not used: {why}")),
                }
            }
            match read {
                Read::Private(key) => {
                    let public = key.public_key().clone();
                    keys.push(plain(path.display().to_string(), public, Holder::Here(key)));
                }
                // A certificate may lie beside the key and be the agent's too.
                Read::Lent(lent) => lent.into_iter().for_each(|identity| add(&mut keys, identity)),
            }
        }
        // What was named comes before what an agent happens to have: only so many are tried.
        let lent = Credentials { keys: lent, ..Credentials::default() };
        let keys = lent.behind(Credentials { keys, ..Credentials::default() }).keys;
        let password = self.password.as_ref().map(|path| {
            let loaded = password(path, warnings);
            loaded.map_err(|why| format!("--password-file: {}: {why}", shown(path)))
        });
        let answers = self.answers.as_ref().map(|path| {
            let loaded = answers(path, warnings);
            loaded.map_err(|why| format!("--answers-file: {}: {why}", shown(path)))
        });
        let credentials = Credentials {
            keys,
            answers: answers.transpose()?,
            password: password.transpose()?,
            query_only: self.query_only,
        };
        if credentials.is_empty() {
            let why = warnings.last().cloned().unwrap_or_default();
            return Err(format!("--depth login: there is nothing left to log in with: {why}"));
        }
        Ok(credentials)
    }
}

/// A file's name as a terminal may be shown it.
fn shown(path: &Path) -> String {
    escape(path.to_string_lossy().as_ref())
}

fn named(name: String) -> Named {
    Named { name, ..Named::default() }
}

fn plain(name: String, key: PublicKey, holder: Holder) -> Identity {
    let named = Named {
        kind: Some(key.algorithm().to_string()),
        fingerprint: Some(key.fingerprint(HashAlg::Sha256).to_string()),
        ..named(name)
    };
    Identity { named, public: Public::Key(key), holder }
}

fn certified(name: String, certificate: Certificate, holder: Holder) -> Identity {
    let named = Named {
        kind: Some(certificate.algorithm().to_certificate_type()),
        fingerprint: Some(certificate.public_key().fingerprint(HashAlg::Sha256).to_string()),
        note: odd(&certificate),
        ..named(name)
    };
    Identity { named, public: Public::Certificate(Box::new(certificate)), holder }
}

/// What is to be seen of a certificate that no server will take. It is shown all the same, as ssh does: clocks differ.
fn odd(certificate: &Certificate) -> Option<String> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    if certificate.valid_before() <= now {
        return Some(String::from("the certificate has expired"));
    }
    if certificate.valid_after() > now {
        return Some(String::from("the certificate is not valid yet"));
    }
    let principals = certificate.valid_principals();
    (!principals.is_empty()).then(|| format!("the certificate is for {}", principals.join(", ")))
}

/// A private key, or who has it: `lend` finds that out by the public half, and says why nobody has. `None` if others can read the
/// file: ssh does not use such a key, and says so.
fn key(
    path: &Path,
    lend: impl FnOnce(&PublicKey) -> Result<Vec<Identity>, String>,
    warnings: &mut Vec<String>,
) -> Result<Option<Read>, String> {
    let file = open(path)?;
    let about = file.metadata().map_err(|error| unread(&error))?;
    let mode = about.permissions().mode() & 0o777;
    let text = text(file)?;
    if let Ok(key) = PublicKey::from_openssh(text.trim()) {
        // Nobody has to be kept from reading those. Whoever names one is told where the other half could be.
        return lend(&key).map(|lent| Some(Read::Lent(lent)));
    }
    let old = text.lines().find(|line| line.starts_with("DEK-Info:"));
    let encrypted = old.is_some()
        || text.contains("-----BEGIN ENCRYPTED PRIVATE KEY-----")
        || (is_of_putty(&text) && !text.lines().any(|line| line.trim_end() == "Encryption: none"));
    let first = if encrypted { Err(KeyError::KeyIsEncrypted) } else { decode_secret_key(&text, None) };
    // As by ssh, nobody is asked for a passphrase whose agent has the key.
    if matches!(first, Err(KeyError::KeyIsEncrypted))
        && let Some(public) = public_half(path, &text)
        && let Ok(mut lent) = lend(&public)
    {
        // It goes by the file that was named, whoever signs.
        for identity in lent.iter_mut().filter(|identity| matches!(identity.public, Public::Key(_))) {
            identity.named.name = path.display().to_string();
        }
        return Ok(Some(Read::Lent(lent)));
    }
    if about.is_file() && about.uid() == getuid().as_raw() && mode & 0o077 != 0 {
        warnings.push(format!(
            "{}: not used, as others may read it (mode {mode:04o}); ssh ignores such a key too: chmod 600 {}",
            shown(path),
            shown(path)
        ));
        return Ok(None);
    }
    // russh reads of those only what ssh-keygen -m PEM writes for RSA keys.
    if let Some(line) = old
        && !(line.contains("AES-128-CBC") && text.contains("-----BEGIN RSA PRIVATE KEY-----"))
    {
        let again = anew(path, &text);
        return Err(format!("it is encrypted in an old way that is not read here; {again}"));
    }
    match first {
        Ok(key) => Ok(Some(Read::Private(Arc::new(key)))),
        Err(KeyError::KeyIsEncrypted) => {
            let asked = ask::passphrase(&format!("Enter passphrase for key '{}': ", shown(path)))?;
            let phrase = asked.ok_or("it is encrypted, and no passphrase was given")?;
            decode_secret_key(&text, Some(&phrase)).map(|key| Some(Read::Private(Arc::new(key)))).map_err(|_| {
                match text.contains("BEGIN OPENSSH PRIVATE KEY") {
                    true => String::from("the passphrase is wrong"),
                    // There are too many ways to encrypt the others for all of them to be known here.
                    false => {
                        let again = anew(path, &text);
                        format!("the passphrase is wrong, or it is encrypted in a way that is not read here; {again}")
                    }
                }
            })
        }
        Err(error) => Err(not_a_key(path, &text, &error)),
    }
}

/// Of what only an agent could have the other half.
const PUBLIC: &str = "it is a public key; the private one is needed, or an agent that has it (SSH_AUTH_SOCK)";

/// What comes of a file of -i.
enum Read {
    Private(Arc<PrivateKey>),
    /// What one agent has of the key: itself, and certificates for it. Never empty.
    Lent(Vec<Identity>),
}

impl Read {
    /// Who signs where this certificate is shown; `None` if it is for another key.
    fn signs_for(&self, certificate: &Certificate) -> Option<Holder> {
        let key = PublicKey::from(certificate.public_key().clone());
        match self {
            Read::Private(own) => {
                (own.public_key().key_data() == key.key_data()).then(|| Holder::Here(Arc::clone(own)))
            }
            Read::Lent(lent) => {
                let first = lent.first().filter(|identity| identity.is_of(&key))?;
                let plain = lent.iter().any(|identity| matches!(identity.public, Public::Key(_)));
                Some(match &first.holder {
                    // It signs by what it lists: by the key, or by the certificate alone where it was given no more.
                    Holder::Agent { socket, .. } if plain => {
                        Holder::Agent { socket: Arc::clone(socket), signs_by: Some(Arc::new(key)) }
                    }
                    holder => holder.clone(),
                })
            }
        }
    }
}

/// The public half of an encrypted key: it stands in files of OpenSSH's own form as it is, else beside them in one of its own.
fn public_half(path: &Path, text: &str) -> Option<PublicKey> {
    if let Ok(key) = PrivateKey::from_openssh(text) {
        return Some(key.public_key().clone());
    }
    let beside = open(Path::new(&format!("{}.pub", path.display()))).and_then(self::text);
    PublicKey::from_openssh(beside.ok()?.trim()).ok()
}

fn is_of_putty(text: &str) -> bool {
    text.trim_start().starts_with("PuTTY-User-Key-File-")
}

/// How a key comes into the form that everybody reads.
fn anew(path: &Path, text: &str) -> String {
    let file = shown(path);
    match is_of_putty(text) {
        true => format!("puttygen {file} -O private-openssh -o NEWFILE gives one that is"),
        false => format!("ssh-keygen -p -f {file} writes it anew"),
    }
}

fn not_a_key(path: &Path, text: &str, error: &KeyError) -> String {
    let first = text.split_whitespace().next().unwrap_or_default();
    if first.starts_with("ssh-") || first.starts_with("ecdsa-") || first.starts_with("sk-") {
        return String::from(PUBLIC);
    }
    match error {
        _ if !text.contains("PRIVATE KEY-----") && !is_of_putty(text) => String::from("it is not a private key"),
        KeyError::UnsupportedKeyType { key_type_string, .. } => {
            format!("keys of the type {key_type_string} are not supported")
        }
        // What the reader says of a broken key may quote it.
        _ => {
            let again = anew(path, text);
            format!("it is a private key that cannot be read: broken, or of a kind that is not supported; {again}")
        }
    }
}

fn certificate(path: &Path) -> Result<Certificate, String> {
    let text = text(open(path)?)?;
    let certificate = Certificate::from_openssh(text.trim()).map_err(|_| String::from("it is not a certificate"))?;
    match certificate.cert_type() {
        CertType::User => Ok(certificate),
        CertType::Host => Err(String::from("it is a certificate of a host, not of a user")),
    }
}

fn secrets(path: &Path, warnings: &mut Vec<String>) -> Result<Zeroizing<String>, String> {
    let file = open(path)?;
    exposed(path, &file, warnings);
    text(file)
}

/// Secrets in a file that others may read are used, as nothing is gained any more by not using them, but it is said.
fn exposed(path: &Path, file: &File, warnings: &mut Vec<String>) {
    let mode = file.metadata().ok().filter(fs::Metadata::is_file).map_or(0, |about| about.permissions().mode() & 0o777);
    if mode & 0o077 != 0 {
        warnings.push(format!("{}: others may read it (mode {mode:04o}): chmod 600 {}", shown(path), shown(path)));
    }
}

fn password(path: &Path, warnings: &mut Vec<String>) -> Result<(Named, Secret), String> {
    let text = secrets(path, warnings)?;
    let line = text.lines().next().filter(|line| !line.is_empty());
    let line = line.ok_or("its first line, which is the password, is empty")?;
    Ok((named(path.display().to_string()), Secret::new(line.to_owned())))
}

fn answers(path: &Path, warnings: &mut Vec<String>) -> Result<(Named, Answers), String> {
    let text = secrets(path, warnings)?;
    let answers = Answers::read(&text).map_err(|(line, why)| match line {
        0 => format!("it {why}"),
        line => format!("line {line} {why}"),
    })?;
    Ok((named(path.display().to_string()), answers))
}

/// Where the user's agent is.
pub(crate) fn auth_sock() -> Option<PathBuf> {
    env::var_os("SSH_AUTH_SOCK").filter(|socket| !socket.is_empty()).map(PathBuf::from)
}

/// What agents have, each asked once.
#[derive(Default)]
struct Agents(HashMap<PathBuf, Result<Vec<Identity>, String>>);

impl Agents {
    fn keys(&mut self, socket: &Path) -> Result<Vec<Identity>, String> {
        self.0.entry(socket.to_owned()).or_insert_with(|| agent(socket)).clone()
    }

    /// What the first of these agents that has a key has of it, or why none has.
    fn lend(&mut self, sockets: &[PathBuf], key: &PublicKey) -> Result<Vec<Identity>, String> {
        let mut said = None;
        for socket in sockets {
            match self.keys(socket) {
                Ok(keys) if keys.iter().any(|identity| identity.is_of(key)) => {
                    return Ok(keys.into_iter().filter(|identity| identity.is_of(key)).collect());
                }
                Ok(_) => said = Some(String::from("the agent has no private one for it")),
                Err(why) => {
                    said.get_or_insert(why);
                }
            }
        }
        Err(said.map_or_else(|| String::from(PUBLIC), |why| format!("it is a public key, and {why}")))
    }
}

/// The keys of the agent.
fn agent(socket: &Path) -> Result<Vec<Identity>, String> {
    let socket: Arc<Path> = socket.into();
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| error.to_string())?;
    let identities = runtime.block_on(async {
        let asked = async { AgentClient::connect_uds(&*socket).await?.request_identities().await };
        tokio::time::timeout(AGENT, asked).await.map_err(|_| String::from("the agent does not answer"))?.map_err(
            |error| match error {
                KeyError::IO(error) => format!("the agent cannot be asked at {}: {}", socket.display(), unread(&error)),
                error => format!("the agent at {} was not understood: {error}", socket.display()),
            },
        )
    })?;
    if identities.is_empty() {
        return Err(String::from("the agent has no keys; ssh-add FILE gives it one"));
    }
    let holder = || Holder::Agent { socket: Arc::clone(&socket), signs_by: None };
    let identity = |identity| match identity {
        AgentIdentity::PublicKey { key, comment } => plain(comment, key, holder()),
        AgentIdentity::Certificate { certificate, comment } => certified(comment, certificate, holder()),
    };
    Ok(identities.into_iter().map(identity).collect())
}

/// An agent that asks its user to confirm does so when it is to sign, not when it lists its keys.
const AGENT: std::time::Duration = std::time::Duration::from_secs(5);
