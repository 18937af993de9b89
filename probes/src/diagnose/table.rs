//! What every code means: the one text that `explain`, the records, the documentation and the help read.

use super::code::{Code, Status};

/// A code explained.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Diagnosis {
    /// The code.
    pub code: Code,
    /// One short sentence.
    pub title: &'static str,
    /// The evidence the code stands for.
    pub meaning: &'static str,
    /// Likely causes, the likeliest first.
    pub causes: &'static [&'static str],
    /// What tells the causes apart: an observation and what it points to.
    pub tell_apart: &'static [&'static str],
    /// What to do, commands where they help. Words in capitals are to be filled in.
    pub remedy: &'static [&'static str],
}

impl Code {
    /// What the code means.
    #[must_use]
    pub fn diagnosis(self) -> Option<&'static Diagnosis> {
        DIAGNOSES.iter().find(|diagnosis| diagnosis.code == self)
    }
}

impl Status {
    /// What its codes have in common, as one sentence.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Status::Ok => "The depth asked for was reached.",
            Status::Timeout => "Silence: no answer to the SYN, or none within a stage.",
            Status::Refused => "A reset, or a filter's ICMP port-unreachable.",
            Status::Unreachable => "A router or filter said so, or the neighbour is not there.",
            Status::Closed => "It answered TCP and hung up; where it said why, the text is in the record.",
            Status::NotSsh => "Another protocol, or something that answers on every port.",
            Status::Tarpit => "Lines at a steady drip that never become an identification.",
            Status::Throttled => "sshd has too many connections, or has had enough of us.",
            Status::ProtocolError => "It broke the protocol, or speaks one that nobody should.",
            Status::KexFailure => "Nothing in common, or the host key's signature does not hold.",
            Status::HostKeyMismatch => "The key is proven and is not the one known.",
            Status::AuthFailure => "It would let nobody in that way.",
            Status::TunnelFailure => "The way to the host broke before SSH began.",
            Status::DnsFailure => "The name gives no address.",
            Status::LocalError => "Trouble of the machine sshprobe runs on; never the target's.",
        }
    }
}

const fn row(
    code: Code,
    title: &'static str,
    meaning: &'static str,
    causes: &'static [&'static str],
    tell_apart: &'static [&'static str],
    remedy: &'static [&'static str],
) -> Diagnosis {
    Diagnosis { code, title, meaning, causes, tell_apart, remedy }
}

/// Every code, in the order of [`Code::ALL`].
pub static DIAGNOSES: &[Diagnosis] = &[
    // ok
    row(
        Code::Ok,
        "The depth asked for was reached",
        "Everything up to the depth asked for was learned; with --depth auth that is a key exchange with a verified \
         host-key signature and the list of authentication methods.",
        &[],
        &[],
        &[],
    ),
    // timeout
    row(
        Code::TimeoutConnect,
        "Nothing answered the connection attempt",
        "No SYN-ACK, no reset and no ICMP came until the connect deadline, although the kernel repeated the SYN.",
        &[
            "a firewall, a cloud security group or a VPC rule drops the packets (on Google Cloud: no ingress rule for the port)",
            "the host is off, hung or behind a router that does not know it is gone",
            "it did not boot: a kernel panic after an upgrade, emergency or maintenance mode, a damaged file system (a cloud VM says RUNNING all the same)",
            "a Windows VM without an SSH server (on Google Cloud: without google-compute-engine-ssh)",
            "the address is wrong, or the route back is missing (no default route on the host)",
            "the source address is banned by a rule that drops",
            "port knocking or single-packet authorisation guards the port",
        ],
        &[
            "another port of the host answers: the port is filtered; none does: the host, the route or the address is at fault",
            "it answers from another network: a rule or a ban for this source",
            "Google Cloud: it answers through IAP but not directly: no ingress rule for this source, or no external address, which may be as meant; not through IAP either while the VM is RUNNING and the rules allow it: the guest hangs, its serial log says why",
            "neighbours in the subnet answer with ICMP: their router limits ICMP, so silence may be a dead host too",
        ],
        &[
            "see whether another port or a ping of the same host answers: ping HOST; nc -vz HOST 443",
            "on the host: nft list ruleset; iptables -S; ss -ltn",
            "Google Cloud: gcloud compute firewall-rules create allow-ssh --network NET --allow tcp:PORT --source-ranges YOUR_RANGE",
            "Google Cloud, did it boot: gcloud compute instances get-serial-port-output VM --zone ZONE | grep -i -e panic -e 'emergency mode' -e 'for maintenance'",
            "probe from another network; behind IAP or a bastion, probe through it",
        ],
    ),
    row(
        Code::ConnectedNoIdent,
        "The port accepts, but not a byte comes",
        "TCP was established and stayed up until the deadline; the server sent nothing, not even after our identification.",
        &[
            "sshd is hung or stopped, and the kernel accepts in its place",
            "the host is out of memory, of CPU or of file descriptors (accept fails with EMFILE)",
            "a proxy or load balancer whose backend is dead",
            "another protocol in which the client speaks first",
            "a tarpit that advertises a zero window",
        ],
        &[
            "a request of another protocol is answered: no SSH listens there (the remedy's curl and openssl)",
            "other ports of the host are slow or mute too: the host is starved; only this one is: the service hangs",
            "the handshake is much faster than a ping of the host: a proxy or middlebox answers in its place",
            "the send window stays at zero: a tarpit",
        ],
        &[
            "on the host's console: systemctl status ssh; ss -ltnp 'sport = :PORT'; dmesg | tail",
            "Google Cloud: gcloud compute instances get-serial-port-output VM --zone ZONE | grep -i -e 'out of memory' -e 'kill process' -e oom",
            "openssl s_client -connect HOST:PORT; curl -v http://HOST:PORT/",
        ],
    ),
    row(
        Code::IdentTimeout,
        "Some bytes came, but no whole identification",
        "The server began to send text and never finished a line that identifies it as SSH until the deadline.",
        &[
            "a server that drips bytes on purpose, or a tarpit slower than the deadline (endlessh sends a line every ten seconds)",
            "an overloaded host",
            "lost segments on the way",
        ],
        &[
            "lines at steady gaps of seconds: on purpose; a single start of a line, then nothing: loss or overload",
            "a second try gets through: overload or loss",
        ],
        &["retry once; the bytes that came stand in the record"],
    ),
    row(
        Code::KexinitTimeout,
        "The server identified itself and then fell silent",
        "The identification came, the server's KEXINIT did not come until the deadline.",
        &[
            "a path MTU black hole: the identification is small, KEXINIT is the first big segment",
            "an overloaded host",
            "an inspecting firewall that swallows what follows",
        ],
        &[
            "small segments get through: a black hole; the probe tries that by itself and says `pmtu-black-hole` then",
            "ping -M do -s 1472 gets no answer although a small ping does: a black hole",
            "identification and handshake are slow as well: overload",
        ],
        &[
            "ping -M do -s 1472 HOST shows whether big packets pass",
            "ssh -p PORT -v HOST hanging at `SSH2_MSG_KEXINIT sent` is the same symptom",
            "clamp the MSS on the tunnel or router: iptables -t mangle -A FORWARD -p tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu",
        ],
    ),
    row(
        Code::KexTimeout,
        "The key exchange did not complete in time",
        "Both KEXINITs were exchanged; the server's reply with its host key and signature did not come until the deadline.",
        &[
            "a path MTU black hole that swallows the bigger replies of post-quantum methods",
            "a starved or slow CPU with a big Diffie-Hellman group or RSA key",
        ],
        &[
            "curve25519-sha256 gets through and a post-quantum method does not: a black hole on the path",
            "every method is slow, and so is the shell: a starved CPU",
        ],
        &[
            "ssh -p PORT -o KexAlgorithms=curve25519-sha256 HOST",
            "ping -M do -s 1472 HOST shows whether big packets pass",
        ],
    ),
    row(
        Code::AuthTimeout,
        "The server did not answer the first authentication request",
        "After a complete key exchange the answer to the service request or to `none` did not come until the deadline.",
        &[
            "sshd resolves the client's address with a dead resolver (UseDNS yes)",
            "the user database is slow: LDAP, SSSD, Active Directory, OS Login",
            "a PAM module or GSSAPI waits for something",
            "a password that has expired, where the server asks for a new one by PASSWD_CHANGEREQ; log in by hand and change it",
        ],
        &[
            "the answer comes after multiples of 5 s with a longer --timeout: a resolver",
            "other hosts of the same realm hang too: the directory; only this one: its PAM or name service",
            "root answers at once and other users do not: the directory, as root is in the local file",
        ],
        &[
            "on the host: time getent passwd USER; journalctl -u ssh -u sssd",
            "sshd_config: UseDNS no, GSSAPIAuthentication no",
            "compare with another host of the same realm",
        ],
    ),
    row(
        Code::PmtuBlackHole,
        "Big packets are lost on the way",
        "The connection stalled at the first big segments; the same with a small maximum segment size went through.",
        &[
            "a tunnel or VPN with a smaller MTU, and ICMP `fragmentation needed` or `packet too big` is filtered",
            "jumbo frames on one side only",
        ],
        &[
            "ping -M do with falling sizes finds the MTU; mtr -s with that size finds the hop",
            "all hosts behind one tunnel have it: the tunnel; a single one: its own interface",
        ],
        &[
            "let ICMP 3/4 and ICMPv6 2 through",
            "iptables -t mangle -A FORWARD -p tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu",
            "ip link set dev TUNNEL mtu 1400",
        ],
    ),
    row(
        Code::LostMidway,
        "The network lost the connection",
        "The connection was established; then retransmissions ran out or the network reported the host unreachable.",
        &[
            "a link or route failed in that moment",
            "a NAT or firewall lost its state and drops",
            "the host crashed or rebooted",
        ],
        &[
            "it repeats at the same stage: a filter or a black hole; it does not: a moment's failure",
            "uptime on the host is shorter than the run: it rebooted",
        ],
        &[
            "probe again; if it repeats at the same stage, look for a filter or a black hole on the path: mtr -T -P PORT HOST",
        ],
    ),
    // refused
    row(
        Code::Refused,
        "Nothing listens on the port",
        "The address answered the SYN with a reset.",
        &[
            "sshd is not running, has not started yet or failed",
            "sshd listens on another port or address",
            "a firewall rejects with tcp-reset, perhaps because the source is banned",
            "systemd's ssh.socket has failed after repeated crashes of the service",
            "a VM that still boots, or a Windows VM without an SSH server",
        ],
        &[
            "another port of the host shows SSH: sshd listens elsewhere",
            "the TTL of the reset differs from that of other answers of the host: a middlebox sent it",
            "it clears within minutes of a start: the host was booting",
            "Google Cloud: IAP says 4003 as well: nothing listens; IAP gets through: a guest firewall or a ban refuses this source",
        ],
        &[
            "on the host: systemctl status ssh ssh.socket; ss -ltnp; sshd -t",
            "a freshly started VM: wait a minute and retry; VPC rules never refuse, so the guest itself answered",
            "if it listens elsewhere, open that port: gcloud compute firewall-rules create allow-other-ssh --network NET --allow tcp:OTHER_PORT",
        ],
    ),
    row(
        Code::RefusedByFilter,
        "A firewall refused the connection",
        "ICMP port-unreachable came in answer to TCP. A closed port answers with a reset, so a filter sent it.",
        &["a REJECT rule of iptables or nftables", "fail2ban or `ufw limit` has banned the source address"],
        &[
            "the sender of the ICMP in the record is the host itself: its own firewall; another address: a device on the way",
            "another source address gets in: a ban or a rule for this source",
            "it clears after ten minutes: a ban of fail2ban's",
        ],
        &[
            "on the sender of the ICMP: nft list ruleset; iptables -S | grep REJECT",
            "fail2ban-client status sshd; fail2ban-client set sshd unbanip SOURCE",
            "a ban usually ends by itself after ten minutes; try another source address",
        ],
    ),
    // unreachable
    row(
        Code::UnreachableHost,
        "The network reports the host unreachable",
        "EHOSTUNREACH: ICMP host-unreachable, or nobody answered ARP or neighbour discovery for the address (after about 3 s).",
        &[
            "the host is off or the address unused",
            "the last router cannot resolve it on its link",
            "a firewall that rejects with host-unreachable",
            "--interface names one without a route there: the kernel then looks for the address on its link",
        ],
        &[
            "reported after about 3 s by a neighbour: nobody has the address; after one round trip: a router or a firewall decided",
            "the sender of the ICMP in the record is this machine: the address is on its own link and nobody answered ARP",
        ],
        &[
            "ip neigh show ADDRESS; ping ADDRESS",
            "with --interface NAME: ip route get ADDRESS oif NAME",
            "see who sent the ICMP in the record: the host itself, a router, or this machine",
        ],
    ),
    row(
        Code::UnreachableNet,
        "A router has no route to the address",
        "ICMP network-unreachable (ICMPv6 no route) came, or ENETUNREACH not before a round trip.",
        &[
            "a missing or withdrawn route",
            "a VPN that is down",
            "a translated answer, if the address is inside a NAT64 prefix",
        ],
        &[
            "the sender of the ICMP in the record names the router that lacks the route",
            "other addresses of the same network answer: a filter's lie rather than a missing route",
        ],
        &["mtr ADDRESS; ip route get ADDRESS", "check the routing table of the router that sent the ICMP"],
    ),
    row(
        Code::AdminProhibited,
        "A filter on the way prohibits the connection",
        "ICMP 3/2, 3/9, 3/10 or 3/13, ICMPv6 1/1, 1/5 or 1/6 (on IPv6 seen as EACCES): a policy said no.",
        &[
            "a router's access list",
            "firewalld's or another firewall's reject with admin-prohibited",
            "a prohibit route",
        ],
        &[
            "the sender of the ICMP in the record is the host itself: its own firewall; another address: a device on the way",
            "from another network it gets in: a rule for this source",
        ],
        &[
            "ask whoever runs the sender of the ICMP (it stands in the record) to allow the port for your source address",
        ],
    ),
    // closed
    row(
        Code::ClosedNoIdent,
        "The connection was accepted and closed without a word",
        "FIN before a single byte.",
        &[
            "a load balancer or proxy whose backend is down",
            "sshd's child cannot start: out of memory, missing sshd-session after a half-done upgrade, library mismatch",
            "the limit on unauthenticated connections: MaxStartups before OpenSSH 8.2, dropbear's five per address",
            "systemd's MaxConnections of a socket unit with Accept=yes",
        ],
        &[
            "three tries with pauses: now and then means a limit, always means something is broken",
            "the close comes one round trip after the handshake, on every port mapped likewise: a balancer without a backend",
            "on the host itself `ssh localhost` works: the device in front; it fails alike: sshd",
        ],
        &[
            "try three times with pauses: now and then means a limit, always means something is broken",
            "on the host: journalctl -u ssh; sshd -t; free -m",
            "look at the load balancer's health check",
        ],
    ),
    row(
        Code::ResetNoIdent,
        "The connection was accepted and reset without a word",
        "RST before a single byte; also when connect() itself reported the reset.",
        &[
            "as closed-no-ident, when the server closed without reading what we had sent",
            "an intrusion-prevention system or a proxy that aborts",
            "a full accept queue with tcp_abort_on_overflow",
        ],
        &[
            "with a silent probe (--depth ident) it becomes `closed-no-ident`: the same causes as there; it stays a reset: a middlebox",
            "now and then: a full queue or a limit; always: a device or a broken server",
        ],
        &[
            "probe again: now and then means a limit, always means a middlebox or a broken server",
            "on the host: journalctl -u ssh; nstat -az TcpExtListenDrops",
        ],
    ),
    row(
        Code::ClosedAfter5s,
        "The server hung up after five seconds of silence",
        "No byte came and the connection ended 5.0 (+-0.3) seconds after it was made: libwrap sleeps that long before it \
         lets go of those it refuses.",
        &["TCP wrappers: /etc/hosts.deny, DenyHosts, fail2ban with the hostsdeny action"],
        &[
            "it repeats with the same five seconds: TCP wrappers for certain",
            "another source address gets in: a ban or a rule for this source",
            "on the host the syslog holds `refused connect from`",
        ],
        &[
            "on the host: grep -n . /etc/hosts.allow /etc/hosts.deny; journalctl | grep 'refused connect'",
            "allow the source: echo 'sshd: SOURCE' >> /etc/hosts.allow",
        ],
    ),
    row(
        Code::ClosedAfterIdent,
        "The server identified itself and hung up",
        "The identification came, then FIN or RST before KEXINIT, without a text.",
        &[
            "an intrusion-prevention system or a server module that dislikes our identification",
            "the server's child crashed or was killed (out of memory)",
            "a proxy in between closed",
        ],
        &[
            "`ssh -v` gets further from the same place: the identification is disliked; it does not: the server or the path",
            "after 120 s or another round number: login grace time, so the server was waiting",
            "from another network it works: a device on this path",
        ],
        &[
            "compare with ssh -p PORT -v HOST",
            "on the host: journalctl -u ssh -p debug; dmesg | grep -i -e oom -e segfault",
        ],
    ),
    row(
        Code::KexClosed,
        "The server hung up during the key exchange",
        "FIN or RST after both KEXINITs and before the server's NEWKEYS, without a text.",
        &[
            "the server crashed in the method chosen",
            "the server lists a host-key algorithm that it has no key for (Dropbear without an RSA key lists RSA)",
            "an intrusion-prevention system dislikes it",
            "out of memory on the host",
        ],
        &[
            "another key exchange method works: the one chosen crashes or is disliked; none works: the host or the path",
            "another host-key algorithm works: there is no key for the one that was agreed on",
            "on the host dmesg names an out-of-memory kill or a segfault, or it does not: then a device on the way",
        ],
        &[
            "try another family: ssh -p PORT -o KexAlgorithms=ecdh-sha2-nistp256 HOST",
            "try another host key: ssh -p PORT -o HostKeyAlgorithms=ssh-ed25519 HOST",
            "on the host: journalctl -u ssh; dmesg | tail",
        ],
    ),
    row(
        Code::AuthClosed,
        "The server hung up before it accepted the authentication service",
        "FIN or RST after NEWKEYS and before SERVICE_ACCEPT, or during a login, without a text.",
        &[
            "the server crashed after the key exchange",
            "a device with its own idea of the order of messages",
            "login grace time ran out",
        ],
        &[
            "a stock client gets further: the order of messages; it does not: the server crashed",
            "the time until the close is 120 s or 300 s: login grace time",
        ],
        &["ssh -p PORT -vvv HOST shows whether a stock client gets further", "on the host: journalctl -u ssh"],
    ),
    row(
        Code::RefusedText,
        "The server refused with a text of its own",
        "Text came instead of an identification, then the connection was closed; the text stands in the record.",
        &[
            "TCP wrappers with banners or twist",
            "a device at its session limit, or with SSH switched off",
            "a shell script or another service on the port",
        ],
        &[
            "the text names a user or host and `denied`: TCP wrappers; sessions or connections: a device's limit; anything else: another service",
            "another source address gets an identification: a rule for this source",
        ],
        &["read the text", "on the host: grep -n . /etc/hosts.allow /etc/hosts.deny"],
    ),
    row(
        Code::SshdBroken,
        "sshd itself is broken and says so",
        "Instead of an identification came an error message of sshd's: a path, a bad option, missing host keys, a library mismatch.",
        &["a bad sshd_config", "missing or unreadable host keys", "a half-done upgrade"],
        &[
            "the text says which: a path or an option is the configuration, `host key` the keys, `version mismatch` an upgrade",
        ],
        &["on the host's console: sshd -t; ssh-keygen -A; systemctl restart ssh"],
    ),
    row(
        Code::Disconnected,
        "The server said goodbye",
        "SSH_MSG_DISCONNECT with a reason (the parameter) and a text that no more specific outcome covers.",
        &[
            "a session limit of a device (reasons 11 and 12)",
            "a policy: the text says which",
            "reason 3 is a failed negotiation",
        ],
        &[
            "reason 11 or 12 and a word of sessions: retry later, it passes; any other: a policy that stays",
            "another user or source gets further: a rule for this one",
        ],
        &["read the text; on the host: journalctl -u ssh"],
    ),
    row(
        Code::ResetMidway,
        "The connection was reset in the middle",
        "RST at a stage that has no more specific outcome.",
        &["a NAT or proxy lost its state", "the server's process was killed", "an intrusion-prevention system"],
        &[
            "it comes at the same time after the start each time: a timer; at the same message each time: a device or a crash; at random: the path",
        ],
        &["probe again and compare the times: 120 s or 300 s point to a login grace time, 60 s to a proxy"],
    ),
    row(
        Code::EofMidway,
        "The connection was closed in the middle",
        "FIN at a stage that has no more specific outcome.",
        &["a proxy in between closed", "the server's process ended or was killed", "login grace time ran out"],
        &[
            "it comes at the same time after the start each time: a timer; at the same message each time: a crash; at random: the path",
        ],
        &["probe again and compare the times: 120 s or 300 s point to a login grace time, 60 s to a proxy"],
    ),
    // not-ssh
    row(
        Code::NotSsh,
        "Something else than SSH answers",
        "The first bytes belong to another protocol (the parameter names it), or to none that is known. `tls` is a guess \
         where the server waited for us and then closed without a word.",
        &[
            "a wrong port or a wrong port mapping",
            "a proxy's error page: its backend is down",
            "stunnel or another TLS front",
        ],
        &[
            "the parameter names the protocol; where it is a guess, the remedy's requests make sure",
            "an HTTP error page that names a gateway: a proxy whose backend is down",
        ],
        &["ss -ltnp on the host says who listens", "curl -v http://HOST:PORT/; openssl s_client -connect HOST:PORT"],
    ),
    row(
        Code::AcceptAllMiddlebox,
        "Something on the way accepts every port",
        "A connection to an improbable port of the same address was accepted too, so `open` says nothing about the host.",
        &["a SYN proxy or a scrubbing service", "a captive portal", "a deception network"],
        &[
            "from inside the network the improbable port is closed: the device stands between",
            "every address of the network answers alike, unused ones too: a deception network or a captive portal",
        ],
        &["probe from another network", "ask the owner of the network for an exception"],
    ),
    // tarpit
    row(
        Code::Tarpit,
        "A tarpit holds its visitors",
        "Lines of random text come at steady intervals and never an identification.",
        &["endlessh or a kin of it guards the port; the real sshd listens elsewhere"],
        &["lines that come every ten seconds are endlessh's default; whatever it is, no waiting gets past it"],
        &["ask the operator for the real port"],
    ),
    // throttled
    row(
        Code::ThrottledMaxstartups,
        "sshd is at its limit of unauthenticated connections",
        "`Exceeded MaxStartups` (OpenSSH 8.2 to 9.7): MaxStartups or PerSourceMaxStartups. It counts everybody's connections, \
         so it is a property of the moment.",
        &["a brute-force wave fills the limit", "too many probes or scripts connect at once", "slow logins pile up"],
        &[
            "single tries with pauses of some seconds sometimes get in: a wave of others; never: this source alone is over PerSourceMaxStartups",
            "the server's log counts the connections: `drop connection #N`",
        ],
        &[
            "retry after some seconds, one connection at a time",
            "on the host: journalctl -u ssh | grep 'drop connection'; sshd_config: MaxStartups 100:30:200",
            "keep brute force away with a firewall or fail2ban",
        ],
    ),
    row(
        Code::ThrottledOrPenalised,
        "sshd does not want us at this time",
        "`Not allowed at this time` (OpenSSH 9.8 and later): PerSourcePenalties on our address, MaxStartups or \
         PerSourceMaxStartups; the text does not say which.",
        &[
            "earlier probes or failed logins from this address or its NAT collected penalties",
            "a brute-force wave fills MaxStartups",
        ],
        &[
            "another source address gets in at once: penalties on this one; it is refused too: MaxStartups",
            "it clears after 15 to 20 s of silence: penalties",
            "the server's log says `penalty: REASON` or `Maxstartups`",
        ],
        &[
            "wait 20 s or more and try once; do not loop, every unauthenticated connection adds to it",
            "on the host: journalctl -u ssh | grep -e penalty -e Maxstartups",
            "sshd_config: PerSourcePenaltyExemptList PROBE_ADDRESS",
        ],
    ),
    // protocol-error
    row(
        Code::IdentMalformed,
        "The identification is malformed",
        "A line begins with `SSH-` and ends within, is longer than 8 KiB, holds a NUL or has no version.",
        &["a dying server", "a home-made SSH stack", "bait"],
        &[
            "a second try brings a whole line: a server that died at that moment; the same bytes again: the software or bait",
        ],
        &["retry once; printf '' | nc -w 5 HOST PORT | xxd"],
    ),
    row(
        Code::Ssh1Only,
        "The server speaks SSH 1 only",
        "The identification gives a protocol version below 2 that is not 1.99.",
        &["an ancient device or one configured for compatibility"],
        &["the software in the identification names the device; its manual says whether it knows protocol 2"],
        &["upgrade it, or switch protocol 2 on (Cisco IOS: crypto key generate rsa modulus 2048; ip ssh version 2)"],
    ),
    row(
        Code::VersionRejected,
        "The server rejected our identification",
        "`Protocol mismatch.`, `Protocol major versions differ.`, `Invalid SSH identification string.` or DISCONNECT 8.",
        &[
            "a load balancer sends a PROXY header to an sshd that does not expect one: then every client fails",
            "a middlebox rewrites the stream",
            "a server that knows only certain clients",
        ],
        &[
            "stock clients fail too: a PROXY header or a middlebox; only this probe does: the server keys on the identification",
            "on the host itself `ssh localhost` works: whatever stands in front of it",
        ],
        &["does ssh -p PORT -v HOST get in?", "switch the PROXY protocol off at the load balancer"],
    ),
    row(
        Code::ProtocolError,
        "The server broke the protocol, or says that we did",
        "A malformed packet, a length over the limit, an unexpected message, or DISCONNECT 2 with a text that fits nothing else.",
        &[
            "a faulty SSH stack",
            "Go's x/crypto/ssh with a CBC cipher and an -etm MAC, which it agrees on and does not carry out",
            "a middlebox that alters or injects bytes",
            "a fault of this program",
        ],
        &[
            "a stock client fails at the same message: the server or a middlebox; it does not: report it as a fault of this program",
            "from another network it works: a middlebox on this path",
        ],
        &["ssh -p PORT -vvv HOST for comparison", "retry from another network to rule a middlebox out"],
    ),
    row(
        Code::MacError,
        "An encrypted packet did not authenticate",
        "The key exchange succeeded, but a packet under the new keys failed its integrity check.",
        &[
            "a server that lists strict key exchange and does not reset its counters",
            "a middlebox or a faulty NIC that corrupts data",
        ],
        &[
            "it fails with every cipher: corruption on the way; with one: that cipher's implementation; only with strict key exchange: the counters",
        ],
        &[
            "ssh -p PORT -o Ciphers=aes128-ctr -o MACs=hmac-sha2-256 HOST for comparison",
            "ethtool -K DEV tx off rx off to rule checksum offload out",
        ],
    ),
    // kex-failure
    row(
        Code::NoCommonKex,
        "No key exchange method in common",
        "Computed from both KEXINITs; the record holds what the server offers.",
        &["an old server that knows only SHA-1 or 1024-bit groups", "a hardened server with a very short list"],
        &[
            "the list in the record holds only group1, group14-sha1 or gex-sha1: an old server; only one or two modern names: a hardened one",
        ],
        &[
            "upgrade the server, or connect once with ssh -p PORT -o KexAlgorithms=+METHOD HOST",
            "sshd -T | grep -i kexalgorithms",
        ],
    ),
    row(
        Code::NoCommonHostkey,
        "No host-key algorithm in common",
        "Computed from both KEXINITs; the record holds what the server offers.",
        &[
            "a server with ssh-dss or ssh-rsa (SHA-1) keys only",
            "a server that offers certificates or hardware-backed keys only",
        ],
        &[
            "the list in the record holds ssh-dss or ssh-rsa alone: an old server; only names with `cert` or `sk-`: a deliberate choice",
        ],
        &[
            "on the host: ssh-keygen -t ed25519 -f /etc/ssh/ssh_host_ed25519_key -N ''",
            "connect once with ssh -p PORT -o HostKeyAlgorithms=+ssh-rsa HOST",
        ],
    ),
    row(
        Code::NoCommonCipher,
        "No cipher in common",
        "Computed from both KEXINITs; the record holds what the server offers.",
        &["an old server with CBC modes or arcfour only", "a hardened server with a very short list"],
        &["the list in the record holds -cbc or arcfour alone: an old server; one or two modern names: a hardened one"],
        &["upgrade the server, or connect once with ssh -p PORT -c CIPHER HOST", "sshd -T | grep -i ciphers"],
    ),
    row(
        Code::NoCommonMac,
        "No MAC in common",
        "Computed from both KEXINITs; the record holds what the server offers.",
        &["an old server with MD5 or truncated MACs only", "a hardened server with a very short list"],
        &["the list in the record holds md5 or -96 alone: an old server; one or two modern names: a hardened one"],
        &["upgrade the server, or connect once with ssh -p PORT -m MAC HOST", "sshd -T | grep -i macs"],
    ),
    row(
        Code::NoCommonCompression,
        "No compression method in common",
        "Computed from both KEXINITs: the server insists on compressing and offers no `none`.",
        &["a server configured to require compression"],
        &["the list in the record says which methods the server insists on"],
        &["allow `none` in the server's list", "connect with ssh -p PORT -C HOST"],
    ),
    row(
        Code::BadHostSignature,
        "The host key's signature is wrong",
        "The server presented a host key and did not prove that it holds the private half: the signature over the key \
         exchange does not verify, or is of another algorithm than agreed.",
        &[
            "somebody in the middle replays a key that is not theirs, or shows one that no signature can be verified with (`unverifiable`)",
            "a faulty server (OpenSSH 6.5 and 6.6 in rare cases) or failing memory",
            "a server that mixes up simultaneous connections (AsyncSSH 2.10 signs with what another client agreed on)",
            "an inspecting proxy",
        ],
        &[
            "it fails with every method and from every network: the server; from one network only: somebody or something on that path",
            "it fails now and then: failing memory, or the rare case of OpenSSH 6.5 and 6.6",
            "it fails only while other clients connect, too: the server mixes up simultaneous connections",
            "many hosts fail at once: an inspecting proxy",
        ],
        &[
            "do not log in",
            "repeat with another method: ssh -p PORT -o KexAlgorithms=curve25519-sha256 HOST",
            "compare the key on the host's console: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub",
        ],
    ),
    // host-key-mismatch
    row(
        Code::HostKeyChanged,
        "The host key is not the one we know",
        "The server proved a key of a type that known_hosts has for this name, but with another value.",
        &[
            "the host was reinstalled or recreated under the same name or address",
            "the address now belongs to another host",
            "a pool behind one name whose members have different keys",
            "an SSH-inspecting firewall (then all hosts mismatch at once and show one key)",
            "somebody in the middle",
        ],
        &[
            "three probes show different keys in turn: a pool; always the same new one: the host was changed or replaced",
            "many unrelated hosts show one key: an inspecting firewall",
            "the key is that of the console or of the guest attributes: recreated, and the entry is stale; it is not: do not connect",
            "another network sees the known key: somebody on this path",
        ],
        &[
            "compare with the fingerprint on the host's console: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub",
            "Google Cloud: gcloud compute instances get-guest-attributes VM --query-path=hostkeys/",
            "if the new key is right: ssh-keygen -f KNOWN_HOSTS_FILE -R KNOWN_HOSTS_NAME, then add it; if not, do not connect",
            "ssh-keygen -R removes every line that matches, wildcard lines for other hosts included (known_hosts.old keeps the old file); look first: ssh-keygen -f KNOWN_HOSTS_FILE -F KNOWN_HOSTS_NAME",
        ],
    ),
    row(
        Code::HostKeyRevoked,
        "The host key is revoked",
        "The key stands in a @revoked line, a revocation list or a list of known-bad keys.",
        &["a key that was compromised or retired is still in use", "an image with keys baked in"],
        &["other hosts show the same key: an image with keys baked in; only this one: a renewal that was forgotten"],
        &[
            "do not log in; on the host, renew its keys: rm /etc/ssh/ssh_host_*; ssh-keygen -A; systemctl restart ssh",
            "tell whoever revoked it",
        ],
    ),
    row(
        Code::HostCertInvalid,
        "The host certificate does not hold",
        "The server presented a certificate that is expired, not yet valid, for another name, of the wrong type, or of a CA \
         that is unknown or revoked; the parameter says which.",
        &["renewal failed", "the name probed is not among the principals", "a wrong clock", "the CA was rotated"],
        &[
            "ssh-keygen -L on the certificate shows validity, principals and CA; the parameter says which of them failed",
            "all hosts of the CA fail at once: the CA or the line in known_hosts; one alone: its renewal or its clock",
        ],
        &[
            "on the host: ssh-keygen -Lf /etc/ssh/ssh_host_ed25519_key-cert.pub",
            "sign anew: ssh-keygen -s CA -I ID -h -n NAMES -V +52w HOSTKEY.pub",
            "check the @cert-authority line in known_hosts",
        ],
    ),
    row(
        Code::HostKeyTypeUnknown,
        "The host is known, but not by this type of key",
        "known_hosts has keys for the name, none of the type the server proved.",
        &["a key type was added after the keys were collected", "another host answers at the name"],
        &[
            "asked for a known type, the server proves the known key: a type was added; it offers none of them: see `host-key-type-gone`",
        ],
        &[
            "ask for the known types first: ssh -p PORT -o HostKeyAlgorithms=KNOWN_TYPE HOST",
            "collect anew what is proven: sshprobe keys HOST:PORT, and compare with the console",
        ],
    ),
    row(
        Code::HostKeyTypeGone,
        "The host no longer offers any type of key we know",
        "known_hosts has keys for the name; the server offers none of their types.",
        &["a key type was removed (ssh-rsa, ssh-dss)", "the host was reinstalled", "another host answers at the name"],
        &[
            "the identification shows newer software than before: a type was retired; nothing else fits the host either: another host",
        ],
        &[
            "compare with the console: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub",
            "if it is right: ssh-keygen -f KNOWN_HOSTS_FILE -R KNOWN_HOSTS_NAME, then add the new key",
            "ssh-keygen -R removes every line that matches, wildcard lines for other hosts included (known_hosts.old keeps the old file); look first: ssh-keygen -f KNOWN_HOSTS_FILE -F KNOWN_HOSTS_NAME",
        ],
    ),
    row(
        Code::HostKeyUnknown,
        "The host key is not known",
        "No entry for the name or address in known_hosts, with --strict-host-keys asking for one.",
        &["a first contact", "the host is known under another name or port"],
        &[
            "other names or addresses in known_hosts have the very key: the host is known under another name; none has: a first contact",
        ],
        &[
            "compare the fingerprint with the host's console, then add it: sshprobe keys HOST:PORT >> ~/.ssh/known_hosts",
            "--host-key-alias NAME if it is known by another name",
        ],
    ),
    // auth-failure
    row(
        Code::ServiceDenied,
        "The server does not offer user authentication",
        "DISCONNECT 7, or DISCONNECT 2 `bad service request`, in answer to the request for ssh-userauth.",
        &["a policy before authentication", "a special-purpose server"],
        &["`ssh -v` from the same source fails alike: the policy; it does not: the server serves certain clients only"],
        &["compare with ssh -p PORT -v HOST; on the host: journalctl -u ssh"],
    ),
    row(
        Code::RefusedAtUserauth,
        "The server hung up at the first authentication request",
        "SERVICE_ACCEPT came, then the connection was closed without a text when a user was named.",
        &[
            "RefuseConnection in a Match block (OpenSSH 9.9 and later); each try costs the source a penalty",
            "a policy for this user or source address",
            "a device that cannot stand the method `none`",
            "the authentication process crashed (PAM)",
        ],
        &[
            "another user of the host gets an answer: a rule for this user; another source does: a rule for this source; nobody does: a device or a crash",
            "--depth kex ends well: the host is fine up to there",
        ],
        &[
            "on the host: journalctl -u ssh | grep -e 'administratively prohibited' -e fatal",
            "probe with the user that will log in: -l NAME",
            "--depth kex if the method list is not needed",
        ],
    ),
    row(
        Code::AuthNoMethods,
        "The server has no authentication method to offer",
        "An empty list in answer to `none`, or `no authentication methods enabled`: nobody can log in like this.",
        &[
            "all methods are switched off, perhaps by a Match block for this user or address",
            "AuthenticationMethods names methods that are off",
        ],
        &["another user gets a list: a Match block for this one; nobody does: the whole server"],
        &["on the host: sshd -T -C user=USER,addr=SOURCE | grep -i authentication"],
    ),
    row(
        Code::AuthNoCommonMethod,
        "The server wants methods for which no credential was given",
        "None of the methods listed is one we were given a credential for.",
        &[
            "passwords are off and only a password was given, or the other way round",
            "the list depends on the user or the source address",
        ],
        &[
            "the list in the record says what the server wants; another user or source with another list points to a Match block",
            "Windows on Google Cloud: `publickey,keyboard-interactive` is Google's SSH package without enable-windows-ssh or without the key; a list with `password` is OpenSSH without that package",
        ],
        &[
            "give what the server lists: -i KEY, --password-file FILE, --answers-file FILE",
            "Windows on Google Cloud: gcloud compute instances add-metadata VM --zone ZONE --metadata enable-windows-ssh=TRUE",
            "on the host: sshd -T -C user=USER | grep -i authentication",
        ],
    ),
    row(
        Code::AuthFailed,
        "The credential was refused",
        "USERAUTH_FAILURE without partial success after a real attempt with the method that the parameter names.",
        &[
            "a wrong password or user",
            "the password has expired; log in by hand and change it",
            "a locked or expired account",
            "Windows on Google Cloud that asks for a password: OpenSSH without Google's package, or an old gcloud that sends a user nobody set up",
            "DenyUsers or AllowUsers (they look the same)",
            "Google Cloud: OS Login without the role",
        ],
        &[
            "the server's log tells `Invalid user`, `Failed password` and `not allowed because` apart; the wire does not",
        ],
        &[
            "on the host: journalctl -u ssh; passwd -S USER; chage -l USER",
            "Windows on Google Cloud: gcloud components update, and gcloud compute instances add-metadata VM --zone ZONE --metadata enable-windows-ssh=TRUE",
            "Google Cloud: grant roles/compute.osLogin or roles/compute.osAdminLogin",
        ],
    ),
    row(
        Code::AuthKeyRefused,
        "The server does not accept the key for this user",
        "The public-key query got a FAILURE instead of PK_OK, so no signature was made.",
        &[
            "the key is not in authorized_keys, or the file or its folders have the wrong owner or mode",
            "a wrong user name; unknown users look the same",
            "Google Cloud: a metadata key on a VM with OS Login, or the other way round; OS Login without the role; an expired key, or one added a moment ago; the guest agent is down; the disk is full",
            "Windows on Google Cloud: enable-windows-ssh is not TRUE",
            "a locked account, DenyUsers or AllowUsers (they look the same)",
            "a certificate that has expired, or is not for this user; a key of a kind that PubkeyAcceptedAlgorithms leaves out (OpenSSH may list it in server-sig-algs all the same)",
        ],
        &[
            "another user's key gets in: this user's files or account; nobody's does: the server, its disk or its key source",
            "Google Cloud: `gcloud compute instances describe` shows enable-oslogin in the metadata: a metadata key is of no use then, and an OS Login key is none without it",
            "a key that was added a moment ago: retry after a minute",
            "the server's log at LogLevel VERBOSE names the file it looked in and bad ownership or modes",
        ],
        &[
            "home 0755 or stricter, ~/.ssh 0700, authorized_keys 0600, all owned by the user; on the host: sshd -T -C user=USER | grep -i authorizedkeys",
            "Google Cloud: gcloud compute os-login ssh-keys add --key-file=KEY.pub, or add the key to the metadata if OS Login is off",
            "Google Cloud: grant roles/compute.osLogin or roles/compute.osAdminLogin (for a service account's VM roles/iam.serviceAccountUser too)",
            "on the host's serial console: systemctl status google-guest-agent; df -h /",
        ],
    ),
    row(
        Code::AuthRefusedAfterKey,
        "The key is known, but the login was refused",
        "PK_OK came, the signed request then failed.",
        &[
            "PermitRootLogin no, AllowUsers, DenyUsers or account rules of PAM",
            "an expired account",
            "tinyssh and servers made with russh say PK_OK to every key",
        ],
        &[
            "another user gets in with the same key: rules or account of this user; the identification says tinyssh: the key is simply not known",
        ],
        &["on the host: journalctl -u ssh; sshd -T -C user=USER | grep -i -e permitroot -e allowusers -e denyusers"],
    ),
    row(
        Code::AuthSigAlg,
        "The server accepts no signature algorithm of the key's",
        "The server's server-sig-algs rules out every algorithm the key can sign with.",
        &[
            "a DSA key, or an RSA key where only others are allowed",
            "an old client that signs with ssh-rsa (SHA-1) only: PuTTY before 0.75 says `No supported authentication methods available`",
        ],
        &["server-sig-algs in the record against the key's type: ssh-keygen -lf KEY.pub"],
        &["make a new key: ssh-keygen -t ed25519", "on the host: sshd -T | grep -i pubkeyacceptedalgorithms"],
    ),
    row(
        Code::AuthPartial,
        "One factor was accepted, more are asked for",
        "FAILURE with partial success: the server wants another method of the list.",
        &["AuthenticationMethods with several factors", "two-factor login, for example OS Login 2FA"],
        &["the list in the record after the first factor names the next one"],
        &[
            "give the next factor too: --answers-file FILE, --password-file FILE",
            "it is no fault if a second factor is meant",
        ],
    ),
    row(
        Code::AuthTooMany,
        "Too many authentication attempts",
        "`Too many authentication failures`, DISCONNECT 14, or a close after several attempts; or all were refused and some had to be left untried, as sshd hangs up after six.",
        &["an agent offers many keys before the right one", "MaxAuthTries is low"],
        &[
            "one key given with IdentitiesOnly gets an answer of its own: it was the agent; it does not: the account has had failures before",
        ],
        &["offer one key: ssh -o IdentitiesOnly=yes -p PORT -i KEY HOST", "sshd_config: MaxAuthTries 6"],
    ),
    // tunnel-failure
    row(
        Code::IapBackendUnreachable,
        "The IAP tunnel could not reach the instance",
        "Close code 4003: the caller is allowed and the instance was found, but IAP could not open TCP to the port.",
        &[
            "no VPC ingress rule for IAP's range 35.235.240.0/20 (over IPv6 2600:2d00:1:7::/64) on the port",
            "nothing listens on the port in the guest, or it still boots or hangs",
            "a guest firewall refuses; a wrong port or network interface",
        ],
        &[
            "a direct probe of the same VM is ok: only the rule for IAP's range is missing",
            "a direct probe is refused: nothing listens in the guest; it times out while the rules allow it: the guest hangs, read the serial log",
            "it clears within minutes of a start: the guest was booting",
        ],
        &[
            "gcloud compute firewall-rules create allow-iap-ssh --network NET --direction INGRESS --allow tcp:PORT --source-ranges 35.235.240.0/20",
            "gcloud compute instances get-serial-port-output VM --zone ZONE",
            "gcloud compute ssh VM --zone ZONE --troubleshoot --tunnel-through-iap",
        ],
    ),
    row(
        Code::IapNotAuthorized,
        "IAP does not authorise the caller",
        "Close code 4033: IAM, an access level or an organisation policy refuses, or the caller may not know that the instance exists.",
        &[
            "the role roles/iap.tunnelResourceAccessor is missing",
            "a condition on the role excludes the port or the instance",
            "a grant that has not propagated yet (about a minute)",
        ],
        &[
            "a colleague's account gets in: the role or its condition; nobody's does: an organisation policy or an access level",
            "gcloud compute instances describe fails too: the caller may not see the instance",
        ],
        &[
            "gcloud projects add-iam-policy-binding PROJECT --member=user:ACCOUNT --role=roles/iap.tunnelResourceAccessor",
            "gcloud auth list shows which account is active",
        ],
    ),
    row(
        Code::IapInstanceLookupFailed,
        "IAP does not find the instance",
        "Close code 4047 (4051 on reconnect): instance or interface not found, stopped, or too new to be known to IAP.",
        &[
            "a typo in project, zone or instance",
            "the instance is stopped or about a minute old",
            "a wrong network interface",
        ],
        &[
            "describe finds it and says RUNNING: too new, or the wrong interface; TERMINATED: stopped; it finds nothing: a typo",
        ],
        &[
            "gcloud compute instances describe VM --zone ZONE --format='value(status)'",
            "just started: retry for up to two minutes",
        ],
    ),
    row(
        Code::IapBackendSilent,
        "The IAP tunnel opened and stays silent",
        "The relay took the connection (HTTP 101) and never announced a session.",
        &["a firewall drops IAP's packets to the instance instead of rejecting them", "a slow relay"],
        &[
            "the same port through IAP on a neighbour answers: rules for this VM; it is silent too: the network's rules, or the relay",
        ],
        &[
            "gcloud compute firewall-rules create allow-iap-ssh --network NET --direction INGRESS --allow tcp:PORT --source-ranges 35.235.240.0/20",
            "retry once",
        ],
    ),
    row(
        Code::IapBackendClosed,
        "The instance hung up on the IAP tunnel",
        "Close code 4009 or 4010 after the session was announced: TCP to the instance was open, then its side closed or reset.",
        &[
            "sshd accepted and dropped: MaxStartups, sshguard, a crash",
            "the instance reboots",
            "seen for moments while access propagates",
        ],
        &[
            "three tries with pauses: now and then means a limit, always means a broken sshd",
            "the serial log names sshguard, an out-of-memory kill or a reboot",
        ],
        &[
            "retry once",
            "gcloud compute instances get-serial-port-output VM --zone ZONE | grep -i -e sshd -e sshguard -e oom",
        ],
    ),
    row(
        Code::IapClosedEarly,
        "The IAP relay closed before the session began",
        "A clean close (1000) or an end of stream before a session was announced.",
        &["a relay or middlebox that went away"],
        &["other instances get through: the instance; none does: the relay, or a proxy on the way"],
        &["retry once; then try without the proxy in between"],
    ),
    row(
        Code::IapRelayError,
        "The IAP relay reports an error of its own",
        "A close code of the relay's that is none of the others (the parameter), for example 4000.",
        &["an outage or a restart of the relay"],
        &["other instances and zones get through: this one; none does: an outage"],
        &["retry; see Google Cloud's service health page"],
    ),
    row(
        Code::IapHttp,
        "The IAP relay refused the WebSocket",
        "An HTTP status other than 101 (the parameter) in answer to the upgrade.",
        &[
            "401: no or an expired token",
            "403: a proxy or an organisation control forbids WebSockets",
            "404: a wrong zone or project",
            "407: a proxy wants authentication",
            "429: quota",
            "5xx: an outage",
        ],
        &["the status says which; an answer that is not Google's (its Server header, its certificate) is a proxy's"],
        &["gcloud auth print-access-token renews the token", "allow wss://tunnel.cloudproxy.app in the proxy"],
    ),
    row(
        Code::IapTls,
        "TLS to the IAP relay failed",
        "The certificate did not verify or the handshake broke off.",
        &["a TLS-inspecting proxy whose CA is not trusted here", "a wrong clock"],
        &["openssl s_client -connect tunnel.cloudproxy.app:443 shows who signed: Google, or a proxy of your own"],
        &["add the proxy's CA to the trust store, or exempt tunnel.cloudproxy.app from inspection", "date"],
    ),
    row(
        Code::IapProtocol,
        "The IAP relay does not speak its protocol",
        "A missing subprotocol, a malformed frame, an acknowledgement out of range, or the access token where the server's bytes should be.",
        &["an intercepting proxy", "a change of the relay's protocol"],
        &["from a network without a proxy it works: the proxy; it does not, and gcloud works: update this program"],
        &["try from a network without a proxy; gcloud compute start-iap-tunnel for comparison"],
    ),
    row(
        Code::ProxyRefused,
        "The proxy refused to connect to the target",
        "The proxy is there and answered the request with a refusal (the parameter has its code). Of a jump host that forwards, and could not connect, it is the code that a probe from there would have (`refused`, `unreachable-host` …), else `connect-failed`.",
        &[
            "of a proxy: its rules forbid the target or the port",
            "of a proxy: the target refused its connection",
            "of a jump host: nothing listens at the target, or a firewall between the two refuses",
            "of a jump host: it cannot resolve the target's name, or has no route there",
        ],
        &[
            "another target gets through: a rule for this one; the target answers from the proxy's own host: the proxy's rules",
            "the target answers from another host of its network: a firewall between the jump host and it",
        ],
        &[
            "of a proxy: allow the target and port in it",
            "of a proxy: probe the target from its own host",
            "on the jump host: getent ahosts HOST; nc -vz HOST PORT",
        ],
    ),
    row(
        Code::ProxyAuth,
        "The proxy wants authentication",
        "HTTP 407, or SOCKS5 without an acceptable authentication method.",
        &["no or wrong credentials for the proxy"],
        &["the same credentials work in another program: their spelling here; they do not: they are wrong or expired"],
        &["give them in SSHPROBE_PROXY_USER and SSHPROBE_PROXY_PASSWORD, or ask for an exception for this machine"],
    ),
    row(
        Code::ProxyUnreachable,
        "The proxy itself cannot be reached",
        "The connection to the proxy or relay failed, or it took the connection and answered nothing (`silent`); the target was not tried.",
        &["the proxy is down or its name or port is wrong", "a firewall between here and the proxy"],
        &["nc to the proxy fails with the same error from here and works from elsewhere: a firewall between"],
        &["nc -vz PROXY PROXY_PORT"],
    ),
    row(
        Code::ProxyCommandFailed,
        "The proxy command failed",
        "The command ended, or passed on nothing, before the server's identification came (the parameter has its exit status, or `silent`); what it wrote to stderr stands in the record.",
        &[
            "the command is not installed or has wrong arguments",
            "it could not reach the target: its stderr says why",
            "`silent`: a firewall drops what it sends, or the target takes connections and says nothing",
        ],
        &[
            "run by hand it fails alike: the command or its path; it works: the quoting, or the environment it was started in",
        ],
        &["run the command by hand with the target's host and port"],
    ),
    row(
        Code::JumpFailed,
        "The jump host could not be used",
        "The connection to the jump host, or the login there, failed with the code that the parameter names; the target was not tried, or was lost with it (`lost-midway`).",
        &["see the jump host's own code"],
        &["the jump host's own code says; look it up in the same way"],
        &[
            "probe the jump host by itself: sshprobe --depth login -i KEY JUMP_HOST",
            "see what ssh makes of it: ssh -J JUMP -p PORT -v HOST",
        ],
    ),
    row(
        Code::JumpForbidden,
        "The jump host does not forward to the target",
        "The jump host let us in and refused the direct-tcpip channel (the parameter has RFC 4254's reason).",
        &[
            "AllowTcpForwarding no, DisableForwarding or PermitOpen on the jump host",
            "`restrict`, no-port-forwarding or permitopen in front of the key in authorized_keys",
            "a server that does no forwarding at all",
        ],
        &["another target gets through: PermitOpen or permitopen; none does: AllowTcpForwarding or the key's options"],
        &["on the jump host: sshd -T -C user=USER | grep -i -e allowtcpforwarding -e permitopen; nc -vz HOST PORT"],
    ),
    // dns-failure
    row(
        Code::DnsNxdomain,
        "The name does not exist",
        "The resolver answered NXDOMAIN.",
        &["a typo", "the zone or record is gone", "an internal name asked of a public resolver"],
        &["another resolver knows the name: an internal or split zone; none does: a typo, or the record is gone"],
        &["dig HOST; resolvectl query HOST", "--resolver ADDR asks another one"],
    ),
    row(
        Code::DnsServfail,
        "The resolver could not answer",
        "SERVFAIL, REFUSED or another error of the resolver's.",
        &["bogus DNSSEC signatures", "the zone's name servers do not answer", "the resolver refuses this client"],
        &["with +cd it answers: DNSSEC; another resolver answers: this one; none does: the zone's own servers"],
        &["dig +cd HOST answers if DNSSEC is at fault", "--resolver ADDR asks another one"],
    ),
    row(
        Code::DnsNoAddress,
        "The name exists but has no address",
        "The answer holds no A or AAAA record of the family asked for.",
        &[
            "the name has addresses of another family only than -4, -6 or --source allows",
            "it is a name for mail or for other names only",
        ],
        &["dig shows the other family: leave -4, -6 or --source away; neither: the name is for something else"],
        &["dig HOST A; dig HOST AAAA", "leave -4, -6 or --source away"],
    ),
    row(
        Code::DnsTimeout,
        "No resolver answered",
        "None of the resolvers asked answered in time.",
        &["a resolver that is down, or a firewall on port 53", "a VPN whose resolver is not reachable"],
        &[
            "dig straight to another resolver works: this resolver; none answers: a firewall on port 53, or no network at all",
        ],
        &["resolvectl status; dig @RESOLVER HOST", "--resolver ADDR asks another one"],
    ),
    // local-error
    row(
        Code::LocalNoRoute,
        "This machine has no route to the address",
        "The kernel refused at once (ENETUNREACH, an unreachable route, an interface that is down), or nothing gets there from where \
         --source or --interface have connections begin; nothing was sent, the target had no part in it.",
        &[
            "no default route",
            "no IPv6 here",
            "an interface or VPN that is down",
            "--source is an address of the other family, or a loopback one",
            "--interface names a loopback interface, which leads to this machine only, or one without a route there",
        ],
        &[
            "`ip route get` fails: routes; it names an interface that is down: the interface; only IPv6 fails: there is none here",
        ],
        &[
            "ip route get ADDRESS; ip -6 route; ip link",
            "with --interface NAME: ip route get ADDRESS oif NAME",
            "of a name, -4 or -6 asks for addresses of the other family; --source has to be of the same one",
        ],
    ),
    row(
        Code::LocalPolicy,
        "This machine forbids the connection",
        "The kernel refused at once (EACCES, EPERM, EINVAL), or its own packet filter rejected or dropped what was sent, or ssh_config has no way to the host that could be taken, or an agent would not sign with a key that the server takes; the target had no part in it.",
        &[
            "a prohibit or blackhole route",
            "systemd's IPAddressDeny, a cgroup or eBPF hook",
            "an OUTPUT rule that rejects, or drops",
            "SELinux, AppArmor or seccomp",
            "a link-local address without its interface",
            "an address given to --source that does not lead there (EINVAL)",
            "a line of ssh_config that the sentence names: then nothing was sent",
            "the agent has the key for other hosts only (ssh-add -h), for no longer (-t), or was told no (-c)",
            "the name leads to what --exclude covers (`excluded`): nothing was sent, and the run does not fail by it",
        ],
        &[
            "the same target works for root or from a plain shell: a sandbox or SELinux; it fails everywhere: routes or the packet filter",
        ],
        &["ip route get ADDRESS; nft list ruleset", "ausearch -m avc -ts recent; systemctl show UNIT -p IPAddressDeny"],
    ),
    row(
        Code::LocalResourceLimit,
        "This machine ran out of a resource",
        "No descriptors (EMFILE, ENFILE), no local ports (EADDRNOTAVAIL), no buffers or memory were left, and waiting did not help.",
        &[
            "too many connections at once for this machine",
            "a low limit on open files",
            "local ports tied up in TIME_WAIT",
            "a full connection-tracking table",
            "more hosts on one link than the table of neighbours holds (gc_thresh3)",
        ],
        &[
            "the error's name stands in the record: EMFILE is ulimit, ENFILE the whole system, EADDRNOTAVAIL the local ports, ENOBUFS memory",
        ],
        &[
            "lower -c; ulimit -n 65536",
            "ss -s; sysctl net.ipv4.ip_local_port_range net.netfilter.nf_conntrack_max net.ipv4.neigh.default.gc_thresh3",
        ],
    ),
    row(
        Code::Internal,
        "A fault of this program",
        "The probe failed by itself; nothing is said about the target. The run goes on and exits 3.",
        &["a bug"],
        &["it repeats with the same target: its bytes trigger it; it does not: chance or memory"],
        &["report it with the record and the server's software, if it is known"],
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_explained_exactly_once_and_in_order() {
        let explained: Vec<_> = DIAGNOSES.iter().map(|diagnosis| diagnosis.code).collect();
        assert_eq!(explained, Code::ALL);
    }

    #[test]
    fn whoever_is_told_to_remove_keys_is_told_what_else_goes() {
        let telling = |list: &[&str], what: &str| list.iter().any(|line| line.contains(what));
        for Diagnosis { code, remedy, .. } in DIAGNOSES {
            let removing = telling(remedy, "ssh-keygen -f KNOWN_HOSTS_FILE -R KNOWN_HOSTS_NAME");
            assert_eq!(removing, telling(remedy, "wildcard lines for other hosts included"), "{code}");
            assert_eq!(removing, matches!(code, Code::HostKeyChanged | Code::HostKeyTypeGone), "{code}");
        }
    }

    #[test]
    fn every_entry_says_something() {
        for Diagnosis { code, title, meaning, causes, tell_apart, remedy } in DIAGNOSES {
            assert!(title.len() > 10 && title.len() < 80 && !title.ends_with('.'), "{code}: {title}");
            assert!(meaning.ends_with('.') && !meaning.contains("  "), "{code}: {meaning}");
            for list in [causes, tell_apart, remedy] {
                assert_eq!(list.is_empty(), *code == Code::Ok, "{code}");
            }
            for text in [*causes, *tell_apart, *remedy].concat() {
                assert!(!text.is_empty() && !text.contains("  ") && !text.ends_with('.'), "{code}: {text}");
                assert!(!text.chars().any(char::is_control), "{code}: {text}");
            }
        }
    }
}
