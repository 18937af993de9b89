//! The keywords of ssh_config(5) and what each takes.

/// What stands behind a keyword.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Host,
    Match,
    Include,
    /// One word.
    Text,
    /// The rest of the line as it is, comments and all.
    Command,
    Jump,
    Port,
    Seconds,
    Number,
    /// One of these words, without regard to case, and how `ssh -G` shows it.
    Choice(&'static [(&'static str, &'static str)]),
    /// One word, a list of algorithms.
    Algorithms,
    /// Several words; the first line wins; `none` only alone.
    Files,
    /// One word; lines add up.
    Identity,
    /// Words; lines add up, `-PATTERN` takes away.
    SendEnv,
    /// Words with `=`; the first line wins.
    SetEnv,
    Agent,
    /// Known to ssh and of no use for a probe: its arguments are not looked at.
    Unchecked,
    /// Known and without effect.
    Ignored,
    /// No longer known; ssh warns and goes on.
    Unsupported,
}

const FLAG: Kind = Kind::Choice(&[("yes", "yes"), ("true", "yes"), ("no", "no"), ("false", "no")]);
const YES_NO_ASK: Kind =
    Kind::Choice(&[("yes", "true"), ("true", "true"), ("no", "false"), ("false", "false"), ("ask", "ask")]);
const STRICT: Kind = Kind::Choice(&[
    ("yes", "true"),
    ("true", "true"),
    ("no", "false"),
    ("false", "false"),
    ("off", "false"),
    ("ask", "ask"),
    ("accept-new", "accept-new"),
]);
const FAMILY: Kind = Kind::Choice(&[("inet", "inet"), ("inet6", "inet6"), ("any", "any")]);
const CANONICALIZE: Kind =
    Kind::Choice(&[("yes", "true"), ("true", "true"), ("no", "false"), ("false", "false"), ("always", "always")]);
const PUBKEY: Kind = Kind::Choice(&[
    ("yes", "true"),
    ("true", "true"),
    ("no", "false"),
    ("false", "false"),
    ("unbound", "unbound"),
    ("host-bound", "host-bound"),
]);
const COMPRESSION: Kind = Kind::Choice(&[("yes", "yes"), ("no", "no")]);

/// A keyword by its name in lower case: the name under which its value is kept (older names are aliases), and its kind.
pub(super) fn lookup(name: &str) -> Option<(&'static str, Kind)> {
    let aliased = ALIASES.iter().find(|(alias, _)| *alias == name).map_or(name, |(_, name)| name);
    let listed = KEYWORDS.iter().find(|(listed, _)| *listed == aliased).copied();
    listed.or_else(|| UNCHECKED.iter().find(|listed| **listed == aliased).map(|name| (*name, Kind::Unchecked)))
}

const ALIASES: &[(&str, &str)] = &[
    ("challengeresponseauthentication", "kbdinteractiveauthentication"),
    ("dsaauthentication", "pubkeyauthentication"),
    ("hostbasedkeytypes", "hostbasedacceptedalgorithms"),
    ("identityfile2", "identityfile"),
    ("keepalive", "tcpkeepalive"),
    ("pubkeyacceptedkeytypes", "pubkeyacceptedalgorithms"),
    // Red Hat's name before there was one.
    ("rsaminsize", "requiredrsasize"),
    ("skeyauthentication", "kbdinteractiveauthentication"),
    ("tisauthentication", "kbdinteractiveauthentication"),
];

const KEYWORDS: &[(&str, Kind)] = &[
    ("addressfamily", FAMILY),
    ("batchmode", FLAG),
    ("bindaddress", Kind::Text),
    ("bindinterface", Kind::Text),
    ("canonicalizehostname", CANONICALIZE),
    ("casignaturealgorithms", Kind::Algorithms),
    ("certificatefile", Kind::Identity),
    ("checkhostip", FLAG),
    ("ciphers", Kind::Algorithms),
    ("compression", COMPRESSION),
    ("connectionattempts", Kind::Number),
    ("connecttimeout", Kind::Seconds),
    ("globalknownhostsfile", Kind::Files),
    ("hashknownhosts", FLAG),
    ("host", Kind::Host),
    ("hostbasedauthentication", FLAG),
    ("hostkeyalgorithms", Kind::Algorithms),
    ("hostkeyalias", Kind::Text),
    ("hostname", Kind::Text),
    ("identitiesonly", FLAG),
    ("identityagent", Kind::Agent),
    ("identityfile", Kind::Identity),
    ("ignoreunknown", Kind::Text),
    ("include", Kind::Include),
    ("kbdinteractiveauthentication", FLAG),
    ("kbdinteractivedevices", Kind::Text),
    ("kexalgorithms", Kind::Algorithms),
    ("knownhostscommand", Kind::Command),
    ("localcommand", Kind::Command),
    ("macs", Kind::Algorithms),
    ("match", Kind::Match),
    ("nohostauthenticationforlocalhost", FLAG),
    ("numberofpasswordprompts", Kind::Number),
    ("passwordauthentication", FLAG),
    ("port", Kind::Port),
    ("preferredauthentications", Kind::Text),
    ("proxycommand", Kind::Command),
    ("proxyjump", Kind::Jump),
    ("pubkeyacceptedalgorithms", Kind::Algorithms),
    ("pubkeyauthentication", PUBKEY),
    ("remotecommand", Kind::Command),
    ("requiredrsasize", Kind::Number),
    ("revokedhostkeys", Kind::Text),
    ("sendenv", Kind::SendEnv),
    ("serveralivecountmax", Kind::Number),
    ("serveraliveinterval", Kind::Seconds),
    ("setenv", Kind::SetEnv),
    ("stricthostkeychecking", STRICT),
    ("tag", Kind::Text),
    ("tcpkeepalive", FLAG),
    ("updatehostkeys", YES_NO_ASK),
    ("user", Kind::Text),
    ("userknownhostsfile", Kind::Files),
    ("verifyhostkeydns", YES_NO_ASK),
    // What ssh itself no longer uses.
    ("protocol", Kind::Ignored),
    ("cipher", Kind::Ignored),
    ("fallbacktorsh", Kind::Ignored),
    ("globalknownhostsfile2", Kind::Ignored),
    ("rhostsauthentication", Kind::Ignored),
    ("useprivilegedport", Kind::Ignored),
    ("userknownhostsfile2", Kind::Ignored),
    ("useroaming", Kind::Ignored),
    ("usersh", Kind::Ignored),
    ("afstokenpassing", Kind::Unsupported),
    ("compressionlevel", Kind::Unsupported),
    ("kerberosauthentication", Kind::Unsupported),
    ("kerberostgtpassing", Kind::Unsupported),
    ("rhostsrsaauthentication", Kind::Unsupported),
    ("rsaauthentication", Kind::Unsupported),
];

/// Keywords that decide nothing about a probe, those of newer versions and of distributors among them.
const UNCHECKED: &[&str] = &[
    "addkeystoagent",
    "canonicaldomains",
    "canonicalizefallbacklocal",
    "canonicalizemaxdots",
    "canonicalizepermittedcnames",
    "channeltimeout",
    "clearallforwardings",
    "controlmaster",
    "controlpath",
    "controlpersist",
    "dynamicforward",
    "enableescapecommandline",
    "enablesshkeysign",
    "escapechar",
    "exitonforwardfailure",
    "fingerprinthash",
    "forkafterauthentication",
    "forwardagent",
    "forwardx11",
    "forwardx11timeout",
    "forwardx11trusted",
    "gatewayports",
    "gssapiauthentication",
    "gssapiclientidentity",
    "gssapidelegatecredentials",
    "gssapikexalgorithms",
    "gssapikeyexchange",
    "gssapirenewalforcesrekey",
    "gssapiserveridentity",
    "gssapitrustdns",
    "hostbasedacceptedalgorithms",
    "ipqos",
    "localforward",
    "loglevel",
    "logverbose",
    "obscurekeystroketiming",
    "permitlocalcommand",
    "permitremoteopen",
    "pkcs11provider",
    "proxyusefdpass",
    "refuseconnection",
    "rekeylimit",
    "remoteforward",
    "requesttty",
    "securitykeyprovider",
    "sessiontype",
    "smartcarddevice",
    "stdinnull",
    "streamlocalbindmask",
    "streamlocalbindunlink",
    "syslogfacility",
    "tunnel",
    "tunneldevice",
    // Apple's.
    "usekeychain",
    "versionaddendum",
    "visualhostkey",
    "warnweakcrypto",
    "xauthlocation",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_in_lower_case_and_stand_in_one_table() {
        let names: Vec<&str> = KEYWORDS.iter().map(|(name, _)| *name).chain(UNCHECKED.iter().copied()).collect();
        for name in &names {
            assert_eq!(*name, name.to_ascii_lowercase());
            assert_eq!(names.iter().filter(|other| *other == name).count(), 1, "{name}");
        }
        for (alias, name) in ALIASES {
            assert!(!names.contains(alias), "{alias}");
            assert_eq!(lookup(alias), lookup(name));
            assert!(lookup(name).is_some(), "{name}");
        }
    }
}
