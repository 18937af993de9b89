//! Application Default Credentials: what is in their files, what is asked of a token endpoint for them, and what it answers.
//!
//! Two kinds give a token by one exchange: a user's refresh token (RFC 6749 section 6) and a service account's signed statement
//! (RFC 7523). Others, which ask third parties or run programs, are named and refused: gcloud knows them all.

use std::fmt::{self, Write as _};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use thiserror::Error;

use super::relay::{host_and_port, port_number};
use super::strike::strike;
use crate::escape;

/// What a token is asked for: the relay wants an access token of this scope.
pub const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";

/// Google's endpoint, where a file names none.
const GOOGLES: &str = "https://oauth2.googleapis.com/token";

/// Where Google gives tokens by what files of these kinds hold, and below which path: the host of today, and the two that older
/// files name. Under googleapis.com stand many others, which no secret of these is for.
const ENDPOINTS: [(&str, &str); 3] =
    [("oauth2.googleapis.com", "/"), ("accounts.google.com", "/o/oauth2/"), ("www.googleapis.com", "/oauth2/")];

/// How long a service account's statement holds; Google takes no longer one.
const STATEMENT: u64 = 3600;

/// How much of an endpoint's words is shown, in characters.
const SHOWN: usize = 160;

/// Credentials of a file. Never shown.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Credentials {
    /// `authorized_user`: what `gcloud auth application-default login` leaves.
    #[non_exhaustive]
    User {
        /// OAuth client.
        client_id: Box<str>,
        /// Its secret.
        client_secret: Box<str>,
        /// What a token is given for.
        refresh_token: Box<str>,
        /// Who gives it.
        endpoint: Endpoint,
    },
    /// `service_account`: a key of an account.
    #[non_exhaustive]
    ServiceAccount {
        /// The account's address.
        email: Box<str>,
        /// Which of its keys.
        key_id: Option<Box<str>>,
        /// The key, PEM of a PKCS #8 structure.
        private_key: Box<str>,
        /// Who gives a token.
        endpoint: Endpoint,
    },
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::User { .. } => "Credentials::User(…)",
            Self::ServiceAccount { .. } => "Credentials::ServiceAccount(…)",
        })
    }
}

/// Why a file of credentials is of no use. What is shown holds nothing of the file but names that are no secret.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CredentialsError {
    /// No JSON object.
    #[error("it is no JSON object of credentials")]
    Json,
    /// No `type`.
    #[error("it names no type of credentials")]
    NoType,
    /// A kind that takes more than one exchange.
    #[error(
        "credentials of the kind {0} are not read here, only authorized_user and service_account: hand their token over, as by --access-token-file <(gcloud auth application-default print-access-token)"
    )]
    Kind(String),
    /// Something is missing that its kind has.
    #[error("it is of the kind {kind} and has no {field}")]
    Missing {
        /// Which kind.
        kind: &'static str,
        /// Which field.
        field: &'static str,
    },
    /// A `token_uri` to which nothing secret may go.
    #[error(
        "its token_uri is neither https:// of Google's (oauth2.googleapis.com) nor on this machine: no secret goes there"
    )]
    Endpoint,
}

/// A token endpoint: Google's over TLS, or one on this machine.
///
/// Whoever could write another name into a file of credentials knows the secrets in it already; but what is signed for
/// Google's endpoint is nobody else's either, and a file that was handed on may not lead away from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    url: Box<str>,
    tls: bool,
    host: Box<str>,
    port: u16,
    path: Box<str>,
}

impl Endpoint {
    /// Reads a URL.
    fn parse(url: &str) -> Option<Self> {
        let (scheme, rest) = url.split_once("://")?;
        let (authority, path) = rest.find('/').and_then(|at| rest.split_at_checked(at)).unwrap_or((rest, "/"));
        let sound = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
        if !path.bytes().all(sound) || authority.contains('@') {
            return None;
        }
        let (host, port) = host_and_port(authority).ok()?;
        let tls = scheme.eq_ignore_ascii_case("https");
        let googles =
            ENDPOINTS.iter().any(|(known, below)| *known == &*host && path.starts_with(below)) && !path.contains("..");
        let here = host.parse::<Ipv4Addr>().is_ok_and(|addr| addr.is_loopback())
            || host.parse::<Ipv6Addr>().is_ok_and(|addr| addr.is_loopback());
        let port = match port {
            Some(port) => port_number(port)?,
            None if tls => 443,
            None => 80,
        };
        let may = if tls { googles } else { here && scheme.eq_ignore_ascii_case("http") };
        may.then(|| Self { url: url.into(), tls, host, port, path: path.into() })
    }

    /// TLS is spoken; without it the endpoint is an address of this machine.
    #[must_use]
    pub const fn tls(&self) -> bool {
        self.tls
    }

    /// Name or address, without brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// TCP port.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// What is asked for there.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }
}

impl Credentials {
    /// Reads a file of credentials.
    ///
    /// # Errors
    /// It is none, or none that is understood.
    pub fn parse(text: &[u8]) -> Result<Self, CredentialsError> {
        // What serde_json says of an error may quote the text.
        let file: Value = serde_json::from_slice(text).map_err(|_| CredentialsError::Json)?;
        let file = file.as_object().ok_or(CredentialsError::Json)?;
        let kind = match file.get("type").and_then(Value::as_str).ok_or(CredentialsError::NoType)? {
            "authorized_user" => "authorized_user",
            "service_account" => "service_account",
            other => return Err(CredentialsError::Kind(escape::quote(other, 40))),
        };
        let optional = |field: &str| file.get(field).and_then(Value::as_str).filter(|text| !text.is_empty());
        let field =
            |field: &'static str| optional(field).map(Box::from).ok_or(CredentialsError::Missing { kind, field });
        let endpoint = Endpoint::parse(optional("token_uri").unwrap_or(GOOGLES)).ok_or(CredentialsError::Endpoint)?;
        Ok(if kind == "authorized_user" {
            Self::User {
                client_id: field("client_id")?,
                client_secret: field("client_secret")?,
                refresh_token: field("refresh_token")?,
                endpoint,
            }
        } else {
            Self::ServiceAccount {
                email: field("client_email")?,
                key_id: optional("private_key_id").map(Box::from),
                private_key: field("private_key")?,
                endpoint,
            }
        })
    }

    /// Who gives a token for them.
    #[must_use]
    pub const fn endpoint(&self) -> &Endpoint {
        match self {
            Self::User { endpoint, .. } | Self::ServiceAccount { endpoint, .. } => endpoint,
        }
    }

    /// What a service account signs (RFC 7519): to be signed with RS256 and given to [`Credentials::request`]. `now` is in
    /// seconds since 1970. `None` for a user's.
    #[must_use]
    pub fn statement(&self, now: u64) -> Option<String> {
        let Self::ServiceAccount { email, key_id, endpoint, .. } = self else { return None };
        let header = match key_id {
            Some(id) => json!({"alg": "RS256", "typ": "JWT", "kid": id}),
            None => json!({"alg": "RS256", "typ": "JWT"}),
        };
        let claims = json!({
            "iss": email, "scope": SCOPE, "aud": endpoint.url, "iat": now, "exp": now.saturating_add(STATEMENT),
        });
        let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
        Some(format!("{}.{}", part(header), part(claims)))
    }

    /// The body of the request for a token, a form. `signed` is a service account's statement with its signature.
    #[must_use]
    pub fn request(&self, signed: Option<(&str, &[u8])>) -> String {
        match (self, signed) {
            (Self::User { client_id, client_secret, refresh_token, .. }, _) => form(&[
                ("grant_type", "refresh_token"),
                ("client_id", client_id),
                ("client_secret", client_secret),
                ("refresh_token", refresh_token),
            ]),
            (Self::ServiceAccount { .. }, Some((statement, signature))) => form(&[
                ("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"),
                ("assertion", &format!("{statement}.{}", URL_SAFE_NO_PAD.encode(signature))),
            ]),
            (Self::ServiceAccount { .. }, None) => String::new(),
        }
    }

    /// What somebody said, without what is secret of the credentials.
    #[must_use]
    pub fn struck_from(&self, words: &[u8]) -> Vec<u8> {
        match self {
            Self::User { client_secret, refresh_token, .. } => {
                let without = strike(refresh_token.as_bytes(), words, b"[the refresh token]");
                strike(client_secret.as_bytes(), &without, b"[the client secret]")
            }
            Self::ServiceAccount { private_key, .. } => strike(private_key.as_bytes(), words, b"[the private key]"),
        }
    }
}

/// A body of the type `application/x-www-form-urlencoded`.
fn form(fields: &[(&str, &str)]) -> String {
    let mut out = String::new();
    for (name, value) in fields {
        if !out.is_empty() {
            out.push('&');
        }
        let _ = write!(out, "{name}=");
        for byte in value.bytes() {
            if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
                out.push(char::from(byte));
            } else {
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
    out
}

/// What a token endpoint, or the metadata server, gave. Never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Grant {
    /// The access token, as it came.
    pub token: String,
    /// How long it holds, if that was said.
    pub lasts: Option<Duration>,
}

impl fmt::Debug for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Grant").field("lasts", &self.lasts).finish_non_exhaustive()
    }
}

impl Grant {
    /// Reads an answer (RFC 6749 section 5.1). `body` is what came without the secrets that were sent.
    ///
    /// # Errors
    /// It gives no token; what it says instead (section 5.2), fit to be shown.
    pub fn parse(status: u16, body: &[u8]) -> Result<Self, String> {
        let answer: Option<Value> = serde_json::from_slice(body).ok();
        let text = |name: &str| answer.as_ref().and_then(|answer| answer.get(name)).and_then(Value::as_str);
        if status == 200 {
            let token = text("access_token").ok_or("it gave no access_token")?;
            let lasts = answer.as_ref().and_then(|answer| answer.get("expires_in")).and_then(Value::as_u64);
            return Ok(Self { token: token.to_owned(), lasts: lasts.map(Duration::from_secs) });
        }
        let said = match (text("error"), text("error_description")) {
            (Some(error), Some(more)) => escape::quote(format!("{error}: {more}"), SHOWN),
            (Some(error), None) => escape::quote(error, SHOWN),
            _ => return Err(format!("HTTP {status}")),
        };
        Err(format!("HTTP {status}, {said}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const USER: &str = r#"{"type":"authorized_user","client_id":"id.apps","client_secret":"cl-ient&Secret","refresh_token":"1//re/fresh-Token","quota_project_id":"p"}"#;
    const ACCOUNT: &str = r#"{"type":"service_account","project_id":"p","private_key_id":"kid","private_key":"-----BEGIN PRIVATE KEY-----\nMII\n","client_email":"a@p.iam.gserviceaccount.com","token_uri":"https://oauth2.googleapis.com/token"}"#;

    #[test]
    fn both_kinds_are_read_and_ask_as_the_rfcs_say() {
        let user = Credentials::parse(USER.as_bytes()).unwrap();
        let endpoint = user.endpoint();
        assert_eq!(
            (endpoint.tls(), endpoint.host(), endpoint.port(), endpoint.path()),
            (true, "oauth2.googleapis.com", 443, "/token")
        );
        assert_eq!(user.statement(0), None);
        assert_eq!(
            user.request(None),
            "grant_type=refresh_token&client_id=id.apps&client_secret=cl-ient%26Secret&refresh_token=1%2F%2Fre%2Ffresh-Token"
        );
        let account = Credentials::parse(ACCOUNT.as_bytes()).unwrap();
        let statement = account.statement(1_700_000_000).unwrap();
        let parts: Vec<Value> = statement
            .split('.')
            .map(|part| serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap())
            .collect();
        assert_eq!(parts[0], json!({"alg": "RS256", "typ": "JWT", "kid": "kid"}));
        assert_eq!(
            parts[1],
            json!({"iss": "a@p.iam.gserviceaccount.com", "scope": SCOPE, "aud": "https://oauth2.googleapis.com/token", "iat": 1_700_000_000, "exp": 1_700_003_600})
        );
        let body = account.request(Some((&statement, b"\xff\xfe")));
        assert_eq!(
            body,
            format!("grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion={statement}.__4")
        );
        for secret in ["fresh-Token", "ient&Secret", "BEGIN PRIVATE"] {
            assert!(!format!("{user:?}{account:?}").contains(secret), "{secret}");
        }
        assert_eq!(
            user.struck_from(b"bad 1//re/fresh-Token, cl-ient&Secret"),
            b"bad [the refresh token], [the client secret]"
        );
    }

    #[test]
    fn what_is_no_use_is_named_without_its_secrets() {
        let external = "credentials of the kind \"external_account\" are not read here";
        for (text, words) in [
            ("", "it is no JSON object"),
            ("[]", "it is no JSON object"),
            ("{\"refresh_token\":\"planted\"", "it is no JSON object"),
            ("{\"refresh_token\":\"planted\"}", "it names no type"),
            (r#"{"type":"external_account","x":"planted"}"#, external),
            (r#"{"type":"impersonated_service_account","x":"planted"}"#, "\"impersonated_service_account\""),
            (r#"{"type":"external_account_authorized_user"}"#, "\"external_account_authorized_user\""),
            (r#"{"type":"authorized_user","refresh_token":"planted"}"#, "and has no client_id"),
            (r#"{"type":"service_account","client_email":"a@b"}"#, "and has no private_key"),
        ] {
            let error = Credentials::parse(text.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(words) && !error.contains("planted"), "{text}: {error}");
        }
    }

    #[test]
    fn secrets_go_to_google_by_tls_or_stay_on_this_machine() {
        for url in [
            "https://oauth2.googleapis.com/token",
            "https://accounts.google.com/o/oauth2/token",
            "https://www.googleapis.com/oauth2/v4/token",
            "http://127.0.0.1:8080/token",
            "http://[::1]:8080/token",
        ] {
            assert!(Endpoint::parse(url).is_some(), "{url}");
        }
        for url in [
            "http://oauth2.googleapis.com/token",
            "https://oauth2.googleapis.com.example/token",
            "https://evilgoogleapis.com/token",
            "https://storage.googleapis.com/token",
            "https://googleapis.com/token",
            "https://www.googleapis.com/upload/storage/v1/b/x/o",
            "https://www.googleapis.com/oauth2/../upload",
            "https://accounts.google.com/other",
            "https://oauth2.googleapis.com@evil.example/token",
            "https://evil.example/token",
            "https://evil.example/.googleapis.com",
            "http://10.0.0.1/token",
            "http://localhost:80/token",
            "ftp://127.0.0.1/token",
            "https://oauth2.googleapis.com:0/token",
            "https://oauth2.googleapis.com/to ken",
            "http://[::1]x/token",
            "oauth2.googleapis.com/token",
        ] {
            assert_eq!(Endpoint::parse(url), None, "{url}");
            let file = USER.replace("\"client_id\"", &format!("\"token_uri\":\"{url}\",\"client_id\""));
            assert_eq!(Credentials::parse(file.as_bytes()), Err(CredentialsError::Endpoint), "{url}");
        }
    }

    #[test]
    fn answers_are_read_and_refusals_can_be_shown() {
        let grant =
            Grant::parse(200, br#"{"access_token":"planted","expires_in":3599,"token_type":"Bearer"}"#).unwrap();
        assert_eq!((grant.token.as_str(), grant.lasts), ("planted", Some(Duration::from_secs(3599))));
        assert!(!format!("{grant:?}").contains("planted"));
        assert_eq!(Grant::parse(200, br#"{"access_token":"t"}"#).unwrap().lasts, None);
        let refused = br#"{"error":"invalid_grant","error_description":"Token has been expired or revoked.\u001b"}"#;
        assert_eq!(
            Grant::parse(400, refused).unwrap_err(),
            "HTTP 400, \"invalid_grant: Token has been expired or revoked.\\x1b\""
        );
        for (status, body, said) in [
            (200, &b"{}"[..], "it gave no access_token"),
            (200, b"<html>", "it gave no access_token"),
            (404, b"<html>", "HTTP 404"),
            (500, br#"{"error":{"code":500}}"#, "HTTP 500"),
            (401, br#"{"error":"invalid_client"}"#, "HTTP 401, \"invalid_client\""),
        ] {
            assert_eq!(Grant::parse(status, body).unwrap_err(), said);
        }
    }
}
