//! Trouble on the way: a dead neighbour is the network's, a missing route is our own.

use std::net::SocketAddr;

use serde_json::Value;

use crate::support::fleet::Fleet;
use crate::support::guard::lab;
use crate::support::run::{run, sshprobe};
use crate::support::topology::{Family, PROBER_DEVICE, PROBER_V4, PROBER_V6, ROUTER_V4, ROUTER_V6};

const STOCK: &str = "* openssh ok ok - auth ident=SSH-2.0-OpenSSH_ kexinit key=ssh-ed25519 methods=publickey,password";

fn probe(fleet: &Fleet, targets: &[&str]) -> Vec<Value> {
    let mut command = sshprobe(&fleet.topology.prober, &[]);
    command.args(targets).args(["--format", "jsonl"]);
    let mut run = run(command);
    assert_eq!(run.records.len(), targets.len(), "{}", run.stderr);
    run.records.sort_by_key(|record| record["target"]["index"].as_u64());
    run.records
}

fn expect(record: &Value, status: &str, code: &str, errno: &str) {
    assert_eq!(record["status"], status, "{record}");
    assert_eq!(record["code"], code, "{record}");
    assert_eq!(record["stage"], "connect", "{record}");
    assert_eq!(record["net"]["errno"], errno, "{record}");
}

/// Linux asks three times for a neighbour's link-layer address, a second apart, before it gives up: a connect deadline that
/// comes sooner would take this for silence.
#[test]
fn path_to_a_dead_neighbour_is_unreachable() {
    let Some(_lab) = lab() else { return };
    for family in [Family::V4, Family::V6] {
        let fleet = Fleet::of(STOCK, family);
        let (ours, behind, own, router) = match family {
            Family::V4 => ("192.0.2.99", "203.0.113.9", PROBER_V4, ROUTER_V4),
            Family::V6 => ("fd00:0:0:a::99", "fd00:0:0:d::9", PROBER_V6, ROUTER_V6),
        };
        fleet.topology.router.ip("link add stub0 type bridge");
        // A bridge without ports has no carrier, and an address on it would be of no use.
        fleet.topology.router.ip("link add stub1 type veth peer name stub2");
        for words in ["set dev stub2 master stub0", "set dev stub0 up", "set dev stub1 up", "set dev stub2 up"] {
            fleet.topology.router.ip(&format!("link {words}"));
        }
        fleet.topology.router.ip("addr add 203.0.113.1/24 dev stub0");
        fleet.topology.router.ip("addr add fd00:0:0:d::1/64 dev stub0 nodad");
        let healthy = family.address(9).to_string();
        let records = probe(&fleet, &[ours, behind, &healthy]);
        expect(&records[0], "unreachable", "unreachable-host", "EHOSTUNREACH");
        expect(&records[1], "unreachable", "unreachable-host", "EHOSTUNREACH");
        // The first error is made by our own kernel, so a sender, if any is told, is ourselves.
        let said =
            |record: &Value| record["net"]["icmp"]["from"].as_str().map(|from| from.parse().expect("an address"));
        let address = |text: &str| text.parse::<std::net::IpAddr>().expect("an address");
        assert!(said(&records[0]).is_none_or(|from| from == address(own)), "{}", records[0]);
        assert_eq!(said(&records[1]), Some(address(router)), "{}", records[1]);
        assert_eq!(records[2]["code"], "ok", "{}", records[2]);
    }
}

#[test]
fn path_that_we_do_not_have_is_our_own_trouble() {
    let Some(_lab) = lab() else { return };
    for family in [Family::V4, Family::V6] {
        let fleet = Fleet::of(STOCK, family);
        let prober = &fleet.topology.prober;
        let (flag, network, router, elsewhere) = match family {
            Family::V4 => ("", "10.0.0.0/24", ROUTER_V4, "203.0.113.9"),
            Family::V6 => ("-6", "fd00:0:0:1::/120", ROUTER_V6, "2001:db8::9"),
        };
        prober.ip(&format!("{flag} route del default"));
        prober.ip(&format!("{flag} route add {network} via {router}"));
        let address = |octet| family.address(octet).to_string();
        prober.ip(&format!("{flag} route add prohibit {}", address(6)));
        prober.ip(&format!("{flag} route add blackhole {}", address(7)));
        prober.ip(&format!("{flag} route add unreachable {}", address(8)));
        let records = probe(&fleet, &[elsewhere, &address(6), &address(7), &address(8), &address(9)]);
        expect(&records[0], "local-error", "local-no-route", "ENETUNREACH");
        expect(&records[1], "local-error", "local-policy", "EACCES");
        expect(&records[2], "local-error", "local-policy", "EINVAL");
        assert_eq!(records[3]["status"], "local-error", "a route of our own says no: {}", records[3]);
        assert_eq!(records[4]["code"], "ok", "{}", records[4]);

        // The whole interface gone: nobody out there is to blame.
        prober.ip(&format!("link set dev {PROBER_DEVICE} down"));
        for record in probe(&fleet, &[&address(9), &address(10)]) {
            expect(&record, "local-error", "local-no-route", "ENETUNREACH");
        }
    }
}

/// Nothing tells a connection that its SYN was dropped on the way out: to who asks no further it is the target that is silent.
#[test]
fn path_that_our_own_filter_drops_is_our_own_trouble() {
    let Some(_lab) = lab() else { return };
    for (family, word) in [(Family::V4, "ip"), (Family::V6, "ip6")] {
        let fleet = Fleet::of(SOME_DEAD, family);
        let address = |octet| family.address(octet).to_string();
        fleet.topology.prober.nft(&format!(
            "table inet lab {{\n chain output {{\n type filter hook output priority 0\n {word} daddr {} drop\n }}\n \
             chain later {{\n type filter hook postrouting priority 0\n {word} daddr {} drop\n }}\n}}\n",
            address(9),
            address(10)
        ));
        let records = probe(&fleet, &[&address(9), &address(10), &address(7), &address(11)]);
        for record in &records[..2] {
            assert_eq!(
                (&record["status"], &record["code"]),
                (&"local-error".into(), &"local-policy".into()),
                "{record}"
            );
            assert_eq!((&record["stage"], &record["connections"]), (&"connect".into(), &0.into()), "{record}");
        }
        let codes: Vec<_> = records[2..].iter().map(|record| &record["code"]).collect();
        assert_eq!(codes, ["timeout-connect", "ok"], "what others drop is their silence");
        // Nor is it the proxy's that the way to the proxy is barred here.
        for scheme in ["socks5", "http"] {
            let mut command = sshprobe(&fleet.topology.prober, &[]);
            let proxy = format!("{scheme}://{}", SocketAddr::new(family.address(9), 1080));
            command.args(["--proxy", &proxy, &address(11), "--format", "jsonl"]);
            let record = &run(command).records[0];
            assert_eq!(
                (&record["status"], &record["code"]),
                (&"local-error".into(), &"local-policy".into()),
                "{record}"
            );
            assert!(record["detail"].as_str().is_some_and(|detail| detail.contains(":1080 did not leave")), "{record}");
        }
    }
}

const SOME_DEAD: &str =
    "* openssh ok ok - auth ident=SSH-2.0-OpenSSH_ kexinit key=ssh-ed25519 methods=publickey,password
7 router:drop timeout timeout-connect - connect
8 router:drop timeout timeout-connect - connect";

/// The first silence is waited for as long as it takes, and the next ones as long as the network is known to need.
#[test]
fn path_whose_round_trips_are_known_is_waited_for_no_longer_than_it_needs() {
    let Some(_lab) = lab() else { return };
    let fleet = Fleet::of(SOME_DEAD, Family::V4);
    let targets = [7, 9, 8].map(|octet| Family::V4.address(octet).to_string());
    // What the first silence took, what the second one was due to take by the round trip between them, and what it took.
    let waited = |options: &[&str]| -> (f64, f64, f64) {
        let mut command = sshprobe(&fleet.topology.prober, &[]);
        command.args(&targets).args(["--format=jsonl", "--order=given", "-c1"]).args(options);
        let mut run = run(command);
        run.records.sort_by_key(|record| record["target"]["index"].as_u64());
        let codes: Vec<_> = run.records.iter().map(|record| record["code"].clone()).collect();
        assert_eq!(codes, ["timeout-connect", "ok", "timeout-connect"], "{}", run.stderr);
        let seconds = |at: usize, of: &str| run.records[at]["timing_us"][of].as_f64().expect("a time") / 1e6;
        (seconds(0, "total"), (3.0 + 6.0 * seconds(1, "connect")).clamp(3.5, 5.0), seconds(2, "total"))
    };
    let learned = waited(&[]);
    let (first, due, second) = learned;
    // On a busy machine a round trip may seem to be a long one.
    assert!(first >= 5.0 && second >= due - 0.01 && (second < 5.0 || due > 4.5), "{learned:?}");
    let obeyed = waited(&["--connect-timeout=4s"]);
    assert!(obeyed.0 >= 4.0 && obeyed.2 >= 4.0, "{obeyed:?}");
}

/// One in five SYNs is lost, and as many answers: some have to be asked again, and nobody who is there is missed.
#[test]
fn path_that_loses_packets_is_said_to_and_loses_no_host() {
    let Some(_lab) = lab() else { return };
    let fleet = Fleet::of(STOCK, Family::V4);
    fleet.topology.router.nft(
        "table inet loss { chain forward { type filter hook forward priority -5;
         tcp flags & (syn | rst) == syn numgen random mod 100 < 10 drop; }; }",
    );
    let folder = tempfile::TempDir::new().expect("a folder");
    std::os::unix::fs::chown(folder.path(), Some(65534), Some(65534)).expect("nobody's");
    let stats = folder.path().join("sshprobe.prom");
    let mut command = sshprobe(&fleet.topology.prober, &[]);
    let network = Family::V4.network();
    command.args([network, "--format=jsonl", "--depth=connect", "--retries=3"]).arg("--stats-file").arg(&stats);
    let run = run(command);
    assert_eq!(run.records.len(), 256, "{}", run.stderr);
    let text = std::fs::read_to_string(&stats).expect("figures");
    let figure = |name: &str| -> f64 {
        let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_else(|| panic!("no {name}: {text}"));
        line.trim().parse().expect("a number")
    };
    let (handshakes, resent) = (figure("sshprobe_handshakes_total "), figure("sshprobe_handshakes_resent_total "));
    assert!(handshakes >= 250.0 && (15.0..110.0).contains(&resent), "{resent} of {handshakes}");
    let loss = figure("sshprobe_loss_ratio ");
    assert!((0.03..0.25).contains(&loss), "{loss}");
}
