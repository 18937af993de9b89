//! Where the access token comes from, and when it is asked for anew.

use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use nix::fcntl::OFlag;
use sshprobe_probes::escape::{escape, quote};
use sshprobe_probes::iap::{Credentials, Grant};
use sshprobe_probes::time::Moment;
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe;
use tokio::process::Command;
use tokio::sync::Mutex;
use tokio::time::timeout;
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;

use crate::resolve::Resolver;
use crate::sys::clock::Clock;
use crate::sys::unread::unread;
use crate::transport::iap::exchange::{Exchange, MetadataServer};
use crate::transport::iap::token::{TOKEN_MAX, Token, TokenError};
use crate::transport::proxy::Proxy;

/// How long a token is used before it is looked for again, where nobody said how long it holds. Google's live an hour, and
/// gcloud hands out none that ends within minutes.
const FRESH: Duration = Duration::from_secs(120);

/// So long before its end a token is given up: the tunnels that begin with it must have begun by then.
const MARGIN: Duration = Duration::from_secs(120);

/// After so long a token that could not be renewed is asked for again.
const AGAIN: Duration = Duration::from_secs(30);

/// How long gcloud may take; it starts slowly and may have to ask Google for a new token.
const GCLOUD: Duration = Duration::from_secs(60);

/// How long a pipe may take to give what it has: as long as gcloud, which is what writes into it.
const PIPE: Duration = GCLOUD;

/// The longest file of credentials.
const CREDENTIALS_MAX: usize = 64 * 1024;

/// Where the token comes from.
#[derive(Debug, Clone)]
pub enum TokenSource {
    /// A file that the user named, read again as the token in it ages. It may go to any relay.
    File(PathBuf),
    /// The environment variable `CLOUDSDK_AUTH_ACCESS_TOKEN`, which gcloud reads too.
    Environment(Token),
    /// Application Default Credentials in the file that `GOOGLE_APPLICATION_CREDENTIALS` names.
    Credentials(PathBuf),
    /// Whatever this machine has: gcloud, the well-known file of credentials, the metadata server, in this order.
    Machine {
        /// Where `gcloud auth application-default login` leaves credentials.
        well_known: Option<PathBuf>,
        /// The metadata server; `None` where it is not to be asked.
        metadata: Option<MetadataServer>,
    },
}

/// What gave the token, of what a machine can have, in the order in which it is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    /// `gcloud auth print-access-token`.
    Gcloud,
    /// The well-known file of Application Default Credentials.
    WellKnown,
    /// The metadata server.
    Metadata,
}

impl TokenSource {
    /// The user handed the token over for whatever relay is named; any other is for Google alone.
    #[must_use]
    pub const fn is_for_any_relay(&self) -> bool {
        matches!(self, Self::File(_))
    }

    /// Asking again can give another token. A pipe gives what it has but once.
    fn may_change(&self) -> bool {
        match self {
            Self::File(path) => path.is_file(),
            Self::Environment(_) => false,
            Self::Credentials(_) | Self::Machine { .. } => true,
        }
    }
}

/// A token, how long it is to be used, and what of the machine's gave it.
type Fetched = (Token, Duration, Option<Found>);

/// The token as it is now.
#[derive(Debug)]
pub struct Tokens {
    source: TokenSource,
    clock: Clock,
    exchange: Exchange,
    kept: Mutex<Option<Kept>>,
}

#[derive(Debug)]
struct Kept {
    token: Token,
    until: Moment,
    found: Option<Found>,
}

impl Tokens {
    /// Nothing is asked for yet. `resolver` is for the names of those who give tokens, and
    /// `proxy` stands before Google's.
    #[must_use]
    pub const fn new(clock: Clock, source: TokenSource, resolver: Arc<Resolver>, proxy: Option<Proxy>) -> Self {
        Self { source, clock, exchange: Exchange::new(resolver, proxy), kept: Mutex::const_new(None) }
    }

    /// The token, asked for anew if the last one is old. One that cannot be renewed is used on: the relay will say so when it
    /// has expired.
    ///
    /// # Errors
    /// There never was one.
    pub async fn token(&self) -> Result<Token, TokenError> {
        // Held while asking: of a thousand tunnels one asks.
        let mut kept = self.kept.lock().await;
        if let Some(kept) = &*kept
            && (self.clock.now() < kept.until || !self.source.may_change())
        {
            return Ok(kept.token.clone());
        }
        let before = kept.as_ref().and_then(|kept| kept.found);
        let (token, lasts, found) = match (self.fetch(before).await, kept.take()) {
            (Ok(fetched), _) => fetched,
            (Err(_), Some(old)) => (old.token, AGAIN, old.found),
            (Err(error), None) => return Err(error),
        };
        *kept = Some(Kept { token: token.clone(), until: self.clock.now() + lasts, found });
        Ok(token)
    }

    /// The relay did not take this token: the next one is asked for anew.
    pub async fn refused(&self, token: &Token) {
        if let Some(kept) = self.kept.lock().await.as_mut().filter(|kept| kept.token == *token) {
            kept.until = Moment::START;
        }
    }

    /// Where it comes from.
    #[must_use]
    pub const fn source(&self) -> &TokenSource {
        &self.source
    }

    async fn fetch(&self, before: Option<Found>) -> Result<Fetched, TokenError> {
        match &self.source {
            TokenSource::File(path) => Ok((of_text(&contents(path, TOKEN_MAX + 64, PIPE).await?)?, FRESH, None)),
            TokenSource::Environment(token) => Ok((token.clone(), FRESH, None)),
            TokenSource::Credentials(path) => {
                let fetched = self.of_credentials(path).await;
                let (token, lasts) = fetched.map_err(|why| TokenError::Credentials { path: shown(path), why })?;
                Ok((token, lasts, None))
            }
            TokenSource::Machine { well_known, metadata } => {
                // What has given a token once gives the next one: another account's would be another's rights.
                let wanted = |of: Found| before.is_none_or(|before| before == of);
                self.of_machine(well_known.as_deref(), metadata.as_ref(), wanted).await
            }
        }
    }

    async fn of_machine(
        &self,
        well_known: Option<&Path>,
        metadata: Option<&MetadataServer>,
        wanted: impl Fn(Found) -> bool,
    ) -> Result<Fetched, TokenError> {
        let mut tried = Vec::new();
        if wanted(Found::Gcloud) {
            match of_gcloud().await {
                Ok(token) => return Ok((token, FRESH, Some(Found::Gcloud))),
                Err(why) => tried.push(why),
            }
        }
        if let Some(path) = well_known.filter(|path| wanted(Found::WellKnown) && path.exists()) {
            match self.of_credentials(path).await {
                Ok((token, lasts)) => return Ok((token, lasts, Some(Found::WellKnown))),
                Err(why) => tried.push(format!("{}: {why}", shown(path))),
            }
        }
        if let Some(server) = metadata.filter(|_| wanted(Found::Metadata)) {
            match self.of_metadata(server).await {
                Ok((token, lasts)) => return Ok((token, lasts, Some(Found::Metadata))),
                Err(why) => tried.push(format!("the metadata server {why}")),
            }
        }
        Err(TokenError::Nowhere(tried.join("; ")))
    }

    /// Changes the credentials of a file for a token. The file is read each time: it may have been written anew.
    async fn of_credentials(&self, path: &Path) -> Result<(Token, Duration), String> {
        let text = contents(path, CREDENTIALS_MAX, PIPE).await.map_err(|error| error.to_string())?;
        let credentials = Credentials::parse(&text).map_err(|error| error.to_string())?;
        let now = (self.clock.epoch().0 / 1_000_000).saturating_add(self.clock.now().since(Moment::START).as_secs());
        let form = match credentials.statement(now) {
            None => credentials.request(None),
            Some(statement) => {
                let signature = sign(&credentials, statement.as_bytes())?;
                credentials.request(Some((&statement, &signature)))
            }
        };
        let answer = self.exchange.post(credentials.endpoint(), form).await?;
        let grant = Grant::parse(answer.status, &credentials.struck_from(&answer.body));
        granted(grant.map_err(|said| format!("{} gave no access token: {said}", credentials.endpoint().host()))?)
    }

    async fn of_metadata(&self, server: &MetadataServer) -> Result<(Token, Duration), String> {
        let answer = self.exchange.metadata(server).await?;
        let host = server.authority();
        // Whatever answers there in another's network is none.
        if !answer.of_metadata {
            return Err(format!("{host}: what answers there is none"));
        }
        granted(
            Grant::parse(answer.status, &answer.body).map_err(|said| format!("{host} gave no access token: {said}"))?,
        )
    }
}

fn shown(path: &Path) -> String {
    escape(path.to_string_lossy().as_bytes())
}

/// A token that somebody gave, and how long to use it.
fn granted(grant: Grant) -> Result<(Token, Duration), String> {
    // Those of the metadata server end in dots, as filling.
    let token = Token::new(&grant.token).map_err(|error| error.to_string())?;
    let lasts = grant.lasts.map_or(FRESH, |lasts| if lasts > MARGIN * 2 { lasts - MARGIN } else { lasts / 2 });
    Ok((token, lasts))
}

/// Signs a service account's statement: RS256 (RFC 7518 section 3.3).
fn sign(credentials: &Credentials, statement: &[u8]) -> Result<Vec<u8>, String> {
    let Credentials::ServiceAccount { private_key, .. } = credentials else { return Ok(Vec::new()) };
    // What the readers say of a key may quote it.
    let bad = || String::from("its private_key is no RSA key of PKCS #8 in PEM");
    let der = PrivatePkcs8KeyDer::from_pem_slice(private_key.as_bytes()).map_err(|_| bad())?;
    let key = RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()).map_err(|_| bad())?;
    let mut signature = vec![0; key.public_modulus_len()];
    let signed = key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), statement, &mut signature);
    signed.map_err(|_| String::from("its private_key signs nothing"))?;
    Ok(signature)
}

fn of_text(text: &[u8]) -> Result<Token, TokenError> {
    Token::new(std::str::from_utf8(text).map_err(|_| TokenError::Bytes)?)
}

/// The beginning of a file or pipe, `most` bytes of it. A pipe is waited for, but not for ever: nobody may be writing into it.
async fn contents(path: &Path, most: usize, patience: Duration) -> Result<Vec<u8>, TokenError> {
    let unreadable = |error: io::Error| TokenError::Unreadable(unread(&error));
    let named = path.to_owned();
    let opened = tokio::task::spawn_blocking(move || {
        // Opening a pipe for reading waits for its writer, unless told not to.
        let mut options = std::fs::File::options();
        let file = options.read(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(named)?;
        let kind = file.metadata()?.file_type();
        if kind.is_fifo() {
            return Ok((Some(file), Vec::new()));
        }
        if !kind.is_file() && !kind.is_dir() {
            return Err(io::Error::other("it is neither a file nor a pipe"));
        }
        let mut text = Vec::new();
        file.take(most as u64).read_to_end(&mut text)?;
        Ok((None, text))
    });
    let opened = opened.await.map_err(|_| TokenError::Unreadable(String::from("reading it failed")))?;
    let (Some(fifo), _) = opened.as_ref().map_err(|error| TokenError::Unreadable(unread(error)))? else {
        return opened.map(|(_, text)| text).map_err(unreadable);
    };
    let fifo = fifo.try_clone().map_err(unreadable)?;
    let pipe = pipe::Receiver::from_file(fifo).map_err(unreadable)?;
    let mut text = Vec::new();
    match timeout(patience, pipe.take(most as u64).read_to_end(&mut text)).await {
        Ok(read) => read.map(|_| text).map_err(unreadable),
        Err(_) => {
            let waited = patience.as_secs_f64();
            Err(TokenError::Unreadable(format!("nothing more came out of this pipe within {waited}s")))
        }
    }
}

async fn of_gcloud() -> Result<Token, String> {
    let mut gcloud = Command::new("gcloud");
    gcloud.args(["auth", "print-access-token"]).env("CLOUDSDK_CORE_DISABLE_PROMPTS", "1");
    gcloud.stdin(Stdio::null()).kill_on_drop(true);
    let none = |why: String| format!("`gcloud auth print-access-token` gave no access token: {why}");
    let output = match timeout(GCLOUD, gcloud.output()).await {
        Ok(Ok(output)) => output,
        Ok(Err(error)) if error.kind() == io::ErrorKind::NotFound => {
            return Err(String::from("gcloud is not installed"));
        }
        Ok(Err(error)) => return Err(none(error.to_string())),
        Err(_) => return Err(none(String::from("it did not end in time"))),
    };
    if !output.status.success() {
        // Of its message the first line names the matter, what follows are remedies.
        let line = output.stderr.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii).find(|line| !line.is_empty());
        return Err(none(line.map_or_else(|| output.status.to_string(), |line| quote(line, 160))));
    }
    of_text(&output.stdout).map_err(|error| none(error.to_string()))
}

#[cfg(test)]
mod tests;
