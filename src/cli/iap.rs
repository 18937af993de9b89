//! `--iap` and what goes with it: which instances, which relay, whose token.

use std::env;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sshprobe_probes::escape::quote as shown;
use sshprobe_probes::iap::{IapTarget, RelayUrl};
use sshprobe_probes::proxy::Credentials;

use crate::cli::args::IapArgs;
use crate::error::Error;
use crate::report::next::quote;
use crate::resolve::Resolver;
use crate::sys::clock::Clock;
use crate::target::expr::{Expression, Hosts};
use crate::transport::iap::{Iap, Instances, MetadataServer, Token, TokenError, TokenSource, Tokens};
use crate::transport::{Proxy, ProxyUrl, Tcp};

/// gcloud reads its access token from here too.
const TOKEN: &str = "CLOUDSDK_AUTH_ACCESS_TOKEN";
/// What Google's libraries read: a file of credentials, the metadata server, and that there is none.
const CREDENTIALS: &str = "GOOGLE_APPLICATION_CREDENTIALS";
const METADATA: &str = "GCE_METADATA_HOST";
const NO_METADATA: &str = "NO_GCE_CHECK";

/// The way through the relay, as it was asked for.
#[derive(Debug, Clone)]
pub struct IapWay {
    /// `--project` and `--zone`, for targets that do not say it themselves.
    place: Option<(String, String)>,
    relay: RelayUrl,
    tokens: TokenSource,
    /// What stands before the relay.
    proxy: Option<(ProxyUrl, Option<Credentials>)>,
    /// `--compare-direct`.
    compares: bool,
}

impl IapWay {
    /// Validates the options; `None` if the way is another one. `targets` are those of the command line.
    pub(super) fn new(args: IapArgs, targets: &[String]) -> Result<Option<Self>, Error> {
        let IapArgs { iap: asked, project, zone, iap_url, access_token_file, compare_direct } = args;
        let written_out = |target: &str| target.get(..6).is_some_and(|scheme| scheme.eq_ignore_ascii_case("iap://"));
        let (theirs, others): (Vec<&String>, Vec<_>) = targets.iter().partition(|target| written_out(target));
        if !asked {
            if let (Some(target), Some(other)) = (theirs.first(), others.first()) {
                return Err(Error::usage(format!(
                    "{} and {}: one is reached through the Identity-Aware Proxy and one is not; take two runs, or give --iap with --project and --zone if both are instances",
                    shown(target, 60),
                    shown(other, 60)
                )));
            }
            if theirs.is_empty() {
                let option = iap_url.map(|_| "--iap-url").or(access_token_file.map(|_| "--access-token-file"));
                let option = option.or(compare_direct.then_some("--compare-direct"));
                return option.map_or(Ok(None), |option| {
                    Err(Error::usage(format!("{option}: it is for instances behind the Identity-Aware Proxy; give --iap, or targets like iap://PROJECT/ZONE/INSTANCE")))
                });
            }
        }
        let place = match (project, zone) {
            (Some(project), Some(zone)) => Some((project, zone)),
            (None, None) if others.is_empty() => None,
            _ => {
                return Err(Error::usage("--iap: the relay asks where an instance is; give --project and --zone"));
            }
        };
        if let Some((project, zone)) = &place {
            // With a name that is one, so that what is wrong is the project or the zone.
            IapTarget::instance(project, zone, "instance", None)
                .map_err(|error| Error::usage(format!("--project, --zone: {error}")))?;
        }
        let address = others.iter().find(|target| {
            Expression::parse(target).is_ok_and(|expression| matches!(expression.hosts, Hosts::Addresses(_)))
        });
        if let Some(address) = address {
            return Err(Error::usage(format!(
                "{}: the relay of --iap knows instances by name and not by address; write the instance's name",
                shown(address, 60)
            )));
        }
        // Not shown: it may hold a password that somebody has put there.
        let relay = match iap_url {
            Some(url) if url.contains('@') => {
                return Err(Error::usage(
                    "--iap-url: a user or password cannot stand in a relay's URL; give the token with --access-token-file",
                ));
            }
            Some(url) => RelayUrl::parse(&url).map_err(|why| Error::usage(format!("--iap-url: {why}")))?,
            None => RelayUrl::default(),
        };
        let tokens = match access_token_file {
            Some(path) => TokenSource::File(path),
            None => of_google(&relay)?,
        };
        Ok(Some(Self { place, relay, tokens, proxy: None, compares: compare_direct }))
    }

    /// With a proxy before the relay.
    pub(super) fn behind(self, proxy: Option<(ProxyUrl, Option<Credentials>)>) -> Result<Self, Error> {
        if proxy.is_some() && !self.relay.tls() {
            return Err(Error::usage(
                "--proxy: by ws:// the relay is this machine's, and a proxy would be shown the token; leave --proxy away",
            ));
        }
        Ok(Self { proxy, ..self })
    }

    /// The options as they would be typed again. The token is not among them.
    pub(super) fn options(&self) -> String {
        let mut out = String::from("--iap ");
        if let Some((project, zone)) = &self.place {
            out += &format!("--project {} --zone {} ", quote(project), quote(zone));
        }
        if self.relay != RelayUrl::default() {
            out += &format!("--iap-url {} ", quote(&self.relay.to_string()));
        }
        if let Some((url, _)) = &self.proxy {
            out += &format!("--proxy {} ", quote(&url.to_string()));
        }
        if self.compares {
            out += "--compare-direct ";
        }
        if let TokenSource::File(path) = &self.tokens {
            out += &format!("--access-token-file {} ", quote(&path.to_string_lossy()));
        }
        out
    }

    /// What a plan says of the way. The token is not in it.
    pub(super) fn told(&self) -> String {
        let token = match &self.tokens {
            TokenSource::File(path) => format!("is read from {}", path_shown(path)),
            TokenSource::Environment(_) => format!("is that of {TOKEN}"),
            TokenSource::Credentials(path) => format!("is asked for by the credentials in {}", path_shown(path)),
            TokenSource::Machine { well_known, metadata } => {
                let well_known =
                    well_known.as_ref().map(|path| format!(", else by the credentials in {}", path_shown(path)));
                let metadata =
                    metadata.as_ref().map(|server| format!(", else of the metadata server {}", server.authority()));
                format!("is asked of gcloud{}{}", well_known.unwrap_or_default(), metadata.unwrap_or_default())
            }
        };
        let besides = if self.compares {
            "; each host is probed directly too, as deep as the host key, where INSTANCE.ZONE.c.PROJECT.internal or its name leads"
        } else {
            ""
        };
        let before = self.proxy.as_ref().map_or_else(String::new, |(url, credentials)| {
            let who =
                if credentials.is_some() { "with the credentials of the environment" } else { "without credentials" };
            format!(" behind the proxy {url}, {who}")
        });
        format!("tunnels of the Identity-Aware Proxy, by {}{before}; the access token {token}{besides}", self.relay)
    }

    /// The way itself.
    pub(super) fn road(&self, clock: Clock, tcp: Tcp, resolver: Arc<Resolver>) -> Result<Iap, Error> {
        let instances = match &self.place {
            Some((project, zone)) => Instances::Of { project: project.as_str().into(), zone: zone.as_str().into() },
            None => Instances::WrittenOut,
        };
        let proxy = self.proxy.as_ref().map(|(url, credentials)| {
            Proxy::new(clock, tcp.clone(), url.clone(), credentials.clone(), Arc::clone(&resolver))
        });
        let tokens = Arc::new(Tokens::new(clock, self.tokens.clone(), Arc::clone(&resolver), proxy.clone()));
        Iap::new(clock, tcp, resolver, self.relay.clone(), instances, tokens)
            .map(|iap| iap.comparing(self.compares).behind(proxy))
            .map_err(|error| Error::usage(format!("--iap: {error}")))
    }

    /// Why there is no token, as a program error.
    pub(super) fn no_token(&self, error: &TokenError) -> Error {
        match &self.tokens {
            TokenSource::File(path) => Error::usage(format!("--access-token-file {}: {error}", path_shown(path))),
            _ => Error::usage(format!("--iap: {error}")),
        }
    }
}

fn path_shown(path: &Path) -> String {
    sshprobe_probes::escape::escape(path.to_string_lossy().as_bytes())
}

/// The token of Google's credentials, which goes to Google's relay and to no other: who runs the other one could do with it
/// whatever the user can.
fn of_google(relay: &RelayUrl) -> Result<TokenSource, Error> {
    if !relay.is_googles() {
        return Err(Error::usage(format!(
            "--iap-url: {} is not Google's, so it gets no token of Google's credentials; hand one over with --access-token-file",
            relay.host()
        )));
    }
    match env::var(TOKEN) {
        Ok(text) if !text.trim_ascii().is_empty() => {
            let token = Token::new(&text).map_err(|error| Error::usage(format!("{TOKEN}: {error}")))?;
            Ok(TokenSource::Environment(token))
        }
        Err(env::VarError::NotUnicode(_)) => Err(Error::usage(format!("{TOKEN}: {}", TokenError::Bytes))),
        Ok(_) | Err(env::VarError::NotPresent) => of_machine(),
    }
}

/// Named credentials, or those that this machine has.
fn of_machine() -> Result<TokenSource, Error> {
    let named = |variable: &str| env::var_os(variable).filter(|value| !value.is_empty()).map(PathBuf::from);
    if let Some(path) = named(CREDENTIALS) {
        return Ok(TokenSource::Credentials(path));
    }
    // Where gcloud keeps them.
    let config = named("CLOUDSDK_CONFIG").or_else(|| named("HOME").map(|home| home.join(".config/gcloud")));
    let metadata = match env::var(METADATA) {
        _ if env::var(NO_METADATA).is_ok_and(|value| value.eq_ignore_ascii_case("true")) => None,
        Ok(host) if !host.is_empty() => Some(
            MetadataServer::parse(&host).ok_or_else(|| Error::usage(format!("{METADATA}: it is no HOST[:PORT]")))?,
        ),
        _ => Some(MetadataServer::default()),
    };
    Ok(TokenSource::Machine {
        well_known: config.map(|dir| dir.join("application_default_credentials.json")),
        metadata,
    })
}

#[cfg(test)]
mod tests {
    use crate::cli::config::tests::config;

    #[test]
    fn what_cannot_be_asked_of_the_relay_is_refused_in_one_line() {
        let mixed = "\"iap://p/z/vm1\" and \"vm2\": one is reached through the Identity-Aware Proxy and one is not; take two runs, or give --iap with --project and --zone if both are instances";
        let whole = ["--iap", "--project=p", "--zone=europe-west1-b", "--access-token-file=t"];
        for (args, line) in [
            (&["vm2", "iap://p/z/vm1"][..], mixed),
            (
                &["--access-token-file=t", "vm1"],
                "--access-token-file: it is for instances behind the Identity-Aware Proxy; give --iap, or targets like iap://PROJECT/ZONE/INSTANCE",
            ),
            (&["--iap", "vm1"], "--iap: the relay asks where an instance is; give --project and --zone"),
            (
                &["--compare-direct", "vm1"],
                "--compare-direct: it is for instances behind the Identity-Aware Proxy; give --iap, or targets like iap://PROJECT/ZONE/INSTANCE",
            ),
            (
                &["--iap", "--project=p", "--zone=europe-west1", "--access-token-file=t", "vm1"],
                "--project, --zone: europe-west1 is a region: write one of its zones, such as europe-west1-a",
            ),
            (
                &[&whole[..], &["vm1", "10.0.0.0/24"]].concat(),
                "\"10.0.0.0/24\": the relay of --iap knows instances by name and not by address; write the instance's name",
            ),
            (
                &["--iap", "--project=p", "--zone=z", "--iap-url=wss://relay.example", "vm1"],
                "--iap-url: relay.example is not Google's, so it gets no token of Google's credentials; hand one over with --access-token-file",
            ),
            (
                &["--iap", "--project=p", "--zone=z", "--iap-url=ftp://ann:s3cret@127.0.0.1:1", "vm1"],
                "--iap-url: a user or password cannot stand in a relay's URL; give the token with --access-token-file",
            ),
            (
                &["--iap", "--project=p", "--zone=z", "--iap-url=wss://relay.example/v4?x", "vm1"],
                "--iap-url: a relay's URL has no query and no fragment: leave out what follows ? or #",
            ),
            (
                &["--proxy-command=nc %h %p", "--access-token-file=t", "iap://p/europe-west1-b/vm1"],
                "--proxy-command: the targets are reached through the Identity-Aware Proxy; leave --proxy-command away, or the iap://",
            ),
            (
                &[
                    "--proxy=http://127.0.0.1:9",
                    "--iap-url=ws://127.0.0.1:1",
                    "--access-token-file=t",
                    "iap://p/europe-west1-b/vm1",
                ],
                "--proxy: by ws:// the relay is this machine's, and a proxy would be shown the token; leave --proxy away",
            ),
            (
                &["--proxy-command=nc %h %p", "--source=127.0.0.1", "vm1"],
                "--source: the program of --proxy-command makes the connections; leave it away, or give the program an option like it",
            ),
            (
                &["--proxy-command=nc %h %p", "--depth=connect", "vm1"],
                "--depth connect: a program of --proxy-command does not say when it is connected; take --depth ident",
            ),
            (
                &["--iap", "--project=p", "--zone=z", "--iap-url=ws://127.0.0.1:1", "vm1"],
                "--iap-url: 127.0.0.1 is not Google's, so it gets no token of Google's credentials; hand one over with --access-token-file",
            ),
        ] {
            assert_eq!(config(args).err().as_deref(), Some(line), "{args:?}");
        }
    }

    #[test]
    fn a_second_look_goes_through_the_same_relay() {
        let args = ["--iap", "--project=p", "--zone=europe-west1-b", "--access-token-file=/run/a token", "vm1"];
        let plain = config(&args).expect("valid").reach_options();
        assert_eq!(plain, "--iap --project p --zone europe-west1-b --access-token-file '/run/a token' ");
        let other = config(&[&args[..], &["--iap-url=wss://relay.example:8443"]].concat()).expect("valid");
        assert!(other.reach_options().contains("--iap-url wss://relay.example:8443/v4 "), "{}", other.reach_options());
    }
}
