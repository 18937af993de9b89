//! One ephemeral key for many probes.

use std::sync::{Mutex, PoisonError};

use sshprobe_probes::kex::ecdh::Lent;
use sshprobe_probes::random::Randomness;

use crate::sys::entropy;

/// Probes that use one key. Making one for each would be a tenth of what a probe costs; a thousandth of that is nothing.
const LOANS: u32 = 1000;

/// Lends a key, and makes a new one every so often.
#[derive(Debug, Default)]
pub(super) struct Lender(Mutex<Option<(Lent, u32)>>);

impl Lender {
    /// A key for a connection over which nothing secret goes. `None` without randomness: each connection makes its own then, or
    /// finds out for itself that it cannot.
    pub(super) fn lend(&self) -> Option<Lent> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((key, left @ 1..)) = kept.as_mut() {
            *left -= 1;
            return Some(key.clone());
        }
        let key = Lent::draw(&mut Randomness::new(entropy::seed().ok()?)).ok()?;
        *kept = Some((key.clone(), LOANS - 1));
        Some(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_lent_so_often_and_no_oftener() {
        let lender = Lender::default();
        let lend = || format!("{:?}", lender.lend().unwrap());
        let first = lend();
        assert!((1..LOANS).all(|_| lend() == first));
        assert_ne!(lend(), first);
    }
}
