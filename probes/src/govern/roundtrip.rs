//! What round trips say about the networks that are swept: how long silence has to last until it is one, and how much is lost.
//!
//! The kernel resends a SYN after one second and after three. Whoever answers promptly has therefore been heard after three
//! seconds and a round trip, unless both were lost; waiting for longer only keeps a place from the next address. How long a
//! round trip takes is learned in each /24 (/64) from those who answer, by the sums of RFC 6298.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use super::subnet::Net;

/// The round trips of each neighbourhood.
#[derive(Debug, Default)]
pub struct RoundTrips {
    networks: HashMap<Net, Estimate>,
}

/// Smoothed round-trip time and its variation, in microseconds (RFC 6298 section 2).
#[derive(Debug, Clone, Copy)]
struct Estimate {
    smoothed: u32,
    variation: u32,
}

impl Estimate {
    const fn first(sample: u32) -> Self {
        Self { smoothed: sample, variation: sample / 2 }
    }

    fn add(&mut self, sample: u32) {
        let apart = self.smoothed.abs_diff(sample);
        self.variation = self.variation - self.variation / 4 + apart / 4;
        self.smoothed = self.smoothed - self.smoothed / 8 + sample / 8;
    }

    /// A round trip that is not expected to be exceeded.
    fn bound(self) -> Duration {
        Duration::from_micros(u64::from(self.smoothed) + 4 * u64::from(self.variation))
    }
}

impl RoundTrips {
    /// No connect is given up sooner by adaptation: the kernel's third SYN, and half a second for its answer.
    pub const LEAST: Duration = Duration::from_millis(3500);
    /// When the kernel has sent its third SYN.
    const THIRD_SYN: Duration = Duration::from_secs(3);
    /// A connect that took as long was not answered to the first SYN, or the round trip is too long to tell the two apart.
    pub const RESENT: Duration = Duration::from_secs(1);
    /// Neighbourhoods that are remembered; those that come later have no estimate. Some 40 bytes each.
    const MOST: usize = 65_536;

    /// Nothing is known.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// `addr` has answered a connect after so long; whether to a SYN that was resent.
    ///
    /// Those teach nothing about the round trip, as nobody knows which SYN was answered (Karn's rule, RFC 6298 section 3).
    pub fn answered(&mut self, addr: IpAddr, took: Duration) -> bool {
        if took >= Self::RESENT {
            return true;
        }
        let sample = u32::try_from(took.as_micros()).unwrap_or(u32::MAX);
        let network = Net::of(addr);
        if let Some(estimate) = self.networks.get_mut(&network) {
            estimate.add(sample);
        } else if self.networks.len() < Self::MOST {
            self.networks.insert(network, Estimate::first(sample));
        }
        false
    }

    /// How long to wait for an answer of `addr`: `most`, where nothing is known of its neighbourhood, and less where round trips
    /// are short, but never less than [`Self::LEAST`].
    #[must_use]
    pub fn patience(&self, addr: IpAddr, most: Duration) -> Duration {
        let Some(estimate) = self.networks.get(&Net::of(addr)) else { return most };
        let enough = Self::THIRD_SYN + 2 * estimate.bound();
        enough.max(Self::LEAST).min(most)
    }
}

/// The share of packets lost each way, where of so many who answered so many were asked again; `None` before there were enough.
///
/// The SYN or its answer was lost for each of those: 1 - (1 - p)².
#[must_use]
pub fn loss(answers: u64, resent: u64) -> Option<f64> {
    const ENOUGH: u64 = 50;
    (answers >= ENOUGH).then(|| 1.0 - (1.0 - resent.min(answers) as f64 / answers as f64).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::net::Ipv4Addr;

    const FIVE: Duration = Duration::from_secs(5);

    fn host(net: u8, last: u8) -> IpAddr {
        Ipv4Addr::new(10, 0, net, last).into()
    }

    #[test]
    fn who_is_near_is_not_waited_for_as_long_as_who_is_unknown() {
        let mut trips = RoundTrips::new();
        assert_eq!(trips.patience(host(1, 9), FIVE), FIVE);
        assert!(!trips.answered(host(1, 1), Duration::from_millis(2)));
        assert_eq!(trips.patience(host(1, 9), FIVE), RoundTrips::LEAST);
        assert_eq!(trips.patience(host(2, 9), FIVE), FIVE, "that is another neighbourhood");
        assert_eq!(
            trips.patience(host(1, 9), Duration::from_secs(2)),
            Duration::from_secs(2),
            "what is asked for is obeyed"
        );
    }

    #[test]
    fn who_is_far_is_given_the_time_that_the_third_syn_takes_there() {
        let mut trips = RoundTrips::new();
        for _ in 0..50 {
            trips.answered(host(1, 1), Duration::from_millis(600));
        }
        let patience = trips.patience(host(1, 9), FIVE);
        assert!(patience > Duration::from_millis(4200) && patience < FIVE, "{patience:?}");
    }

    #[test]
    fn an_answer_to_a_resent_syn_counts_as_a_loss_and_is_no_round_trip() {
        let mut trips = RoundTrips::new();
        assert!(trips.answered(host(1, 1), Duration::from_millis(1003)));
        assert_eq!(trips.patience(host(1, 9), FIVE), FIVE);
        assert_eq!(loss(49, 1), None);
        assert!(loss(100, 1).is_some_and(|loss| (loss - 0.005).abs() < 0.0005));
        assert_eq!(loss(100, 200), Some(1.0));
    }

    proptest! {
        #[test]
        fn patience_is_never_under_the_least_nor_over_what_was_asked_for(
            took in proptest::collection::vec(0u64..2_000_000, 0..40),
            most in 100u64..60_000,
        ) {
            let mut trips = RoundTrips::new();
            for took in took {
                trips.answered(host(1, 1), Duration::from_micros(took));
            }
            let most = Duration::from_millis(most);
            let patience = trips.patience(host(1, 2), most);
            prop_assert!(patience <= most && patience >= RoundTrips::LEAST.min(most));
        }
    }
}
