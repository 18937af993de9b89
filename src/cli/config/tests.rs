//! Options as they are typed, and what becomes of them.

use clap::Parser;

use super::*;
use crate::cli::args::Cli;
use crate::report::Selection;

pub(in crate::cli) fn config(args: &[&str]) -> Result<Config, String> {
    let cli = Cli::try_parse_from(std::iter::once("sshprobe").chain(args.iter().copied())).expect("parses");
    Config::new(cli.sweep, 7).map_err(|error| error.to_string())
}

#[test]
fn defaults_are_the_documented_ones() {
    let config = config(&["host"]).expect("valid");
    assert_eq!(config.depth, Depth::Auth);
    assert_eq!(config.connect_timeout, Duration::from_secs(5));
    assert_eq!(config.timeout, Duration::from_secs(20));
    assert_eq!(config.retries, 1);
    assert_eq!(config.concurrency, 1000);
    assert_eq!(config.rate, 1000);
    assert_eq!(config.per_subnet, 256);
    assert_eq!(config.per_host, Duration::from_millis(1_200));
    assert_eq!(config.sources.max_targets, 16_777_216);
    assert_eq!(config.sources.order, Order::Random { seed: 7 });
    assert_eq!(config.sources.targets, ["host"]);
    assert_eq!((config.output.records, config.output.show), (Selection::All, Selection::Answered));
    assert_eq!(config.output.format.name, "table");
    assert_eq!(config.fail_on, FailOn::Expected);
    assert_eq!(config.warnings, Vec::<String>::new());
}

#[test]
fn options_at_odds_are_refused() {
    for (args, line) in [
        (
            &["--connect-timeout", "30s", "h"][..],
            "--connect-timeout 30s is longer than --timeout 20s, which bounds the whole connection; raise --timeout or lower --connect-timeout",
        ),
        (&["--port", "22,0", "h"], "--port: port 0 cannot be connected to: write 1 to 65535"),
        (&["--interface", "nosuchif0", "h"], "--interface: there is no interface `nosuchif0`; `ip link` lists them"),
        (
            &["--source", "fe80::7", "h"],
            "--source: fe80::7 is link-local, and leads nowhere without its interface; add --interface NAME, or write fe80::7%NAME",
        ),
        (&["--source", "fe80::7%nosuchif0", "h"], "--source: there is no interface `nosuchif0`; `ip link` lists them"),
        (&["-4", "--source", "::1", "h"], "--source: ::1 is not of the family that -4 allows; leave one of them away"),
        (
            &["--order", "given", "--seed", "1", "h"],
            "--seed: there is nothing to shuffle with --order given; leave one of them away",
        ),
    ] {
        assert_eq!(config(args).err().as_deref(), Some(line), "{args:?}");
    }
}

#[test]
fn a_connect_timeout_that_cannot_tell_is_obeyed_with_one_warning() {
    let short = config(&["--connect-timeout", "1s", "h"]).expect("obeyed");
    assert_eq!(short.connect_timeout, Duration::from_secs(1));
    assert_eq!(short.warnings.len(), 1);
    assert!(
        short.warnings[0].starts_with("--connect-timeout 1s is short: an unreachable host"),
        "{:?}",
        short.warnings
    );
    let whole = config(&["--timeout", "2s", "h"]).expect("obeyed");
    assert_eq!((whole.connect_timeout, whole.warnings.len()), (Duration::from_secs(2), 1));
    assert!(whole.warnings[0].starts_with("--timeout 2s is short"), "{:?}", whole.warnings);
    assert_eq!(config(&["--connect-timeout", "3.5s", "h"]).expect("fine").warnings.len(), 0);
}

#[test]
fn the_engine_is_told_what_was_asked_for_and_its_own_defaults_are_ours() {
    let ours = config(&["h"]).expect("valid").engine();
    let its = Options::default();
    assert_eq!(ours.settings.retries, its.settings.retries);
    assert_eq!(ours.settings.per_host, its.settings.per_host);
    assert_eq!(ours.settings.plan.timeout, its.settings.plan.timeout);
    assert_eq!(ours.settings.plan.depth, its.settings.plan.depth);
    assert_eq!((ours.connect_timeout, ours.concurrency), (its.connect_timeout, its.concurrency));
    assert_eq!((ours.rate, ours.per_subnet), (its.rate, its.per_subnet));

    let args = ["--depth=kex", "-l", "alice", "--timeout=9s", "--connect-timeout=4s", "--retries=3", "-c7", "--rate=0"];
    let more = ["--per-subnet=5", "--per-host=0", "--source=127.0.0.1", "--interface=lo", "--all-addresses", "h"];
    let told = config(&[&args[..], &more[..]].concat()).expect("valid").engine();
    let plan = &told.settings.plan;
    assert_eq!((plan.depth, &*plan.user, plan.timeout), (Depth::Kex, "alice", Duration::from_secs(9)));
    assert_eq!((told.settings.retries, told.settings.per_host), (3, Duration::ZERO));
    assert_eq!((told.connect_timeout, told.concurrency, told.rate, told.per_subnet), (Duration::from_secs(4), 7, 0, 5));
    assert_eq!(told.source.map(|addr| addr.to_string()).as_deref(), Some("127.0.0.1"));
    assert_eq!((told.interface.as_deref(), told.all_addresses), (Some("lo"), true));
}

/// However it is named: connections leave through the interface, and ssh is told of it as it takes it.
#[test]
fn a_link_local_source_brings_its_interface() {
    for args in [
        &["--source", "fe80::7%lo", "h"][..],
        &["--source", "fe80::7", "--interface", "lo", "h"],
        &["--source", "fe80::7%lo", "--interface", "lo", "h"],
        // The loopback is the first interface of every network namespace.
        &["--source", "fe80::7%1", "h"],
    ] {
        let config = config(args).expect("valid");
        let told = config.engine();
        assert_eq!(told.source.map(|addr| addr.to_string()).as_deref(), Some("fe80::7"), "{args:?}");
        assert_eq!(told.interface.as_deref(), Some("lo"), "{args:?}");
        assert_eq!(config.reach_options(), "--source fe80::7 --interface lo ", "{args:?}");
        assert!(config.ssh_options().expect("a way of ssh's").contains("-b fe80::7%lo -B lo "), "{args:?}");
    }
}

/// From an address of one family nothing is sent to the other; what a proxy connects to is its own matter.
#[test]
fn a_source_decides_the_family_of_what_is_connected_to_from_there() {
    let asked = |args: &[&str]| {
        let config = config(&[args, &["--source", "::1", "h"]].concat()).expect("valid");
        (config.resolver().families, config.resolver_here().families, config.sources.allowed.source.is_some())
    };
    assert_eq!(asked(&[]), (Families::V6Only, Families::V6Only, true));
    assert_eq!(asked(&["-6"]), (Families::V6Only, Families::V6Only, true));
    assert_eq!(asked(&["--proxy", "socks5://proxy"]), (Families::Any, Families::V6Only, false));
    let without = config(&["h"]).expect("valid");
    assert_eq!((without.resolver().families, without.sources.allowed.source), (Families::Any, None));
}

#[test]
fn post_quantum_methods_come_first_where_they_are_preferred() {
    let first = |args: &[&str]| {
        let options = config(args).expect("valid").engine();
        options.settings.plan.offer.kex().split(',').next().map(str::to_owned).expect("a method")
    };
    assert_eq!(first(&["h"]), "curve25519-sha256");
    assert!(first(&["--prefer-pq", "h"]).starts_with("mlkem768"));
}

#[test]
fn a_second_look_goes_the_same_way() {
    let config = config(&["--resolver=[2001:db8::53]:53", "--source=::1", "--interface=lo", "-6", "h"]).expect("valid");
    assert_eq!(config.reach_options(), "--resolver '[2001:db8::53]:53' --source ::1 --interface lo -6 ");
}

/// Without a list of revoked keys a second look would call a revoked key known.
#[test]
fn a_second_look_judges_by_the_same_files_and_rules() {
    let given = "--known-hosts known --known-hosts 'my keys' --revoked-host-keys krl --bad-keys bad \
                 --host-key-types ssh-rsa --host-key-alias pool --strict-host-keys --check-host-ip ";
    let quoted = given.replace("'my keys'", "QUOTED");
    let words = quoted.split_whitespace().map(|word| if word == "QUOTED" { "my keys" } else { word });
    let config = config(&words.chain(["h"]).collect::<Vec<_>>()).expect("valid");
    assert_eq!(config.reach_options(), given);
}

#[test]
fn a_short_timeout_is_warned_of_where_neighbours_are_asked_for() {
    let warned = |args: &[&str]| !config(args).expect("valid").warnings.is_empty();
    assert!(warned(&["--timeout=2s", "h"]));
    assert!(!warned(&["--timeout=2s", "--proxy=http://127.0.0.1:1", "h"]));
    assert!(!warned(&["--timeout=2s", "--proxy-command=nc %h %p", "h"]));
}

#[test]
fn the_resolver_is_told_what_was_asked_for() {
    let told =
        config(&["--resolver=192.0.2.53", "--resolver=[2001:db8::53]:5353", "-6", "h"]).expect("valid").resolver();
    let servers: Vec<String> = told.servers.iter().map(ToString::to_string).collect();
    assert_eq!(servers, ["192.0.2.53:53", "[2001:db8::53]:5353"]);
    assert_eq!(told.families, Families::V6Only);
}

#[cfg(feature = "syn")]
#[test]
fn a_syn_sweep_goes_straight_to_the_targets_or_not_at_all() {
    let retries = |args: &[&str]| {
        let config = config(args).expect("valid");
        (config.syn.map(|syn| syn.retries), config.retries)
    };
    assert_eq!(retries(&["--syn", "10.0.0.1"]), (Some(2), 1));
    assert_eq!(retries(&["--syn", "--retries=0", "--depth=connect", "--proxy-command=none", "10.0.0.1"]), (Some(0), 0));
    assert_eq!(retries(&["10.0.0.1"]), (None, 1));
    for (args, line) in [
        (
            &["--proxy-command=nc %h %p"][..],
            "--syn: a program makes the connections (--proxy-command), and SYNs from here do not lead there; leave --syn away",
        ),
        (
            &["--proxy=socks5://192.0.2.1"],
            "--syn: the targets are reached through a proxy (--proxy), and SYNs from here do not lead there; leave --syn away",
        ),
        #[cfg(feature = "login")]
        (
            &["-Jhop"],
            "--syn: the targets are reached through jump hosts (--jump), and SYNs from here do not lead there; leave --syn away",
        ),
        #[cfg(feature = "iap")]
        (
            &["--iap", "--project=p", "--zone=z"],
            "--syn: the targets are reached through the Identity-Aware Proxy, and SYNs from here do not lead there; leave --syn away",
        ),
    ] {
        assert_eq!(config(&[&["--syn", "h"][..], args].concat()).err().as_deref(), Some(line));
    }
}

#[cfg(feature = "login")]
#[test]
fn ssh_is_led_the_same_way() {
    let options = |args: &[&str]| config(&[args, &["web1"]].concat()).expect("valid").ssh_options();
    assert_eq!(options(&[]).as_deref(), Some(""));
    let told = ["-F", "none", "--depth", "login", "-i", "/my keys/id", "-J", "a,b:2222", "--source", "192.0.2.1", "-4"];
    assert_eq!(options(&told).as_deref(), Some("-F none -J a,b:2222 -b 192.0.2.1 -i '/my keys/id' -4 "));
    let command = ["--proxy-command", "nc %h %p"];
    assert_eq!(options(&command).as_deref(), Some("-o 'ProxyCommand=nc %h %p' "));
    assert_eq!(options(&["--proxy", "socks5://192.0.2.1:1080"]), None, "ssh has no proxy of its own");
}

#[test]
fn of_an_option_given_twice_the_last_counts() {
    assert_eq!(config(&["--rate", "0", "--rate", "5", "h"]).expect("valid").rate, 5);
}
