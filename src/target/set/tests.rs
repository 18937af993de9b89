//! Sets beside what a list of all their targets would be.

use std::collections::HashSet;

use super::*;
use crate::target::seen::{Exclusions, Spelling};
use proptest::prelude::*;

/// Tells a name that has a capital X apart.
#[derive(Debug)]
struct CapitalX;

impl Spelling for CapitalX {
    fn counts(&self, typed: &str, _: &str, user: Option<&str>) -> bool {
        typed.contains('X') || user == Some("x")
    }
}

fn build_spelt(given: &[&str], excluded: &[&str]) -> Set {
    let mut exclusions = Exclusions::default();
    excluded.iter().for_each(|text| exclusions.add(&Expression::parse(text).unwrap()));
    let mut seen = Seen::new(Arc::new(exclusions), Some(Arc::new(CapitalX)));
    let mut builder = SetBuilder::default();
    for text in given {
        builder.add(text, Expression::parse(text).unwrap(), &PortSet::ssh(), &mut seen);
    }
    builder.finish(&mut seen, 0, u64::MAX, Share::WHOLE).unwrap()
}

#[test]
fn a_name_that_is_told_apart_goes_as_it_was_typed() {
    let given = ["ax", "Ax", "aX", "aX:22,23", "AX", "x@Ax", "ssh://aX:24"];
    let set = build_spelt(&given, &[]);
    let total = set.total();
    let found: Vec<_> = (0..total).map(|index| set.at(index).unwrap().unwrap()).collect();
    let targets: Vec<Target> = set.walk(Order::Given).map(Result::unwrap).collect();
    assert_eq!(found, targets);
    assert_eq!(show(&targets), "0=ax:22<ax 1=aX:22<aX 2=aX:23<aX:22,23 3=AX:22<AX 4=x@Ax:22<x@Ax 5=aX:24<ssh://aX:24");
    // Excluded is a name in any case.
    let left: Vec<Target> = build_spelt(&given, &["Ax:22"]).walk(Order::Given).map(Result::unwrap).collect();
    assert_eq!(show(&left), "0=aX:23<aX:22,23 1=aX:24<ssh://aX:24");
}

#[test]
fn how_names_are_told_apart_is_spelt_out() {
    let spelt = |set: Set| {
        let mut bytes = Vec::new();
        set.spell(|more| bytes.extend_from_slice(more));
        String::from_utf8(bytes).unwrap()
    };
    assert_ne!(spelt(build_spelt(&["aX"], &[])), spelt(build(&["aX"], &[], 9).unwrap()));
    assert_eq!(spelt(build_spelt(&["ax"], &[])), spelt(build(&["ax"], &[], 9).unwrap()));
}

fn build(given: &[&str], excluded: &[&str], limit: u64) -> Result<Set, u128> {
    let mut exclusions = Exclusions::default();
    for text in excluded {
        exclusions.add(&Expression::parse(text).unwrap());
    }
    let mut seen = Seen::new(Arc::new(exclusions), None);
    let mut builder = SetBuilder::default();
    for text in given {
        builder.add(text, Expression::parse(text).unwrap(), &PortSet::ssh(), &mut seen);
    }
    builder.finish(&mut seen, 0, limit, Share::WHOLE)
}

fn walk(given: &[&str], excluded: &[&str], order: Order) -> Vec<Target> {
    let set = build(given, excluded, u64::MAX).unwrap();
    let total = set.total();
    let targets: Vec<Target> = set.walk(order).map(Result::unwrap).collect();
    assert_eq!(targets.len() as u64, total);
    targets
}

fn show(targets: &[Target]) -> String {
    let one = |t: &Target| {
        let user = t.user.as_ref().map(|user| format!("{user}@")).unwrap_or_default();
        format!("{}{}={user}{}:{}<{}", t.index, if t.from_range { "r" } else { "" }, t.host, t.port, t.input)
    };
    targets.iter().map(one).collect::<Vec<_>>().join(" ")
}

#[test]
fn the_order_of_the_input_is_kept() {
    let targets = walk(&["b", "10.0.0.2/31:22,23", "root@a:2222", "[::5]:7"], &[], Order::Given);
    assert_eq!(
        show(&targets),
        "0=b:22<b 1r=10.0.0.2:22<10.0.0.2/31:22,23 2r=10.0.0.2:23<10.0.0.2/31:22,23 \
         3r=10.0.0.3:22<10.0.0.2/31:22,23 4r=10.0.0.3:23<10.0.0.2/31:22,23 5=root@a:2222<root@a:2222 6=::5:7<[::5]:7"
    );
}

#[test]
fn duplicates_belong_to_the_first() {
    let targets = walk(&["A.example", "a.example.", "root@a.example:22,23", "::1", "[0:0::1]:22"], &[], Order::Given);
    assert_eq!(show(&targets), "0=a.example:22<A.example 1=root@a.example:23<root@a.example:22,23 2=::1:22<::1");
}

#[test]
fn overlapping_ranges_merge_and_the_first_owns() {
    let targets = walk(&["10.0.0.1-3", "10.0.0.2-5", "10.0.0.3-4:22-23"], &[], Order::Given);
    assert_eq!(
        show(&targets),
        "0r=10.0.0.1:22<10.0.0.1-3 1r=10.0.0.2:22<10.0.0.1-3 2r=10.0.0.3:22<10.0.0.1-3 \
         3r=10.0.0.4:22<10.0.0.2-5 4r=10.0.0.5:22<10.0.0.2-5 \
         5r=10.0.0.3:23<10.0.0.3-4:22-23 6r=10.0.0.4:23<10.0.0.3-4:22-23"
    );
}

/// Whoever names an address wants to hear of it, whether a range before or behind covers it too.
#[test]
fn an_address_named_alone_is_of_no_range() {
    for given in [["10.0.0.0/30", "10.0.0.2"], ["10.0.0.2", "10.0.0.0/30"]] {
        let targets = walk(&given, &[], Order::Random { seed: 5 });
        assert_eq!(targets.len(), 4);
        let named: Vec<&Target> = targets.iter().filter(|t| !t.from_range).collect();
        assert_eq!((named.len(), named[0].host.to_string().as_str(), &*named[0].input), (1, "10.0.0.2", "10.0.0.2"));
    }
    assert!(!walk(&["10.0.0.1/32"], &[], Order::Given)[0].from_range);
}

#[test]
fn exclusions() {
    let excluded = ["10.0.0.2", "10.0.0.0/31:23", "web", "db:23"];
    let targets = walk(&["10.0.0.0/30:22-23", "web", "db:22-23", "10.0.0.2:99"], &excluded, Order::Given);
    assert_eq!(
        show(&targets),
        "0r=10.0.0.0:22<10.0.0.0/30:22-23 1r=10.0.0.1:22<10.0.0.0/30:22-23 2r=10.0.0.3:22<10.0.0.0/30:22-23 \
         3r=10.0.0.3:23<10.0.0.0/30:22-23 4=db:22<db:22-23"
    );
    assert_eq!(build(&["10.0.0.0/24", "10.0.1.1"], &["10.0.0.0/16"], 9).unwrap().total(), 0);
}

#[test]
fn exclusions_without_a_scope_hold_on_every_interface() {
    let targets = walk(&["[fe80::%1]/126", "[fe80::%2]/126"], &["fe80::1", "fe80::2%2"], Order::Given);
    let left: Vec<String> = targets.iter().map(|t| t.host.to_string()).collect();
    assert_eq!(left, ["fe80::%1", "fe80::2%1", "fe80::3%1", "fe80::%2", "fe80::3%2"]);
    let mut exclusions = Exclusions::default();
    assert!(exclusions.is_empty());
    exclusions.add(&Expression::parse("fe80::1").unwrap());
    exclusions.add(&Expression::parse("10.0.0.0/8:22").unwrap());
    for (addr, scope, port, covered) in [
        ("fe80::1", 3, 22, true),
        ("fe80::1", 0, 1, true),
        ("fe80::2", 3, 22, false),
        ("10.2.3.4", 0, 22, true),
        ("::ffff:10.2.3.4", 0, 22, true),
        ("10.2.3.4", 0, 23, false),
    ] {
        assert_eq!(exclusions.covers_address(addr.parse().unwrap(), scope, port), covered, "{addr}%{scope}:{port}");
    }
}

#[test]
fn a_slash_24_is_256_targets_shuffled() {
    let targets = walk(&["10.0.0.0/24:22"], &[], Order::Random { seed: 1 });
    assert!(targets.iter().all(|t| t.from_range && format!("10.0.0.{}", t.index) == t.host.to_string()));
    let order: Vec<u64> = targets.iter().map(|t| t.index).collect();
    let mut sorted = order.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, (0..256).collect::<Vec<_>>());
    assert_ne!(order, sorted);
    let again: Vec<u64> = walk(&["10.0.0.0/24:22"], &[], Order::Random { seed: 1 }).iter().map(|t| t.index).collect();
    assert_eq!(order, again);
}

/// The load is spread over all ranges given, not over one after the other.
#[test]
fn ranges_are_shuffled_together() {
    let targets = walk(&["10.0.0.0/24", "web", "10.1.0.0/24"], &[], Order::Random { seed: 3 });
    assert_eq!(targets[256].host.to_string(), "web");
    let first_half = targets[..256].iter().filter(|t| t.host.to_string().starts_with("10.1.")).count();
    assert!((64..192).contains(&first_half), "{first_half} of 256");
}

/// A /8 is one interval: nothing in the set is as long as the range.
#[test]
fn a_slash_8_is_held_as_what_it_is() {
    let set = build(&["10.0.0.0/8"], &["10.9.0.0/16"], u64::MAX).unwrap();
    assert_eq!((set.total(), set.entries.len(), set.segments.len(), set.text.len()), ((1 << 24) - (1 << 16), 1, 2, 0));
    let mut walk = set.walk(Order::Random { seed: 9 });
    let first = walk.next().unwrap().unwrap();
    assert!(first.from_range && first.host.to_string().starts_with("10."));
    let nth = walk.nth(1_000_000).unwrap().unwrap();
    assert_ne!(nth.host, first.host);
}

#[test]
fn too_many_are_counted_exactly_and_never_listed() {
    assert_eq!(build(&["10.0.0.0/8"], &[], 1 << 24).unwrap().total(), 1 << 24);
    assert_eq!(build(&["10.0.0.0/8", "a"], &[], 1 << 24).unwrap_err(), (1 << 24) + 1);
    assert_eq!(build(&["[2001:db8::]/64"], &[], u64::MAX).unwrap_err(), 1 << 64);
    assert_eq!(build(&["[2001:db8::]/64"], &["[2001:db8::]/65"], u64::MAX).unwrap().total(), 1 << 63);
    assert_eq!(build(&["::/0", "a"], &[], u64::MAX).unwrap_err(), u128::MAX);
    assert_eq!(build(&["[::]/0:1-65535"], &[], u64::MAX).unwrap_err(), u128::MAX);
    assert_eq!(build(&["0.0.0.0/0:1-65535"], &[], u64::MAX).unwrap().total(), (1 << 32) * 65_535);
}

#[test]
fn a_v6_range_near_the_limit_is_walked() {
    let set = build(&["[2001:db8::]/66"], &[], u64::MAX).unwrap();
    for seed in 0..20 {
        let set = build(&["[2001:db8::]/66"], &[], u64::MAX).unwrap();
        let target = set.walk(Order::Random { seed }).next().unwrap().unwrap();
        assert!(target.index < 1 << 62);
    }
    assert_eq!(set.walk(Order::Given).next().unwrap().unwrap().host.to_string(), "2001:db8::");
}

/// One expression of a small world where everything overlaps: its text, hosts and ports.
fn expression() -> impl Strategy<Value = (String, Vec<String>, Vec<u16>)> {
    let hosts = prop_oneof![
        (0u8..24).prop_map(|d| (format!("10.0.0.{d}"), vec![format!("10.0.0.{d}")])),
        (0u8..24, 0u8..8).prop_map(|(d, n)| {
            (format!("10.0.0.{d}-{}", d + n), (d..=d + n).map(|d| format!("10.0.0.{d}")).collect())
        }),
        (0u8..24, 28u8..=32).prop_map(|(d, length)| {
            let size = 1u8 << (32 - length);
            let base = d / size * size;
            (format!("10.0.0.{d}/{length}"), (base..=base + (size - 1)).map(|d| format!("10.0.0.{d}")).collect())
        }),
        (0u16..12, 124u8..=128).prop_map(|(d, length)| {
            let size = 1u16 << (128 - length);
            let base = d / size * size;
            let addr = |d: u16| std::net::Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, d).to_string();
            (format!("[{}]/{length}", addr(d)), (base..base + size).map(addr).collect())
        }),
        (0u8..3).prop_map(|n| (format!("host{n}"), vec![format!("host{n}")])),
    ];
    (hosts, proptest::collection::btree_set(20u16..25, 0..3)).prop_map(|((text, hosts), ports)| {
        let list = ports.iter().map(u16::to_string).collect::<Vec<_>>().join(",");
        let text = if list.is_empty() { text } else { format!("{text}:{list}") };
        (text, hosts, ports.into_iter().collect())
    })
}

/// What a set must be, by listing everything.
fn naive(
    given: &[(String, Vec<String>, Vec<u16>)],
    excluded: &[(String, Vec<String>, Vec<u16>)],
) -> Vec<(String, u16, String, bool)> {
    let mut taken: HashSet<(String, u16)> = HashSet::new();
    for (_, hosts, ports) in excluded {
        for host in hosts {
            let all: Vec<u16> = if ports.is_empty() { (20..26).collect() } else { ports.clone() };
            taken.extend(all.into_iter().map(|port| (host.clone(), port)));
        }
    }
    let mut owned: Vec<Vec<(String, u16)>> = vec![Vec::new(); given.len()];
    for alone in [true, false] {
        for (i, (_, hosts, ports)) in given.iter().enumerate().filter(|(_, (_, hosts, _))| (hosts.len() == 1) == alone)
        {
            for host in hosts {
                for port in if ports.is_empty() { &[22][..] } else { ports } {
                    if taken.insert((host.clone(), *port)) {
                        owned[i].push((host.clone(), *port));
                    }
                }
            }
        }
    }
    let flat = given.iter().zip(owned).flat_map(|((text, hosts, _), owned)| {
        owned.into_iter().map(move |(host, port)| (host, port, text.clone(), hosts.len() > 1))
    });
    flat.collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn a_set_is_what_listing_gives(
        given in proptest::collection::vec(expression(), 0..12),
        excluded in proptest::collection::vec(expression(), 0..4),
        seed: u64,
    ) {
        let wanted = naive(&given, &excluded);
        let texts = |list: &[(String, Vec<String>, Vec<u16>)]| list.iter().map(|(text, ..)| text.clone()).collect::<Vec<_>>();
        let (given, excluded) = (texts(&given), texts(&excluded));
        let given: Vec<&str> = given.iter().map(String::as_str).collect();
        let excluded: Vec<&str> = excluded.iter().map(String::as_str).collect();
        let got = |t: &Target| (t.host.to_string(), t.port, t.input.to_string(), t.from_range);

        let in_order = walk(&given, &excluded, Order::Given);
        // Ranges list their addresses first and the ports of each; the model does so too.
        let listed: Vec<_> = in_order.iter().map(got).collect();
        prop_assert_eq!(&listed, &wanted);
        let set = build(&given, &excluded, u64::MAX).unwrap();
        for (i, target) in in_order.iter().enumerate() {
            prop_assert_eq!(target.index, i as u64);
            prop_assert_eq!(set.at(i as u64), Some(Ok(target.clone())));
        }
        prop_assert_eq!(set.at(set.total()), None);
        prop_assert_eq!(set.at(u64::MAX), None);

        let mut shuffled = walk(&given, &excluded, Order::Random { seed });
        for (a, b) in shuffled.iter().zip(&in_order) {
            prop_assert_eq!(a.from_range, b.from_range);
            prop_assert!(a.from_range || a == b);
        }
        shuffled.sort_by_key(|target| target.index);
        prop_assert_eq!(shuffled, in_order);
    }
}
