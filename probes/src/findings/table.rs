//! The one table of findings: what `explain` and the documentation say about each.

use crate::diagnose::FindingId;

/// How much a finding matters to whoever runs the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Good to know.
    Info,
    /// To be put right with the next change.
    Low,
    /// To be planned.
    Medium,
    /// To be put right now.
    High,
}

/// What a finding means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FindingText {
    /// Which one.
    pub id: FindingId,
    /// How much it matters.
    pub severity: Severity,
    /// One short sentence.
    pub title: &'static str,
    /// What was seen and what follows from it.
    pub meaning: &'static str,
    /// Where it comes from, likeliest first.
    pub causes: &'static [&'static str],
    /// What tells the causes apart: an observation and what it points to.
    pub tell_apart: &'static [&'static str],
    /// What to do about it.
    pub remedy: &'static [&'static str],
}

/// Every finding explained, in the order of [`FindingId::ALL`].
pub static FINDINGS: &[FindingText] = &[
    FindingText {
        id: FindingId::AuthNoneAccepted,
        severity: Severity::High,
        title: "The server let us in without any credential",
        meaning: "SSH_MSG_USERAUTH_SUCCESS came in answer to the method `none`: whoever knows the user name is in. \
                  Nothing was done in the session; it was left at once.",
        causes: &[
            "an account with an empty password (PermitEmptyPasswords yes, dropbear -B)",
            "an appliance that asks for the password in its own shell",
            "a honeypot",
        ],
        tell_apart: &[
            "other users get in without a credential too: a device or a honeypot; only this one: an empty password",
            "the signs of `likely-honeypot` beside it: a honeypot",
        ],
        remedy: &["set a password or lock the account: passwd -l USER", "sshd_config: PermitEmptyPasswords no"],
    },
    FindingText {
        id: FindingId::Incomplete,
        severity: Severity::Info,
        title: "Something else failed after what decided",
        meaning: "A connection yielded what was asked for, or a host key that decides, and then it or another one planned for \
                  the same target failed, so the record holds less than it could; `tried` lists every connection.",
        causes: &["the server limits connections per source", "the network was lost for a moment"],
        tell_apart: &[
            "alone and later every connection succeeds: a limit per source or a wave; one still fails: its own code says why",
        ],
        remedy: &["probe the target again, alone and later"],
    },
    FindingText {
        id: FindingId::IdentAfterClient,
        severity: Severity::Info,
        title: "The server identified itself only after we had",
        meaning: "OpenSSH and most others send their identification at once. This one stayed silent until ours came, \
                  as RFC 4253 section 4.2 allows; clients that wait for the server first take seconds to connect.",
        causes: &[
            "a port multiplexer that waits to see which protocol the client speaks (sslh, HAProxy content switching)",
            "an embedded SSH stack",
        ],
        tell_apart: &[
            "another protocol on the same port is answered as well (curl, openssl s_client): a multiplexer; none is: the server's own habit",
        ],
        remedy: &["if no multiplexer is meant to stand there, find out what listens: ss -ltnp on the host"],
    },
    FindingText {
        id: FindingId::PreIdentLines,
        severity: Severity::Info,
        title: "Lines came before the identification",
        meaning: "RFC 4253 section 4.2 allows them, but not every client copes: dropbear's stops after 50 lines, \
                  paramiko after 100.",
        causes: &[
            "a warning or a banner put there on purpose (lshd --banner-file, TCP wrappers' banners)",
            "an error message of a program that starts sshd with its output on the connection",
        ],
        tell_apart: &[
            "the text reads like a notice: put there on purpose; like an error with a path: the start script",
        ],
        remedy: &["use sshd's Banner option instead: it is sent during authentication and every client expects it"],
    },
    FindingText {
        id: FindingId::Ssh1Compat,
        severity: Severity::Medium,
        title: "The server still speaks SSH 1 too",
        meaning: "The identification says 1.99 (RFC 4253 section 5.1): protocol 1, broken since 2001, is offered beside \
                  protocol 2.",
        causes: &["an old device, or one configured for old clients"],
        tell_apart: &["the software in the identification names the device or release"],
        remedy: &["switch protocol 1 off, on Cisco IOS: ip ssh version 2"],
    },
    FindingText {
        id: FindingId::IdentTooLong,
        severity: Severity::Low,
        title: "The identification is longer than RFC 4253 allows",
        meaning: "More than 255 bytes with CR LF. OpenSSH takes up to 8192, but dropbear and tinyssh hang up on it.",
        causes: &["a text in VersionAddendum"],
        tell_apart: &["sshd -T | grep -i versionaddendum shows the text, or it is the implementation's own"],
        remedy: &["shorten VersionAddendum; for legal texts there is Banner"],
    },
    FindingText {
        id: FindingId::SlowIdent,
        severity: Severity::Low,
        title: "The identification came late",
        meaning: "sshd sends its identification as soon as it has accepted a connection and looks nothing up before. More \
                  than a second over the round trip is somebody's waiting: every login pays it.",
        causes: &[
            "multiples of 5 s: TCP wrappers look up the client's name and the resolver is dead",
            "only the first connection: systemd starts sshd through its socket, or the machine was asleep",
            "changing from one connection to the next: the machine is overloaded, or short of memory",
            "2 to 5 s, gone when the client speaks first: a port multiplexer",
        ],
        tell_apart: &[
            "a constant delay of whole seconds is a timeout; only the first connection: a start on demand; a changing delay: load; none when the client speaks first: a multiplexer",
        ],
        remedy: &[
            "probe again and compare: a constant delay is a timeout, a changing one is load",
            "on the host: look for names in /etc/hosts.allow and /etc/hosts.deny, and time getent hosts CLIENT-ADDRESS",
        ],
    },
    FindingText {
        id: FindingId::LikelyHoneypot,
        severity: Severity::Medium,
        title: "Probably not the server it says it is",
        meaning: "The identification is OpenSSH's, but two or more signs that OpenSSH cannot give came with it. Honeypots such \
                  as Cowrie copy the line of a real server and speak through another library. No sign counts alone, and the \
                  line itself does not count at all: real servers send the same.",
        causes: &[
            "a honeypot",
            "a firewall that opens SSH connections and speaks in the server's place",
            "an appliance that hides behind OpenSSH's name",
        ],
        tell_apart: &[
            "many unrelated addresses show the same host key: a device in between; the signs stay the same from inside the network: the host itself",
        ],
        remedy: &[
            "ask whoever runs the address before touching it again: a honeypot may have put this machine on a list",
            "compare the host key with what is known of the host; one key on many hosts points to a firewall",
        ],
    },
    FindingText {
        id: FindingId::TerrapinVulnerableOffer,
        severity: Severity::Medium,
        title: "Open to Terrapin (CVE-2023-48795) by what it offers",
        meaning: "The server does not offer strict key exchange, and in one direction it offers chacha20-poly1305@openssh.com or \
                  a CBC cipher together with an -etm MAC. Somebody who can change packets on the way can then cut off the \
                  first messages of a session unnoticed, such as the list of signature algorithms. Judged by the offer, not \
                  by the version: distributions carried strict key exchange back.",
        causes: &[
            "a server from before December 2023 without its distribution's fix",
            "an implementation that has no strict key exchange yet",
        ],
        tell_apart: &[
            "the package's change log names CVE-2023-48795: fixed, and the server only needs a restart; it does not: update",
        ],
        remedy: &[
            "update: OpenSSH 9.6 or the distribution's fixed package (Debian 12: deb12u2), dropbear 2024.84",
            "until then switch off what is open to it, in sshd_config: \
             Ciphers -chacha20-poly1305@openssh.com,*-cbc or MACs -*-etm@openssh.com where CBC has to stay",
        ],
    },
    FindingText {
        id: FindingId::NoPqKex,
        severity: Severity::Info,
        title: "No post-quantum key exchange on offer",
        meaning: "None of mlkem768x25519-sha256, sntrup761x25519-sha512 (both names), mlkem768nistp256-sha256 and \
                  mlkem1024nistp384-sha384 is offered. What is recorded today can be opened once there is a quantum computer. \
                  OpenSSH's client warns of it since 10.1.",
        causes: &[
            "OpenSSH before 8.9, dropbear before 2025.87, network gear",
            "KexAlgorithms set to a list from before there was one",
            "a system policy, for example FIPS",
        ],
        tell_apart: &[
            "sshd -T | grep -i kexalgorithms equals the version's default: it is the version; it does not: a setting or a policy",
        ],
        remedy: &[
            "update, and take an old KexAlgorithms line out of sshd_config",
            "look what is in force: sshd -T | grep -i kexalgorithms",
        ],
    },
    FindingText {
        id: FindingId::WeakKex,
        severity: Severity::Medium,
        title: "Weak key exchanges on offer",
        meaning: "At least one method rests on SHA-1 or on a group of 1024 bits. A current client does not choose it, but one \
                  that knows nothing better does, and traffic recorded with a 1024-bit group can be opened.",
        causes: &[
            "an old server or network device",
            "methods added by hand for old clients",
            "dropbear before 2025.89, by default",
        ],
        tell_apart: &[
            "the weak names stand in sshd_config: added by hand; they do not: the version's default or a system policy",
        ],
        remedy: &[
            "sshd_config: take the names out of KexAlgorithms, or remove that line altogether; sshd -t, then reload",
            "Cisco IOS XE: ip ssh server algorithm kex, with the methods that shall stay",
        ],
    },
    FindingText {
        id: FindingId::WeakCipher,
        severity: Severity::Medium,
        title: "Weak ciphers on offer",
        meaning: "At least one cipher is in CBC mode, has 64-bit blocks, is RC4, or is none at all. A current client does not \
                  choose it, but one that knows nothing better does.",
        causes: &[
            "an old server or network device",
            "ciphers added by hand for old clients",
            "Red Hat's system policy LEGACY",
        ],
        tell_apart: &[
            "the weak names stand in sshd_config: added by hand; they do not: the version's default or a system policy",
        ],
        remedy: &[
            "sshd_config: take the names out of Ciphers, or remove that line altogether; sshd -t, then reload",
            "Red Hat family: update-crypto-policies --show",
        ],
    },
    FindingText {
        id: FindingId::WeakMac,
        severity: Severity::Low,
        title: "Weak MACs on offer",
        meaning: "At least one MAC rests on MD5 or RIPEMD-160, is cut to 96 bits over SHA-1, or is none at all. hmac-sha1 and \
                  64-bit UMAC are not meant: they are defaults of current software.",
        causes: &[
            "an old server or network device",
            "MACs added by hand for old clients",
            "lshd and Paramiko servers, by default",
        ],
        tell_apart: &[
            "the weak names stand in sshd_config: added by hand; they do not: the version's default or a system policy",
        ],
        remedy: &["sshd_config: take the names out of MACs, or remove that line altogether; sshd -t, then reload"],
    },
    FindingText {
        id: FindingId::Sha1HostkeyOnly,
        severity: Severity::Medium,
        title: "Host keys with SHA-1 signatures only",
        meaning: "The server can prove its identity only by ssh-rsa or ssh-dss, which sign SHA-1 hashes. OpenSSH's client \
                  refuses both since 8.8: `no matching host key type found`.",
        causes: &["a server from before 2016 (OpenSSH 7.2), or network gear", "HostKeyAlgorithms set to ssh-rsa"],
        tell_apart: &[
            "the list of host-key algorithms holds rsa-sha2 names of a current version's default: a setting removed them; the version is old: update",
        ],
        remedy: &[
            "update the server; an RSA key needs no replacement, the same key serves rsa-sha2-256 and rsa-sha2-512",
            "add an Ed25519 key: ssh-keygen -A, then restart sshd",
            "until then, for this host alone: ssh -o HostKeyAlgorithms=+ssh-rsa -p PORT HOST",
        ],
    },
    FindingText {
        id: FindingId::RsaKeyTooSmall,
        severity: Severity::High,
        title: "The RSA host key is too small",
        meaning: "Under 2048 bits. Keys of 1024 bits are within reach of those who can spend much, smaller ones of anybody. \
                  OpenSSH refuses under 1024 (RequiredRSASize), under Red Hat's policies under 2048.",
        causes: &["a key as old as the machine, or copied from an image", "firmware with a small built-in key"],
        tell_apart: &["other hosts show the same key: an image or firmware; only this one: an old key of its own"],
        remedy: &[
            "make a new key: ssh-keygen -t ed25519 -f /etc/ssh/ssh_host_ed25519_key -N '', name it in sshd_config (HostKey), restart",
            "tell those who know the old key: the new one has to reach their known_hosts",
            "network gear: crypto key generate rsa modulus 3072",
        ],
    },
    FindingText {
        id: FindingId::GexGroupWeak,
        severity: Severity::High,
        title: "The server picked a small Diffie-Hellman group",
        meaning: "Asked for a group by diffie-hellman-group-exchange, the server answered with one under 2048 bits, which \
                  the method's name does not show. Groups of 1024 bits are within reach of precomputation (Logjam).",
        causes: &["small groups in the server's moduli file", "an implementation with built-in small groups"],
        tell_apart: &[
            "another probe gets a group of another size: a moduli file with small groups in it; always the same: a built-in group",
        ],
        remedy: &[
            "keep groups of 3072 bits and more only: awk '$5 >= 3071' /etc/ssh/moduli > moduli.new, then put it in place",
            "or take diffie-hellman-group-exchange-* out of KexAlgorithms",
        ],
    },
    FindingText {
        id: FindingId::PasswordAuthOffered,
        severity: Severity::Info,
        title: "Passwords are accepted, as far as the list goes",
        meaning: "The methods listed for the user named hold `password`, so passwords can be guessed at. The list is what could \
                  go on, not what would succeed: OpenSSH lists it for root although PermitRootLogin prohibit-password \
                  refuses every one.",
        causes: &["the default of OpenSSH, dropbear and most appliances"],
        tell_apart: &[
            "a Windows host on Google Cloud that lists `password` has OpenSSH without Google's package; the rest is the server's default or its setting",
        ],
        remedy: &[
            "sshd_config: PasswordAuthentication no, and KbdInteractiveAuthentication no where it is not needed; reload",
            "look what is in force for a user: sshd -T -C user=USER | grep -i authentication",
        ],
    },
    FindingText {
        id: FindingId::EmptyNameInList,
        severity: Severity::Info,
        title: "An empty name in an algorithm list",
        meaning: "RFC 4251 section 5 forbids names of length zero. Most clients skip them, a strict one hangs up.",
        causes: &[
            "libssh 0.10 ends its cipher list with a comma",
            "Windows builds of OpenSSH, in their MAC list",
            "a list edited by hand",
        ],
        tell_apart: &["the software in the identification names libssh or Windows, or it is a list edited by hand"],
        remedy: &["nothing, unless a client fails; else update the server or set the list by hand"],
    },
    FindingText {
        id: FindingId::HostKeyUnknown,
        severity: Severity::Info,
        title: "No known_hosts line speaks of the host",
        meaning: "The key is proven, but nothing says whether it is the right one: ssh would ask whether to go on. Other names \
                  under which the very key is known are in `known_as`. With --strict-host-keys it is a failure of that name.",
        causes: &[
            "a first contact",
            "the host is known under another name, address or port",
            "the known_hosts files of another user or machine were meant",
        ],
        tell_apart: &[
            "`known_as` in the record names the host: known under another name; it is absent: a first contact, or the wrong files",
        ],
        remedy: &[
            "look at what ssh would find: ssh-keygen -F KNOWN_HOSTS_NAME",
            "compare with the fingerprint on the host's console (ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub), then add it: sshprobe keys HOST:PORT >> ~/.ssh/known_hosts",
            "name the files to ask: --known-hosts FILE, or the name to look up: --host-key-alias NAME",
        ],
    },
    FindingText {
        id: FindingId::HostKeyTypeUnknown,
        severity: Severity::Info,
        title: "A further key of the host is not known yet",
        meaning: "Another key of the host is the one known; this one is of a type that no line has for it. Proven by the same \
                  server, it may be added.",
        causes: &["a key type was added after the keys were collected"],
        tell_apart: &[
            "the console has it too (ssh-keygen -lf on the .pub files in /etc/ssh): added; it has not: ask who changed the host",
        ],
        remedy: &["add what is proven: sshprobe keys HOST:PORT >> ~/.ssh/known_hosts"],
    },
    FindingText {
        id: FindingId::JumpHostKeyUnknown,
        severity: Severity::Low,
        title: "No known_hosts line speaks of the jump host",
        meaning: "The way to the target led through a host whose key is proven, and nothing says whether it is the right one: ssh \
                  would ask whether to go on. The target's own key is judged by itself; whoever stands in the jump host's place \
                  sees where the way was to lead, and leads it elsewhere if that key is not known either.",
        causes: &[
            "a first contact",
            "the jump host is known under another name, address or port",
            "the known_hosts files of another user or machine were meant",
        ],
        tell_apart: &[
            "the fingerprint in the record's `tunnel.jump_hosts` is the one on the host's console (ssh-keygen -lf on the .pub files in /etc/ssh): a first contact, or the wrong files; it is not: somebody is in the middle",
        ],
        remedy: &[
            "compare the fingerprint, then add the key: sshprobe keys HOST:PORT >> ~/.ssh/known_hosts, with HOST the jump host",
            "name the files to ask: --known-hosts FILE, for sshprobe keys --jump-known-hosts FILE",
            "do not go through such a host: --strict-host-keys",
        ],
    },
    FindingText {
        id: FindingId::FurtherKeyMismatch,
        severity: Severity::High,
        title: "Another key of the host is not the one known either",
        meaning: "The outcome speaks of the worst of the host's keys. This one, of another type, would be a failure by itself: \
                  changed, revoked, or in a certificate that does not hold.",
        causes: &[
            "the same as for the outcome: the host was made anew, its keys were renewed, or somebody is in the middle",
        ],
        tell_apart: &["all keys changed at once: another host, or one made anew; one alone: that key was renewed"],
        remedy: &["see the code that the finding names: sshprobe explain CODE"],
    },
    FindingText {
        id: FindingId::HostKeyAddressMismatch,
        severity: Severity::Medium,
        title: "The address is known by another key than the name",
        meaning: "With --check-host-ip the lines of the name's address are compared too, as with ssh's CheckHostIP. They have a \
                  key, and it is not the one shown.",
        causes: &[
            "the address belonged to another host before",
            "the name was moved to another address",
            "somebody in the middle who has the name's key, or a stale line",
        ],
        tell_apart: &[
            "the key of the name matches: a stale line of the address; neither does: treat it as a changed key",
        ],
        remedy: &[
            "look at the address's lines: ssh-keygen -F ADDRESS",
            "if the host is right, remove them: ssh-keygen -R ADDRESS",
        ],
    },
    FindingText {
        id: FindingId::HostCertInvalid,
        severity: Severity::Medium,
        title: "The host certificate does not hold, but its key is known",
        meaning: "A line trusts the authority, and the certificate is expired, early, for other names or otherwise not \
                  acceptable. ssh prints an error and goes on with the plain key in it, which some line has. Clients that \
                  know the authority alone refuse the host.",
        causes: &["renewal failed", "the name probed is not among the principals", "a wrong clock, here or there"],
        tell_apart: &[
            "ssh-keygen -L on the certificate shows validity and principals; `cert` in the record holds them too",
        ],
        remedy: &[
            "on the host: ssh-keygen -Lf /etc/ssh/ssh_host_ed25519_key-cert.pub",
            "sign anew: ssh-keygen -s CA -I ID -h -n NAMES -V +52w HOSTKEY.pub",
        ],
    },
    FindingText {
        id: FindingId::SshfpMismatch,
        severity: Severity::Medium,
        title: "The SSHFP records in the DNS are for another key",
        meaning: "The DNS has SSHFP records of this key's algorithm for the name, and one of them is not for this key. ssh with \
                  VerifyHostKeyDNS warns that the key has changed; one stale record is enough.",
        causes: &[
            "the keys were renewed and the records were not",
            "a stale record was left beside the right one",
            "another host answers at the name",
        ],
        tell_apart: &[
            "known_hosts has the key shown: the records are stale; it has not: compare with the console first",
        ],
        remedy: &[
            "print the records the host should have: sshprobe keys --sshfp HOST:PORT",
            "look at those it has: dig +short SSHFP HOST",
        ],
    },
    FindingText {
        id: FindingId::SshfpBogus,
        severity: Severity::Medium,
        title: "The SSHFP records in the DNS fail DNSSEC validation",
        meaning: "The zone is signed, and the signatures over the name's SSHFP records, or over the keys they hang on, are missing, \
                  expired or do not hold. The records are not compared with the host's key: they say nothing for it, and \
                  nothing against it.",
        causes: &[
            "the zone's signatures ran out, because nothing signs it again",
            "the zone's keys were changed and the DS at its parent was not",
            "a forwarder or firewall on the way drops signatures or rewrites answers",
            "somebody on the way forges answers",
            "this machine's clock is wrong",
        ],
        tell_apart: &[
            "`delv @RESOLVER SSHFP HOST` from another network also fails: the zone; only here it fails: the way, or the clock (timedatectl)",
        ],
        remedy: &[
            "find the broken link from the root down: delv +vtrace SSHFP HOST",
            "sign the zone again, or put the DS of its key in the parent: dig +short DS ZONE; dig +short DNSKEY ZONE",
            "ask another resolver: sshprobe --sshfp --resolver ADDR HOST",
        ],
    },
    FindingText {
        id: FindingId::SharedHostKey,
        severity: Severity::Medium,
        title: "Several hosts show the same key",
        meaning: "Each of them can pass for every other, and whoever takes the key from one has it of all. Counted over \
                  addresses, in the order in which records were finished: the first host of a group has no finding, the \
                  summary lists the groups.",
        causes: &[
            "machines cloned from an image that had host keys in it",
            "a pool or cluster that shares its key on purpose",
            "an SSH-inspecting firewall that answers for all of them",
            "several addresses of one machine",
        ],
        tell_apart: &[
            "unrelated hosts everywhere show it: an inspecting firewall; hosts of one image: clones; the same /etc/machine-id: one machine",
        ],
        remedy: &[
            "on each clone: rm /etc/ssh/ssh_host_*; ssh-keygen -A; systemctl restart ssh",
            "take the keys out of the image, so that the first boot makes new ones",
        ],
    },
    FindingText {
        id: FindingId::IapOnly,
        severity: Severity::Info,
        title: "The host is reached through the Identity-Aware Proxy only",
        meaning: "The tunnel leads to it and the direct way does not: as it is meant to be where instances have no external \
                  access. No fault.",
        causes: &["no external address, or no rule that lets this network in", "a firewall between here and there"],
        tell_apart: &["an ICMP message in the direct probe names the filter; silence is a rule's or a route's"],
        remedy: &[
            "none is needed; to have both ways, allow this network: gcloud compute firewall-rules create NAME --allow tcp:22 --source-ranges=RANGE",
        ],
    },
    FindingText {
        id: FindingId::OpenWithoutIap,
        severity: Severity::Low,
        title: "The host is reached without the Identity-Aware Proxy too",
        meaning: "Its port takes connections from this network, so the relay's rights do not decide who comes to sshd. Inside the \
                  VPC or a VPN that may be meant.",
        causes: &["a firewall rule for 0.0.0.0/0 or for this network", "this machine stands inside the network"],
        tell_apart: &["try from outside: sshprobe EXTERNAL_ADDRESS"],
        remedy: &[
            "let the relay's range in alone: gcloud compute firewall-rules update NAME --source-ranges=35.235.240.0/20",
        ],
    },
    FindingText {
        id: FindingId::IapRangeNotAllowed,
        severity: Severity::High,
        title: "A firewall keeps the relay out",
        meaning: "The port takes connections from here, and the relay, which comes from 35.235.240.0/20 (IPv6: \
                  2600:2d00:1:7::/64), gets none: it is the rules that differ, if the address is the instance's own.",
        causes: &[
            "no ingress rule allows the relay's range on this port",
            "a rule of higher priority, or a policy of the organisation, denies it",
            "the rule's target tags or service account are not the instance's",
            "the instance's own firewall knows this network and not the relay's",
        ],
        tell_apart: &[
            "gcloud compute instances network-interfaces get-effective-firewalls INSTANCE --zone=ZONE lists what applies",
        ],
        remedy: &[
            "gcloud compute firewall-rules create allow-ssh-from-iap --direction=INGRESS --allow=tcp:22 --source-ranges=35.235.240.0/20 --network=NETWORK",
        ],
    },
    FindingText {
        id: FindingId::SshdNotListening,
        severity: Severity::High,
        title: "Nothing listens on the port",
        meaning: "The relay could not connect, and the direct way was refused by the host itself: it is up and both ways lead \
                  there. Rules of a VPC drop and never refuse.",
        causes: &[
            "sshd is not running or did not start",
            "sshd listens on another port",
            "the machine is still booting",
        ],
        tell_apart: &["the serial console tells: gcloud compute instances get-serial-port-output INSTANCE --zone=ZONE"],
        remedy: &[
            "on the serial console: systemctl status ssh; systemctl restart ssh",
            "probe the other port: sshprobe -p 2222 HOST",
        ],
    },
    FindingText {
        id: FindingId::GuestSilent,
        severity: Severity::High,
        title: "The host answers neither way",
        meaning: "Neither the relay nor this machine got an answer from the port. Which of the causes it is cannot be seen from the \
                  network.",
        causes: &[
            "the machine hangs, or is not up",
            "its own firewall drops everything",
            "no rule of the VPC allows the port, for either",
            "wrong port or network interface",
        ],
        tell_apart: &[
            "is it running: gcloud compute instances describe INSTANCE --zone=ZONE --format='value(status)'",
            "do the rules allow it: get-effective-firewalls; if they do, the serial console tells of hangs and of the guest's firewall",
        ],
        remedy: &[
            "gcloud compute instances get-serial-port-output INSTANCE --zone=ZONE",
            "gcloud compute instances reset INSTANCE --zone=ZONE, once it is known to hang",
        ],
    },
    FindingText {
        id: FindingId::IapRightsMissing,
        severity: Severity::Medium,
        title: "The host is up, and the relay does not let this account there",
        meaning: "Directly the port takes connections, so nothing is wrong with the host or the network: it is the right to use the \
                  tunnel that is missing.",
        causes: &[
            "no role roles/iap.tunnelResourceAccessor on the instance or project",
            "a condition or access level is not met",
        ],
        tell_apart: &["gcloud projects get-iam-policy PROJECT shows who has the role"],
        remedy: &[
            "gcloud projects add-iam-policy-binding PROJECT --member=user:NAME --role=roles/iap.tunnelResourceAccessor",
        ],
    },
    FindingText {
        id: FindingId::IapUnknownInstance,
        severity: Severity::Medium,
        title: "The host is up, and the relay does not know it",
        meaning: "The name leads to a machine that takes connections, and the relay finds no such instance: the coordinates are \
                  wrong, or the name is another machine's.",
        causes: &[
            "project, zone or interface are another one's",
            "the instance was created within the last minute",
            "the name in the DNS is of another machine",
        ],
        tell_apart: &["gcloud compute instances list --filter='name=INSTANCE' shows where it is"],
        remedy: &["write it out: iap://PROJECT/ZONE/INSTANCE"],
    },
    FindingText {
        id: FindingId::DirectOtherHost,
        severity: Severity::Medium,
        title: "The direct way leads to another machine",
        meaning: "Host keys of the same type differ between the tunnel and the direct way, so what the direct probe found is of \
                  another machine and nothing is concluded from it.",
        causes: &[
            "the name in the DNS is of another machine",
            "a load balancer or NAT that forwards the port elsewhere",
            "somebody intercepts one of the ways",
        ],
        tell_apart: &[
            "gcloud compute instances get-guest-attributes INSTANCE --query-path=hostkeys/ says which key is the instance's",
        ],
        remedy: &["probe the instance's own address: sshprobe ADDRESS", "correct the name in the DNS"],
    },
];
