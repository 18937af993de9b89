//! From the evidence of all connections to the one record: per field the best that any of them learned.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::parts::{
    Auth, AuthResult, Cert, Disconnect, Explained, HostKey, Icmp, Ident, Kexinit, KnownKey, Named, Negotiated, Net,
    Sshfp, TimingMicros, Tried, Tunnel, TunnelMicros, Via,
};
use super::{Record, Run, SCHEMA};
use crate::algorithm::HOST_KEY;
use crate::case::ResolveFault;
use crate::diagnose::{Answer, Code, Place, Verdict, local_verdict, overrule};
use crate::escape::escape;
use crate::evidence::{self, Errno, Evidence, LocalTrouble, Stage};
use crate::fingerprint::{Software, identify};
use crate::hassh::hassh_server;
use crate::hostkey::{FingerprintHash, canonical_key, key_info, key_type};
use crate::memo::Memo;
use crate::target::{Host, Target, is_stand_in};
use crate::time::{Moment, Timestamp};
use crate::trust::{self, CertSaid, JudgedKey, KnownHost, Removal, SshfpResult, judge_keys};
use crate::wire::kexinit::KexInit;
use crate::wire::read::NameList;

/// The parameter of what was not probed because the user has excluded it.
const EXCLUDED: &str = "excluded";

impl Record {
    /// The record of a target that was connected to, or tried to be. `known` is what the files know of it, if anybody is to
    /// judge its keys; `attempts` is 1 and the tries after a transient answer.
    #[must_use]
    pub fn assemble(
        target: &Target,
        verdict: Verdict,
        connections: &[Evidence],
        known: Option<&KnownHost>,
        resolve: Option<Duration>,
        attempts: u32,
        run: &Run,
    ) -> Self {
        let started = connections.first().map_or(Moment::START, |first| first.started);
        let tried = tried(&verdict, connections, run);
        let order;
        let best = match connections {
            [only] => &[only][..],
            _ => {
                order = by_worth(connections, verdict.connection);
                &order
            }
        };
        let ended = connections.last().map_or(started, |last| last.ended);
        let keys = judge_keys(best, known, run.wall_clock(ended));
        let verdict = overrule(verdict, &keys);
        let removals = verdict.removals.clone();
        let mut record = Self::bare(target, verdict, run, started);
        record.tried = tried;
        record.learn(best);
        let hash = known.map(|known| known.policy().fingerprint_hash).unwrap_or_default();
        record.host_keys = keys.iter().map(|key| host_key(key, hash)).collect();
        let made = connections.iter().filter(|each| each.connected() && !each.path.half_open).count();
        record.connections = u32::try_from(made).unwrap_or(u32::MAX);
        record.attempts = attempts;
        record.timing_us.resolve = resolve.map(micros);
        // The driver's pauses are no time of the target's.
        let spent = connections.iter().map(|each| each.ended.since(each.started)).sum::<Duration>();
        record.timing_us.total = Some(micros(spent.saturating_add(resolve.unwrap_or_default())));
        record.explain(&removals);
        record
    }

    /// The record of a name that gave no address. `now` is when that was known.
    #[must_use]
    pub fn unresolved(target: &Target, fault: &ResolveFault, resolve: Duration, run: &Run, now: Moment) -> Self {
        let host = escape(target.place().to_string());
        let (code, detail) = match fault {
            ResolveFault::NxDomain => (Code::DnsNxdomain, format!("the name {host} does not exist")),
            ResolveFault::ServFail(what) => {
                (Code::DnsServfail, format!("the resolver could not answer for {host}: {}", escape(what)))
            }
            ResolveFault::NoAddress => {
                (Code::DnsNoAddress, format!("the name {host} exists, but has no address of the family asked for"))
            }
            ResolveFault::Timeout => (Code::DnsTimeout, format!("no resolver answered for {host} in time")),
        };
        let mut record = Self::bare(target, Verdict::new(code, Stage::Resolve, detail), run, now);
        record.timing_us.resolve = Some(micros(resolve));
        record.timing_us.total = Some(micros(resolve));
        record.explained()
    }

    /// The record of a target whose probe failed by a fault of this program's; `detail` says what is known of it.
    #[must_use]
    pub fn internal(target: &Target, detail: &str, run: &Run, now: Moment) -> Self {
        let detail = format!("a fault of this program: {}", escape(detail));
        Self::bare(target, Verdict::new(Code::Internal, Stage::Connect, detail), run, now).explained()
    }

    /// The record of a target to which no connection could be opened for trouble of this machine that did not pass.
    #[must_use]
    pub fn local(target: &Target, trouble: LocalTrouble, errno: Option<Errno>, run: &Run, now: Moment) -> Self {
        Self::bare(target, local_verdict(trouble, Stage::Connect, errno), run, now).explained()
    }

    /// The record of a target that leads to a place which the user has excluded, so that it was not probed.
    #[must_use]
    pub fn excluded(target: &Target, run: &Run, now: Moment) -> Self {
        let record = Self::local(target, LocalTrouble::Policy, None, run, now);
        Self { arg: Some(EXCLUDED.to_owned()), ..record }
    }

    /// Whether nothing was sent because the user has excluded the place: that is what was asked for, and no failure.
    #[must_use]
    pub fn is_excluded(&self) -> bool {
        self.code == Code::LocalPolicy && self.arg.as_deref() == Some(EXCLUDED)
    }

    fn bare(target: &Target, verdict: Verdict, run: &Run, started: Moment) -> Self {
        let status = verdict.status();
        Self {
            schema: SCHEMA,
            run: Arc::clone(&run.id),
            version: run.version.into(),
            target: named(target),
            from_range: target.from_range,
            status,
            code: verdict.code,
            arg: verdict.arg,
            stage: verdict.stage,
            detail: verdict.detail,
            confidence: verdict.confidence,
            connections: 0,
            attempts: 1,
            tried: Vec::new(),
            net: None,
            tunnel: None,
            direct: None,
            ident: None,
            preamble: Vec::new(),
            preamble_b64: Vec::new(),
            first_bytes_b64: None,
            unparsed_b64: None,
            kexinit: None,
            negotiated: None,
            host_keys: Vec::new(),
            ext_info: None,
            ext_info_b64: BTreeMap::new(),
            ext_info_raw_b64: Vec::new(),
            server_sig_algs: None,
            auth: None,
            disconnect: None,
            findings: verdict.findings,
            timing_us: TimingMicros::default(),
            diagnoses: Vec::new(),
            started: at(run, started),
        }
    }

    /// Explains the outcome, now that the address is known if it ever will be. A record is large: it is not passed on for that.
    fn explain(&mut self, removals: &[Removal]) {
        if self.code == Code::Ok {
            return;
        }
        let Named { host, addr, port, via, .. } = &self.target;
        let hops = self.tunnel.as_ref().map_or(&[][..], |tunnel| &tunnel.jump_hosts);
        let jump = hops.iter().map(|hop| hop.host.as_str()).collect::<Vec<_>>().join(",");
        let user = match self.code {
            // Whose settings are in question is the last host that let us in.
            Code::JumpForbidden => hops.last().and_then(|hop| Some(hop.host.rsplit_once('@')?.0)),
            _ => self.auth.as_ref().map(|auth| &*auth.user),
        };
        let jump = Some(jump.as_str()).filter(|jump| !jump.is_empty());
        let place = Place { user, jump, ..Place::new(host, *addr, *port) };
        self.diagnoses = vec![Explained::new(self.code, place, removals).by(*via)];
    }

    /// With the outcome explained, for the few that get nowhere, and so have no keys that stand in the way.
    fn explained(mut self) -> Self {
        self.explain(&[]);
        self
    }

    /// Takes over what the connections learned, the one that decided first, then the deepest.
    fn learn(&mut self, best: &[&Evidence]) {
        let Some(decided) = best.first() else { return };
        self.target.addr = real(decided.addr.ip());
        self.net = Some(net(decided));
        if let Some(way) = &decided.tunnel {
            self.target.via = way.via;
            self.tunnel = Some(tunnel(way));
        }
        self.disconnect = decided.disconnect.as_ref().map(disconnect);
        self.timing_us = timing(best);
        match best.iter().find_map(|each| each.ident.as_ref().map(|ident| (ident, &each.preamble))) {
            Some((line, preamble)) => self.ident = Some(ident(line, preamble)),
            None => {
                if let Some(heard) = best.iter().find(|each| !each.first_bytes.is_empty()) {
                    self.first_bytes_b64 = Some(BASE64.encode(&heard.first_bytes));
                    (self.preamble, self.preamble_b64) = texts(lines(&heard.preamble));
                }
            }
        }
        let unparsed = best.iter().find(|each| !each.unparsed.is_empty());
        self.unparsed_b64 = unparsed.map(|each| BASE64.encode(&each.unparsed));
        self.kexinit = best.iter().find_map(|each| each.kexinit.as_ref()).map(kexinit);
        self.negotiated = best.iter().find_map(|each| each.negotiated.as_ref()).map(negotiated);
        if let Some(extended) = best.iter().find(|each| !each.ext_info.is_empty()) {
            self.extensions(extended);
        }
        let answered = |auth: &&evidence::Auth| auth.methods.is_some() || auth.none_accepted;
        let auths = || best.iter().filter_map(|each| each.auth.as_ref());
        self.auth = auths().find(answered).or_else(|| auths().next()).map(auth);
        if let Some(made) = best.iter().find_map(|each| each.login.as_deref()) {
            super::login::into_record(made, self);
        }
    }

    fn extensions(&mut self, evidence: &Evidence) {
        let pieces = || evidence.ext_info.iter().flat_map(|(name, value)| [name.as_slice(), value]);
        if pieces().all(|piece| std::str::from_utf8(piece).is_ok()) {
            let made = || evidence.ext_info.iter().map(|(name, value)| (text(name).0, text(value).0)).collect();
            self.ext_info = Some(EXTENSIONS.with(|known| known.get_of(pieces(), || Arc::new(made()))));
        } else {
            self.odd_extensions(evidence);
        }
        let listed = |list: &[u8]| SIGNATURES.with(|made| made.get(list, || names(NameList(list)).into()));
        self.server_sig_algs = evidence.extension(b"server-sig-algs").map(listed);
    }

    /// Extensions of which not all is UTF-8.
    fn odd_extensions(&mut self, evidence: &Evidence) {
        let mut extensions = BTreeMap::new();
        // Of an extension sent twice the last counts (RFC 8308 section 2.4), and so it is in a map.
        for (name, value) in evidence.ext_info.iter() {
            let (value, bytes) = text(value);
            let name = String::from_utf8_lossy(name).into_owned();
            match bytes {
                Some(bytes) => self.ext_info_b64.insert(name.clone(), bytes),
                None => self.ext_info_b64.remove(&name),
            };
            extensions.insert(name, value);
        }
        self.ext_info = Some(Arc::new(extensions));
        if evidence.ext_info.iter().any(|(name, _)| std::str::from_utf8(name).is_err()) {
            let pairs = evidence.ext_info.iter();
            self.ext_info_raw_b64 = pairs.map(|(name, value)| (BASE64.encode(name), BASE64.encode(value))).collect();
        }
    }
}

fn named(target: &Target) -> Named {
    Named {
        input: Arc::clone(&target.input),
        index: target.index,
        host: target.shown(),
        hostname: target.place.as_ref().map(ToString::to_string),
        addr: match *target.place() {
            Host::Addr(addr, _) => Some(addr),
            Host::Name(_) | Host::Iap(_) => None,
        },
        port: target.port,
        via: Via::Tcp,
    }
}

/// The connections in the order in which their evidence is believed.
fn by_worth(connections: &[Evidence], decided: usize) -> Vec<&Evidence> {
    // Of two that got as far the later one comes first, as the sorting is stable.
    let mut order: Vec<_> = connections.iter().rev().collect();
    let decided = connections.get(decided);
    order.sort_by_key(|each| (!decided.is_some_and(|decided| std::ptr::eq(*each, decided)), Reverse(each.stage)));
    order
}

fn tried(verdict: &Verdict, connections: &[Evidence], run: &Run) -> Vec<Tried> {
    let whole = Answer { code: verdict.code, stage: verdict.stage };
    let answers = verdict.answers.iter().copied().chain(std::iter::repeat(whole));
    let tried = connections.iter().zip(answers);
    tried
        .map(|(evidence, answer)| Tried {
            addr: real(evidence.addr.ip()),
            code: answer.code,
            stage: answer.stage,
            at: at(run, evidence.started),
        })
        .collect()
}

/// An address that something was sent to.
fn real(addr: IpAddr) -> Option<IpAddr> {
    (!is_stand_in(addr)).then_some(addr)
}

fn tunnel(way: &evidence::Tunnel) -> Tunnel {
    let (reason, reason_b64) = text(&way.reason);
    let evidence::TunnelTiming { dns, connect, proxy, tls, upgrade, sid } = way.timing;
    let timing_us = TunnelMicros {
        dns: dns.map(micros),
        connect: connect.map(micros),
        proxy: proxy.map(micros),
        tls: tls.map(micros),
        upgrade: upgrade.map(micros),
        sid: sid.map(micros),
    };
    let jump_hosts = way.jump_hosts.to_vec();
    Tunnel { kind: way.via, close_code: way.close_code, reason, reason_b64, timing_us, jump_hosts }
}

fn net(evidence: &Evidence) -> Net {
    let path = &evidence.path;
    Net {
        local_addr: path.local,
        errno: path.errno.map(|errno| errno.to_string()),
        icmp: path.icmp.map(|icmp| Icmp { kind: icmp.kind, code: icmp.code, from: icmp.from }),
        spoke_first: evidence.spoke_first,
    }
}

fn timing(best: &[&Evidence]) -> TimingMicros {
    let first =
        |stage: fn(&evidence::Timing) -> Option<Duration>| best.iter().find_map(|each| stage(&each.timing)).map(micros);
    TimingMicros {
        resolve: None,
        tunnel: best.first().and_then(|first| first.tunnel.as_ref()).map(|way| micros(way.timing.total())),
        connect: first(|timing| timing.connect),
        ident: first(|timing| timing.ident),
        kexinit: first(|timing| timing.kexinit),
        kex: first(|timing| timing.kex),
        auth: first(|timing| timing.auth),
        login: best.iter().find_map(|each| each.login.as_ref()?.took).map(micros),
        total: None,
    }
}

fn ident(ident: &evidence::Identification, before: &evidence::Preamble) -> Arc<Ident> {
    let alone = IDENTS.with(|made| made.get(&ident.raw, || Arc::new(identified(ident))));
    if lines(before).next().is_none() {
        return alone;
    }
    let (preamble, preamble_b64) = texts(lines(before));
    Arc::new(Ident { preamble, preamble_b64, ..Arc::unwrap_or_clone(alone) })
}

/// What the line alone says.
fn identified(ident: &evidence::Identification) -> Ident {
    let (raw, raw_b64) = text(&ident.raw);
    let lossy = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let Software { product, version, os, device, os_confidence, package, .. } = identify(ident);
    Ident {
        raw,
        raw_b64,
        proto: lossy(ident.proto()),
        software: lossy(ident.software()),
        comment: ident.comment().map(lossy),
        product: product.map(str::to_owned),
        version,
        os,
        device: device.map(str::to_owned),
        os_confidence,
        package,
        preamble: Vec::new(),
        preamble_b64: Vec::new(),
    }
}

/// The lines kept, the unfinished one last.
fn lines(preamble: &evidence::Preamble) -> impl Iterator<Item = &[u8]> + Clone {
    let unfinished = Some(preamble.partial.as_slice()).filter(|partial| !partial.is_empty());
    preamble.lines.iter().map(|line| line.bytes.as_slice()).chain(unfinished)
}

thread_local! {
    static IDENTS: Memo<Arc<Ident>> = const { Memo::new() };
    static KEXINITS: Memo<Arc<Kexinit>> = const { Memo::new() };
    static SIGNATURES: Memo<Arc<[String]>> = const { Memo::new() };
    static EXTENSIONS: Memo<Arc<BTreeMap<String, String>>> = const { Memo::new() };
    static METHODS: Memo<Arc<[String]>> = const { Memo::new() };
}

fn kexinit(kexinit: &KexInit) -> Arc<Kexinit> {
    let lossless = kexinit.lists().iter().all(|list| std::str::from_utf8(list.0).is_ok());
    if lossless {
        return KEXINITS.with(|made| made.get(kexinit.offer(), || Arc::new(offer(kexinit))));
    }
    // The payload has the cookie in it, which is of this connection alone.
    Arc::new(Kexinit { payload_b64: Some(BASE64.encode(kexinit.payload())), ..offer(kexinit) })
}

/// What does not depend on the cookie.
fn offer(kexinit: &KexInit) -> Kexinit {
    // The languages are always empty in practice; what there is of them is in the payload, where that is kept.
    let [lists @ .., _, _] = kexinit.lists();
    let [kex, host_key, cipher_c2s, cipher_s2c, mac_c2s, mac_s2c, comp_c2s, comp_s2c]: [_; 8] = lists.map(names);
    Kexinit {
        kex,
        host_key,
        cipher_c2s,
        cipher_s2c,
        mac_c2s,
        mac_s2c,
        comp_c2s,
        comp_s2c,
        first_kex_follows: kexinit.first_kex_packet_follows(),
        hassh_server: hassh_server(kexinit),
        payload_b64: None,
    }
}

fn names(list: NameList<'_>) -> Vec<String> {
    list.names().map(|name| String::from_utf8_lossy(name).into_owned()).collect()
}

fn negotiated(agreed: &evidence::Negotiated) -> Negotiated {
    Negotiated {
        kex: agreed.kex.into(),
        host_key: agreed.host_key.into(),
        cipher: agreed.cipher_c2s.into(),
        mac: agreed.mac_c2s.map(Into::into),
        cipher_s2c: (agreed.cipher_s2c != agreed.cipher_c2s).then(|| agreed.cipher_s2c.into()),
        mac_s2c: agreed.mac_s2c.filter(|_| agreed.mac_s2c != agreed.mac_c2s).map(Into::into),
        strict_kex: agreed.strict_kex,
        dh_bits: agreed.dh_bits,
    }
}

fn host_key(key: &JudgedKey<'_>, hash: FingerprintHash) -> HostKey {
    let JudgedKey { blob, signature, judgement } = key;
    HostKey {
        kind: kind(blob),
        bits: key_info(blob).ok().map(|info| info.bits),
        // As ssh and ssh-keygen print it: a certificate has the fingerprint of the key in it.
        fingerprint: hash.of(canonical_key(blob).as_deref().unwrap_or(blob)),
        key: BASE64.encode(blob),
        signature: *signature,
        trust: judgement.trust,
        source: judgement.source.as_ref().map(ToString::to_string),
        known: judgement.known.iter().map(known_key).collect(),
        known_as: judgement.known_as.clone(),
        cert: judgement.certificate.as_ref().map(cert),
        sshfp: judgement.sshfp.as_ref().map(sshfp),
    }
}

/// The type's name; of the types that there are it is not copied.
fn kind(blob: &[u8]) -> Cow<'static, str> {
    let kind = key_type(blob).unwrap_or_default();
    match HOST_KEY.iter().find(|algorithm| algorithm.key_type == kind) {
        Some(known) => known.key_type.into(),
        None => kind.to_owned().into(),
    }
}

fn known_key(known: &trust::KnownKey) -> KnownKey {
    let trust::KnownKey { kind, fingerprint, source } = known;
    KnownKey { kind: kind.clone(), fingerprint: fingerprint.clone(), source: source.to_string() }
}

fn cert(said: &CertSaid) -> Cert {
    Cert {
        says: said.says.clone(),
        fault: said.fault.map(|fault| fault.arg().to_owned()),
        note: said.note.map(str::to_owned),
    }
}

fn sshfp(said: &SshfpResult) -> Sshfp {
    Sshfp {
        result: said.result.to_owned(),
        vouched: said.voucher.map(|voucher| voucher.word().to_owned()),
        detail: said.detail.clone(),
    }
}

fn auth(auth: &evidence::Auth) -> Auth {
    let (banner, banner_b64) = text(&auth.banner);
    let listed = auth.methods.as_ref().map(|methods| {
        let names = || methods.iter().map(Vec::as_slice);
        if names().all(|name| std::str::from_utf8(name).is_ok()) {
            (METHODS.with(|made| made.get_of(names(), || texts(names()).0.into())), Vec::new())
        } else {
            let (methods, bytes) = texts(names());
            (methods.into(), bytes)
        }
    });
    let result = match &auth.methods {
        _ if auth.none_accepted => Some(AuthResult::Open),
        Some(_) if auth.partial => Some(AuthResult::Partial),
        Some(_) => Some(AuthResult::Listed),
        None => None,
    };
    let (methods, methods_b64) = listed.map_or((None, Vec::new()), |(methods, bytes)| (Some(methods), bytes));
    Auth {
        user: Arc::clone(&auth.user),
        methods,
        methods_b64,
        banner,
        banner_b64,
        banner_truncated: auth.banner_truncated,
        result,
        attempts: None,
        withheld: Vec::new(),
    }
}

fn disconnect(said: &evidence::Disconnect) -> Disconnect {
    let (text, text_b64) = text(&said.text);
    Disconnect { code: said.code, text, text_b64 }
}

/// Bytes as text, and in base64 too where the text does not hold all of them.
fn text(bytes: &[u8]) -> (String, Option<String>) {
    match std::str::from_utf8(bytes) {
        Ok(text) => (text.to_owned(), None),
        Err(_) => (String::from_utf8_lossy(bytes).into_owned(), Some(BASE64.encode(bytes))),
    }
}

/// The same for several; if one needs base64, all have it, so that the two lists match.
fn texts<'a>(all: impl Iterator<Item = &'a [u8]> + Clone) -> (Vec<String>, Vec<String>) {
    let lossy = all.clone().map(|bytes| String::from_utf8_lossy(bytes).into_owned()).collect();
    if all.clone().all(|bytes| std::str::from_utf8(bytes).is_ok()) {
        return (lossy, Vec::new());
    }
    (lossy, all.map(|bytes| BASE64.encode(bytes)).collect())
}

fn at(run: &Run, moment: Moment) -> Timestamp {
    (run.epoch + moment.since(Moment::START)).timestamp()
}

fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}
