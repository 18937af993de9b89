//! The registry of outcomes: every code a record can carry and the status it is sorted under.
//!
//! The words are binding: scripts compare them. A new outcome is one line here and one entry in [`super::DIAGNOSES`].

use std::fmt;
use std::str::FromStr;

use serde::de::{Deserialize, Deserializer, Error as _};
use serde::{Serialize, Serializer};
use thiserror::Error;

/// A word that names no status, code or finding.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{word}` is no {kind}")]
pub struct UnknownName {
    /// What was looked for: `status`, `code`, `finding`.
    pub kind: &'static str,
    /// The word given.
    pub word: String,
}

/// An enum whose variants are words: name, parsing, display and serialisation come from one list.
macro_rules! words {
    ($(#[$meta:meta])* $type:ident, $kind:literal: $($variant:ident = $name:literal,)*) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum $type {
            $(#[doc = concat!("`", $name, "`")] $variant,)*
        }

        impl $type {
            /// Every one of them, in the order in which lists and summaries show them.
            pub const ALL: &'static [$type] = &[$($type::$variant,)*];

            /// The word used in records and on the command line.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $($type::$variant => $name,)* }
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.name())
            }
        }

        impl FromStr for $type {
            type Err = UnknownName;

            fn from_str(word: &str) -> Result<Self, UnknownName> {
                match word {
                    $($name => Ok($type::$variant),)*
                    _ => Err(UnknownName { kind: $kind, word: word.to_owned() }),
                }
            }
        }

        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.name())
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let word = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                word.parse().map_err(D::Error::custom)
            }
        }
    };
}

words! {
    /// The coarse class by which a person sorts a fleet.
    Status, "status":
    Ok = "ok",
    Timeout = "timeout",
    Refused = "refused",
    Unreachable = "unreachable",
    Closed = "closed",
    NotSsh = "not-ssh",
    Tarpit = "tarpit",
    Throttled = "throttled",
    ProtocolError = "protocol-error",
    KexFailure = "kex-failure",
    HostKeyMismatch = "host-key-mismatch",
    AuthFailure = "auth-failure",
    TunnelFailure = "tunnel-failure",
    DnsFailure = "dns-failure",
    LocalError = "local-error",
}

/// The codes, each under its status.
macro_rules! codes {
    ($($status:ident: $($variant:ident = $name:literal,)*;)*) => {
        words! {
            /// The precise outcome; [`super::DIAGNOSES`] says what each means.
            Code, "code":
            $($($variant = $name,)*)*
        }

        impl Code {
            /// The class it belongs to.
            #[must_use]
            pub const fn status(self) -> Status {
                match self { $($(Code::$variant => Status::$status,)*)* }
            }
        }
    };
}

codes! {
    Ok:
        Ok = "ok",
    ;
    Timeout:
        TimeoutConnect = "timeout-connect",
        ConnectedNoIdent = "connected-no-ident",
        IdentTimeout = "ident-timeout",
        KexinitTimeout = "kexinit-timeout",
        KexTimeout = "kex-timeout",
        AuthTimeout = "auth-timeout",
        PmtuBlackHole = "pmtu-black-hole",
        LostMidway = "lost-midway",
    ;
    Refused:
        Refused = "refused",
        RefusedByFilter = "refused-by-filter",
    ;
    Unreachable:
        UnreachableHost = "unreachable-host",
        UnreachableNet = "unreachable-net",
        AdminProhibited = "admin-prohibited",
    ;
    Closed:
        ClosedNoIdent = "closed-no-ident",
        ResetNoIdent = "reset-no-ident",
        ClosedAfter5s = "closed-after-5s",
        ClosedAfterIdent = "closed-after-ident",
        KexClosed = "kex-closed",
        AuthClosed = "auth-closed",
        RefusedText = "refused-text",
        SshdBroken = "sshd-broken",
        Disconnected = "disconnected",
        ResetMidway = "reset-midway",
        EofMidway = "eof-midway",
    ;
    NotSsh:
        NotSsh = "not-ssh",
        AcceptAllMiddlebox = "accept-all-middlebox",
    ;
    Tarpit:
        Tarpit = "tarpit",
    ;
    Throttled:
        ThrottledMaxstartups = "throttled-maxstartups",
        ThrottledOrPenalised = "throttled-or-penalised",
    ;
    ProtocolError:
        IdentMalformed = "ident-malformed",
        Ssh1Only = "ssh1-only",
        VersionRejected = "version-rejected",
        ProtocolError = "protocol-error",
        MacError = "mac-error",
    ;
    KexFailure:
        NoCommonKex = "no-common-kex",
        NoCommonHostkey = "no-common-hostkey",
        NoCommonCipher = "no-common-cipher",
        NoCommonMac = "no-common-mac",
        NoCommonCompression = "no-common-compression",
        BadHostSignature = "bad-host-signature",
    ;
    HostKeyMismatch:
        HostKeyChanged = "host-key-changed",
        HostKeyRevoked = "host-key-revoked",
        HostCertInvalid = "host-cert-invalid",
        HostKeyTypeUnknown = "host-key-type-unknown",
        HostKeyTypeGone = "host-key-type-gone",
        HostKeyUnknown = "host-key-unknown",
    ;
    AuthFailure:
        ServiceDenied = "service-denied",
        RefusedAtUserauth = "refused-at-userauth",
        AuthNoMethods = "auth-no-methods",
        AuthNoCommonMethod = "auth-no-common-method",
        AuthFailed = "auth-failed",
        AuthKeyRefused = "auth-key-refused",
        AuthRefusedAfterKey = "auth-refused-after-key",
        AuthSigAlg = "auth-sig-alg",
        AuthPartial = "auth-partial",
        AuthTooMany = "auth-too-many",
    ;
    TunnelFailure:
        IapBackendUnreachable = "iap-backend-unreachable",
        IapNotAuthorized = "iap-not-authorized",
        IapInstanceLookupFailed = "iap-instance-lookup-failed",
        IapBackendSilent = "iap-backend-silent",
        IapBackendClosed = "iap-backend-closed",
        IapClosedEarly = "iap-closed-early",
        IapRelayError = "iap-relay-error",
        IapHttp = "iap-http",
        IapTls = "iap-tls",
        IapProtocol = "iap-protocol",
        ProxyRefused = "proxy-refused",
        ProxyAuth = "proxy-auth",
        ProxyUnreachable = "proxy-unreachable",
        ProxyCommandFailed = "proxy-command-failed",
        JumpFailed = "jump-failed",
        JumpForbidden = "jump-forbidden",
    ;
    DnsFailure:
        DnsNxdomain = "dns-nxdomain",
        DnsServfail = "dns-servfail",
        DnsNoAddress = "dns-no-address",
        DnsTimeout = "dns-timeout",
    ;
    LocalError:
        LocalNoRoute = "local-no-route",
        LocalPolicy = "local-policy",
        LocalResourceLimit = "local-resource-limit",
        Internal = "internal",
    ;
}

pub(super) use words;
