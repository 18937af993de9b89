//! `--plan`: what a run would do and what it would cost, told without sending anything.

use std::collections::BTreeSet;
use std::time::Duration;

use sshprobe_probes::escape;
use sshprobe_probes::govern::penalty::{Budget, Class};
use sshprobe_probes::govern::rate::Rate;
use sshprobe_probes::plan::Depth;
#[cfg(feature = "login")]
use sshprobe_probes::ssh_config::straight;
use sshprobe_probes::time::Moment;
use sshprobe_probes::trust::KeyTypes;

use crate::cli::census::Census;
use crate::cli::config::{Config, Way};
use crate::cli::exit::Exit;
use crate::cli::routes::Routes;
use crate::cli::screen::Page;
use crate::engine::{Engine, Options};
use crate::error::Error;
use crate::journal::Bits;
use crate::report::span::{count, counted, show};
use crate::target::{Families, Targets};
use crate::transport::Transport as _;

/// Ports and users listed one by one; of more only their number is told.
const LISTED: usize = 8;

/// Tells what the run would do, with the targets that are not `done`. Standard input is read to its end, names are not asked for, no output is created.
///
/// # Errors
/// What would keep the run from starting.
pub(super) fn tell(config: &Config, targets: Targets, done: &Bits) -> Result<Exit, Error> {
    let options = config.engine();
    let mut routes = Routes::new(config, &options)?;
    let takes_names = routes.usual().takes_names();
    let engine = Engine::prepare_over(options.clone(), routes.usual().clone())?;
    let (counted, exit) = Census::of(targets, done, &mut routes);
    let mut page = Page::to_stdout(config.output.color);
    render(&mut page, config, &options, engine.concurrency(), takes_names, &counted);
    for line in config.warnings.iter().map(String::as_str).chain(engine.warnings().iter().map(String::as_str)) {
        page.gap();
        page.paragraph("", &format!("Warning: {line}"));
    }
    Ok(page.show()?.max(exit))
}

fn render(page: &mut Page, config: &Config, options: &Options, concurrency: usize, takes_names: bool, census: &Census) {
    // A probe whose program waits for its turn is not under way.
    let concurrency = match &config.way {
        Way::Command(_, most) => concurrency.min(*most),
        _ => concurrency,
    };
    page.heading("What the run would do. Nothing was sent, and no name was asked for.");
    page.gap();
    let mut line = |label: &str, text: &str| page.paragraph(&format!("{label:<13}"), text);
    line("Targets", &targets(census));
    if census.targets == 0 {
        // There is nothing whose pace or cost could be told.
        return;
    }
    if let Some(way) = way(&config.way) {
        line("Way", &way);
    }
    #[cfg(feature = "syn")]
    if let Some(syn) = &config.syn {
        line("SYN sweep", &syn.told(config));
    }
    if let Some(hosts) = configured(census) {
        line("ssh_config", &hosts);
    }
    if census.names > 0 {
        line("Names", &if takes_names { String::from("handed over to the way as they are") } else { names(config) });
    }
    line("Depth", depth(config.depth));
    let half_open = config.depth == Depth::Connect && syn_tries(config).is_some();
    let half_open =
        half_open.then(|| String::from("none to plain addresses: the answer to a SYN is all that is asked for"));
    line("Connections", &(half_open.unwrap_or_else(|| connections(options)) + &to_jump_hosts(census)));
    line("User", &user(config, census));
    line("Offer", &offer(options));
    line("Pace", &pace(config, concurrency));
    line("Time", &time(config, concurrency, census));
    line("Penalties", &penalties(options, &config.way));
}

/// What ssh_config and inventories change.
fn configured(census: &Census) -> Option<String> {
    let parts = [
        (census.elsewhere, "at another name or address than they are called"),
        (census.by_program, "through a ProxyCommand of their own"),
        (census.by_jump, "through jump hosts of their own"),
        (census.nowhere, "in no way that can be taken, and not probed"),
    ];
    let parts: Vec<_> = parts.iter().filter(|(n, _)| *n > 0).map(|(n, how)| format!("{} {how}", count(*n))).collect();
    (!parts.is_empty()).then(|| format!("of the targets {}", parts.join(", ")))
}

/// What stands between this machine and the targets.
fn way(way: &Way) -> Option<String> {
    match way {
        Way::Direct => None,
        Way::Command(command, most) => {
            let (command, programs) = (escape::quote(command, 200), counted(*most as u64, "program"));
            Some(format!("a program for each connection, at most {programs} at a time: {command}"))
        }
        Way::Proxy(url, credentials) => {
            let who =
                if credentials.is_some() { "with the credentials of the environment" } else { "without credentials" };
            Some(format!("through the proxy {url}, {who}"))
        }
        #[cfg(feature = "login")]
        Way::Jump(chain) => {
            let (_, chain) = straight(chain);
            let hosts: Vec<_> = chain.iter().map(|jump| escape::escape(jump.to_string())).collect();
            Some(format!("through {}, each logged in to once for the whole run", hosts.join(", then ")))
        }
        #[cfg(feature = "iap")]
        Way::Iap(iap) => Some(iap.told()),
    }
}

fn targets(census: &Census) -> String {
    let addresses = census.targets - census.names;
    let kinds = match (census.names, addresses) {
        (0, _) => format!("{} out of ranges", count(census.from_ranges)),
        (names, 0) => counted(names, "name"),
        (names, _) => format!("{}, {} out of ranges", counted(names, "name"), count(census.from_ranges)),
    };
    let share = if census.share.is_part() { format!("share {} of all: ", census.share) } else { String::new() };
    match (census.targets, census.done) {
        (0, 0) if census.share.is_part() => {
            return format!("share {} of all is empty: there are fewer targets than shares", census.share);
        }
        (0, 0) => return String::from("none"),
        (0, done) => return format!("{share}none is left; {} are done", count(done)),
        _ => {}
    }
    let done = if census.done > 0 { format!("; {} are done", count(census.done)) } else { String::new() };
    format!("{share}{} ({kinds}), {}{done}", count(census.targets), listed("port", &census.ports))
}

fn listed<T: ToString>(noun: &str, all: &BTreeSet<T>) -> String {
    if all.len() > LISTED {
        return counted(all.len() as u64, noun);
    }
    let words: Vec<String> = all.iter().map(ToString::to_string).collect();
    format!("{noun}{} {}", if words.len() == 1 { "" } else { "s" }, words.join(", "))
}

fn names(config: &Config) -> String {
    let servers = match config.resolvers.as_slice() {
        [] => String::from("the system's name servers"),
        servers => servers.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
    };
    let families = match config.families_of_names() {
        Families::Any => "A and AAAA",
        Families::V4Only => "A",
        Families::V6Only => "AAAA",
    };
    let each = if config.all_addresses {
        "every address is a target of its own"
    } else {
        "the next address is tried where nothing connects"
    };
    format!("asked of {servers} ({families}); {each}")
}

const fn depth(depth: Depth) -> &'static str {
    match depth {
        Depth::Connect => "connect: the TCP handshake, then a reset",
        Depth::Ident => "ident: the server's identification",
        Depth::Kexinit => "kexinit: the server's lists of algorithms",
        Depth::Kex => "kex: a key exchange with the host key's signature verified",
        Depth::Auth => "auth: a key exchange with the host key's signature verified, and the methods listed for `none`",
        Depth::Login => "login: what auth learns, then a real login on a connection of its own",
        // A depth that this text does not know yet still has its name.
        other => other.name(),
    }
}

fn connections(options: &Options) -> String {
    let most = options.settings.most_connections();
    let trust = options.settings.trust.as_ref().filter(|_| options.settings.plan.depth >= Depth::Kex);
    let each = match trust.map(|trust| &trust.key_types) {
        None | Some(KeyTypes::First) => "1 to each target",
        Some(KeyTypes::All) => "1 to each target for each type of host key that it has",
        Some(KeyTypes::Listed(_)) => "1 to each target for each type of host key that it has and that was asked for",
    };
    if most == 1 {
        return each.to_owned();
    }
    format!(
        "{each}; at most {most} to a host on one port, where it throttles, hangs up before its identification, \
         chokes or falls silent in the middle"
    )
}

/// What a jump host takes that lets us in at once: a probe and a login.
const TO_A_JUMP_HOST: u64 = 2;

/// What those on the way take beside the targets.
fn to_jump_hosts(census: &Census) -> String {
    match census.jump_hosts {
        0 => String::new(),
        n => format!(
            "; beside them {TO_A_JUMP_HOST} to {}, once for the run: its probe and its login",
            if n == 1 { String::from("the jump host") } else { format!("each of {} jump hosts", count(n)) }
        ),
    }
}

fn user(config: &Config, census: &Census) -> String {
    let jumps = census.jump_hosts > 0;
    let sent = if jumps {
        "no credential is sent to a target; jump hosts are logged in to by keys alone, those of -i and --agent and those that ssh_config names for them"
    } else {
        "no credential is sent"
    };
    if config.depth < Depth::Auth {
        return format!("none is named at this depth; {sent}");
    }
    let mut text = format!("{} is named with the method `none`; {sent}", config.user);
    #[cfg(feature = "login")]
    if config.depth >= Depth::Login {
        let jumps = if jumps { "; jump hosts by keys alone" } else { "" };
        let how = config.login.plan();
        text = format!("{} is named with the method `none`, and logged in: {how}{jumps}", config.user);
    }
    if !census.users.is_empty() {
        text += &format!(" (targets name their own: {})", listed("user", &census.users));
    }
    text
}

/// What is offered first in each list: what a current server takes.
fn offer(options: &Options) -> String {
    let offer = &options.settings.plan.offer;
    let first = |list: &str| list.split(',').next().unwrap_or_default().to_owned();
    let lists = [
        ("key exchange", offer.kex()),
        ("host key", offer.host_key()),
        ("cipher", offer.cipher()),
        ("MAC", offer.mac()),
    ];
    if options.settings.plan.depth < Depth::Kexinit {
        return String::from("nothing: no KEXINIT is sent at this depth");
    }
    let lists = lists.map(|(what, list)| format!("{what} {} (first of {})", first(list), list.split(',').count()));
    lists.join(", ")
}

fn pace(config: &Config, concurrency: usize) -> String {
    let rate = match config.rate {
        0 => String::from("no limit on new connections a second"),
        rate => {
            let packets = if syn_tries(config).is_some() { " and as many packets" } else { "" };
            let rate = counted(rate.into(), "new connection");
            format!("at most {rate}{packets} a second, ramped up over {}", show(Rate::RAMP))
        }
    };
    format!(
        "{rate}; {} in flight, {} in one /24 or /64; {} between two to one host",
        count(concurrency as u64),
        count(config.per_subnet.into()),
        show(config.per_host)
    )
}

/// How long it takes: by the rate, by the limits in flight, and by the ports of one host, which wait for each other.
fn time(config: &Config, concurrency: usize, census: &Census) -> String {
    // A jump host is probed, and logged in to after the pause between two connections to one host; the one behind it only then.
    let way = config.per_host.saturating_mul(census.in_a_row);
    let to_jump_hosts = census.jump_hosts.saturating_mul(TO_A_JUMP_HOST);
    let rate = Rate::new(config.rate, Moment::START).time_for(census.targets.saturating_add(to_jump_hosts));
    let ports = u32::try_from(census.ports.len()).unwrap_or(u32::MAX);
    let spacing = config.per_host.saturating_mul(ports.saturating_sub(1));
    let lasting = |each: Duration| {
        let rounds = |targets: u64, at_once: u64| {
            let rounds = targets.div_ceil(at_once.max(1));
            each.saturating_mul(u32::try_from(rounds).unwrap_or(u32::MAX))
        };
        let slots = rounds(census.targets, concurrency as u64);
        let subnet =
            if config.per_subnet == 0 { Duration::ZERO } else { rounds(census.fullest, config.per_subnet.into()) };
        // The last one begun by the rate still has to end.
        (rate + each).max(slots).max(subnet).max(spacing + each.saturating_mul(ports))
    };
    let silent = match syn_tries(config) {
        None => lasting(config.connect_timeout),
        Some(tries) => {
            let owing = owing().unwrap_or(u64::MAX);
            let rounds = u32::try_from(census.targets.div_ceil(owing)).unwrap_or(u32::MAX);
            let rate = Rate::new(config.rate, Moment::START).time_for(census.targets.saturating_mul(tries));
            (rate + config.connect_timeout).max(config.connect_timeout.saturating_mul(rounds))
        }
    };
    let answering = rate.max(spacing) + way;
    let answering = if config.rate == 0 && answering.is_zero() {
        String::from("as fast as this machine and the network can")
    } else {
        format!("about {}", show(answering))
    };
    // The pace by default any machine keeps.
    let bound = if config.rate == 0 || config.rate > UNDOUBTED {
        "; this is the pace that was asked for: what this machine, the network and the servers cannot keep takes longer"
    } else {
        ""
    };
    format!(
        "{answering} if every target answers at once, about {} if none answers, at most about {} if all hang until --timeout; \
         asking for names and further connections come on top{bound}",
        show(silent + way),
        show(lasting(config.timeout) + way)
    )
}

/// Connections a second that no machine has trouble with: a complete probe takes less than a millisecond of CPU.
const UNDOUBTED: u32 = 1000;

/// How many addresses can owe an answer to a SYN at a time.
const fn owing() -> Option<u64> {
    #[cfg(feature = "syn")]
    return Some(crate::sweep::MOST as u64);
    #[cfg(not(feature = "syn"))]
    None
}

/// How many SYNs a silent address gets from a SYN sweep.
fn syn_tries(config: &Config) -> Option<u64> {
    #[cfg(feature = "syn")]
    return config.syn.as_ref().map(|syn| u64::from(syn.retries) + 1);
    #[cfg(not(feature = "syn"))]
    {
        let _ = config;
        None
    }
}

fn penalties(options: &Options, way: &Way) -> String {
    // What the server knows of us is who connects to it.
    let whose = match way {
        Way::Direct => "this machine's address",
        Way::Command(..) => "the address that the program's connections come from",
        Way::Proxy(..) => "the proxy's address",
        #[cfg(feature = "login")]
        Way::Jump(_) => "the last jump host's address",
        #[cfg(feature = "iap")]
        Way::Iap(_) => "the relay's addresses, which all who come by it have in common,",
    };
    let class = Class::expected(options.settings.plan.depth);
    let seconds = |class: Class| show(class.charge());
    let each = if class == Class::NoAuth {
        format!("{} for each connection", seconds(class))
    } else {
        format!(
            "{} for each connection, {} where the user named does not exist or may not log in (10.3 and later)",
            seconds(Class::NoAuth),
            seconds(class)
        )
    };
    format!(
        "OpenSSH 9.8 and later holds against {whose} {each}; it refuses everybody from there at more than {} outstanding, \
         and further connections to a host wait so that it stays within {}",
        show(Budget::ENFORCED),
        show(Budget::OUTSTANDING)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::Cli;

    fn plan(args: &[&str]) -> String {
        let words = ["sshprobe", "--plan"].iter().chain(args).map(|word| (*word).into());
        let mut config = Config::new(Cli::of_words(words).expect("parses").sweep, 1).expect("valid");
        let targets = std::mem::take(&mut config.sources).open().expect("targets");
        let options = config.engine();
        let mut routes = Routes::new(&config, &options).expect("a way");
        let takes_names = routes.usual().takes_names();
        let (census, exit) = Census::of(targets, &Bits::default(), &mut routes);
        assert_eq!(exit, Exit::Clean);
        let mut page = Page::new(10_000, false);
        render(&mut page, &config, &options, config.concurrency, takes_names, &census);
        page.as_ref().to_owned()
    }

    #[track_caller]
    fn assert_says(text: &str, lines: &[&str]) {
        for line in lines {
            assert!(text.lines().any(|each| each == *line), "{line:?} is not a line of\n{text}");
        }
    }

    #[test]
    fn a_range_is_counted_and_its_time_follows_from_the_limits() {
        let text = plan(&["-l", "probe", "10.0.0.0/22:22,2222", "--rate", "0"]);
        assert_says(
            &text,
            &[
                "Targets      2,048 (2,048 out of ranges), ports 22, 2222",
                "User         probe is named with the method `none`; no credential is sent",
                "Pace         no limit on new connections a second; 1,000 in flight, 256 in one /24 or /64; 1.2s between two to one host",
            ],
        );
        assert!(text.contains("\nTime         about 1.2s if every target answers at once, about 15s if none answers, at most about 1m if"), "{text}");
        assert!(text.contains("at most 4 to a host") && text.contains("1s for each connection, 5s where"), "{text}");
        assert!(text.contains("key exchange curve25519-sha256 (first of "), "{text}");
        assert!(!text.contains("Names "), "{text}");
    }

    /// A pace that nobody can be sure of is told as no more than that.
    #[test]
    fn a_time_says_what_it_is_reckoned_by() {
        let doubt = "; this is the pace that was asked for: what this machine, the network and the servers cannot keep takes longer\n";
        for (rate, doubted, answering) in [
            (
                "0",
                true,
                "Time         as fast as this machine and the network can if every target answers at once, about 1h",
            ),
            ("50000", true, "Time         about 22.3s if every target answers at once"),
            ("1000", false, "Time         about"),
        ] {
            let text = plan(&["10.0.0.0/12", "--rate", rate]);
            assert!(text.contains(answering) && text.contains(doubt) == doubted, "{rate}: {text}");
        }
    }

    /// No faster than as many addresses as can owe an answer are given up.
    #[cfg(feature = "syn")]
    #[test]
    fn a_syn_sweep_without_a_rate_is_bounded_by_who_owes_an_answer() {
        let text = plan(&["--syn", "10.0.0.0/8", "--rate", "0"]);
        assert!(text.contains("about 2m40s if none answers"), "{text}");
    }

    #[test]
    fn a_share_is_told_as_one() {
        let text = plan(&["10.0.0.0/22", "web1", "--shard", "2/3"]);
        assert_says(&text, &["Targets      share 2/3 of all: 342 (1 name, 341 out of ranges), port 22"]);
    }

    /// What has no targets has no ports, no pace and no time.
    #[test]
    fn an_empty_share_is_told_as_that_and_nothing_more() {
        let heading = "What the run would do. Nothing was sent, and no name was asked for.\n\n";
        let told = "Targets      share 3/3 of all is empty: there are fewer targets than shares\n";
        assert_eq!(plan(&["127.0.0.1-2", "--shard", "3/3"]), format!("{heading}{told}"));
        assert!(plan(&["127.0.0.1-2", "--shard", "2/3"]).contains("share 2/3 of all: 1 (1 out of ranges), port 22\n"));
        let left = |census| targets(&Census { done: 1_234, ..census });
        assert_eq!(left(Census::default()), "none is left; 1,234 are done");
        assert_eq!(
            left(Census { share: "2/3".parse().expect("a share"), ..Census::default() }),
            "share 2/3 of all: none is left; 1,234 are done"
        );
        assert_eq!(targets(&Census::default()), "none");
    }

    #[test]
    fn names_are_counted_and_not_asked_for() {
        let text =
            plan(&["-4", "--resolver", "192.0.2.53", "no.such.name.invalid", "ann@web1", "10.0.0.1", "--prefer-pq"]);
        assert_says(
            &text,
            &[
                "Targets      3 (2 names, 0 out of ranges), port 22",
                "Names        asked of 192.0.2.53:53 (A); the next address is tried where nothing connects",
            ],
        );
        assert!(
            text.contains("(targets name their own: user ann)") && text.contains("key exchange mlkem768"),
            "{text}"
        );
    }

    #[test]
    fn a_plan_tells_the_way_and_who_asks_for_names() {
        let command =
            plan(&["--proxy-command", "nc %h %p", "--proxy-command-max", "3", "--rate", "0", "a", "b", "c", "d"]);
        assert_says(
            &command,
            &[
                "Way          a program for each connection, at most 3 programs at a time: \"nc %h %p\"",
                "Names        handed over to the way as they are",
            ],
        );
        assert!(command.contains("; 3 in flight,") && command.contains("about 10s if none answers"), "{command}");
        assert!(command.contains("the address that the program's connections come from 1s"), "{command}");
        let proxy = plan(&["--proxy", "socks5://192.0.2.1", "--resolver", "192.0.2.53", "web1"]);
        assert_says(&proxy, &["Way          through the proxy socks5://192.0.2.1:1080, without credentials"]);
        assert!(
            proxy.contains("Names        asked of 192.0.2.53:53") && proxy.contains("the proxy's address 1s"),
            "{proxy}"
        );
        assert!(plan(&["--proxy", "http://192.0.2.1:3128", "web1"]).contains("Names        handed over"));
        assert!(!plan(&["web1"]).contains("Way "));
    }

    /// Behind others it is a host that is called so, as for `ssh -J a,none`.
    #[cfg(feature = "login")]
    #[test]
    fn a_jump_host_called_none_is_one_behind_others() {
        let text = plan(&["-F", "none", "-J", "first,none", "10.0.0.1"]);
        assert!(text.contains("through first, then none, each logged in to once"), "{text}");
        assert!(!plan(&["-F", "none", "-J", "none", "10.0.0.1"]).contains("Way "));
    }

    #[cfg(feature = "login")]
    #[test]
    fn a_plan_counts_jump_hosts_and_says_what_they_get() {
        let text = plan(&["-l", "probe", "-F", "none", "-J", "ops@first,second", "10.0.0.1", "10.0.0.2"]);
        let way = "Way          through ops@first, then second, each logged in to once for the whole run";
        let user = "User         probe is named with the method `none`; no credential is sent to a target; jump hosts are logged in to by keys alone, those of -i and --agent and those that ssh_config names for them";
        assert_says(&text, &[way, user]);
        assert!(
            text.contains("; beside them 2 to each of 2 jump hosts, once for the run: its probe and its login\n"),
            "{text}"
        );
        // The second is probed when the first has been logged in to, --per-host after its probe.
        let lasting = |args: &[&str]| {
            let text = plan(&[&["-F", "none", "10.0.0.1", "--rate", "0"], args].concat());
            text.lines().find_map(|line| line.strip_prefix("Time         ").map(str::to_owned)).expect("a time")
        };
        for (args, told) in [
            (&[][..], "as fast as this machine and the network can if every target answers at once, about 5s if none"),
            (&["-J", "first"], "about 1.2s if every target answers at once, about 6.2s if none"),
            (&["-J", "first,second"], "about 2.4s if every target answers at once, about 7.4s if none"),
            (&["-J", "first,second", "--per-host", "0"], "as fast as this machine and the network can if"),
        ] {
            let text = lasting(args);
            assert!(text.starts_with(told), "{args:?}: {text}");
        }
        let shallow = plan(&["-F", "none", "--depth", "kex", "-J", "192.0.2.1", "10.0.0.1"]);
        assert!(shallow.contains("; beside them 2 to the jump host, once"), "{shallow}");
        assert!(shallow.contains("none is named at this depth; no credential is sent to a target;"), "{shallow}");
    }

    #[cfg(feature = "syn")]
    #[test]
    fn a_plan_tells_of_a_syn_sweep_without_the_right_to_one() {
        let text = plan(&["--syn", "10.0.0.0/22", "--rate", "2000"]);
        let told = "SYN sweep    bare SYNs to plain addresses first, up to 3 SYNs to each within 5s; only those that listen are connected to; needs root or CAP_NET_RAW";
        assert_says(&text, &[told]);
        assert!(text.contains("at most 2,000 new connections and as many packets a second"), "{text}");
        assert!(text.contains("about 7.9s if none answers"), "{text}");
        assert!(!plan(&["10.0.0.1"]).contains("SYN"));
        let shallow = plan(&["--syn", "--depth", "connect", "10.0.0.1"]);
        assert_says(&shallow, &["Connections  none to plain addresses: the answer to a SYN is all that is asked for"]);
    }

    #[cfg(feature = "iap")]
    #[test]
    fn a_plan_names_the_relay_and_where_the_token_is_from() {
        let args = ["--iap", "--project=p", "--zone=europe-west1-b", "--access-token-file=/run/token", "vm1"];
        let text = plan(&args);
        let told = "Way          tunnels of the Identity-Aware Proxy, by wss://tunnel.cloudproxy.app/v4; the access token is read from /run/token";
        assert_says(&text, &[told, "Names        handed over to the way as they are"]);
    }

    #[test]
    fn shallow_plans_promise_less() {
        let text = plan(&["--depth", "connect", "10.0.0.1"]);
        assert_says(
            &text,
            &[
                "Connections  1 to each target",
                "User         none is named at this depth; no credential is sent",
                "Offer        nothing: no KEXINIT is sent at this depth",
            ],
        );
        assert!(!text.contains("5s where the user"), "{text}");
    }
}
