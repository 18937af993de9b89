//! How often the kernel's tables of neighbours (ARP and neighbour discovery) had no room for another one.

use super::{Attributes, Reader, Request, Unclear, request};

// linux/rtnetlink.h, linux/neighbour.h.
const NEW_TABLE: u16 = 64;
const GET_TABLE: u16 = 66;
const STATISTICS: u16 = 7;
/// The last of `struct ndt_stats`' counters, `ndts_table_fulls`.
const TABLE_FULLS: usize = 80;

/// The counts of all tables together.
#[derive(Debug, Default)]
pub struct Fulls(Option<u64>);

impl Fulls {
    /// The message that asks for the tables of all families.
    #[must_use]
    pub fn request() -> Request {
        request(GET_TABLE, 0)
    }

    /// How often; `None` where no table says so.
    #[must_use]
    pub const fn count(&self) -> Option<u64> {
        self.0
    }
}

impl Reader for Fulls {
    fn message(&mut self, kind: u16, body: &[u8]) -> Result<(), Unclear> {
        // After `struct ndtmsg`. A table is told of with its statistics once, and without for each interface.
        let attributes = body.get(4..).filter(|_| kind == NEW_TABLE).unwrap_or_default();
        for attribute in Attributes(attributes) {
            if let (STATISTICS, value) = attribute? {
                let count = value.get(TABLE_FULLS..).and_then(|rest| rest.first_chunk()).ok_or(Unclear)?;
                self.0 = Some(self.0.unwrap_or_default().saturating_add(u64::from_ne_bytes(*count)));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::written::{attribute, message};
    use super::super::{DONE, half};
    use super::*;
    use proptest::prelude::*;

    fn table(name: &str, fulls: Option<u64>) -> Vec<u8> {
        let statistics =
            fulls.map(|fulls| attribute(STATISTICS, &[&[9; TABLE_FULLS][..], &fulls.to_ne_bytes()].concat()));
        let attributes = [attribute(1, name.as_bytes()), statistics.unwrap_or_default(), attribute(8, &[0; 8])];
        message(NEW_TABLE, 2, &[vec![2, 0, 0, 0], attributes.concat()].concat())
    }

    #[test]
    fn the_counts_of_all_tables_are_added_up() {
        let mut fulls = Fulls::default();
        let tables = [table("arp_cache\0", Some(3)), table("arp_cache\0", None), table("ndisc_cache\0", Some(1 << 40))];
        assert_eq!((fulls.count(), fulls.read(&tables.concat())), (None, Ok(false)));
        assert_eq!((fulls.read(&message(DONE, 2, &[0; 4])), fulls.count()), (Ok(true), Some((1 << 40) + 3)));
        let request = Fulls::request();
        assert_eq!((half(&request, 4), half(&request, 6), request[16]), (Some(66), Some(0x301), 0));
    }

    #[test]
    fn short_statistics_are_unclear() {
        let short = [vec![2, 0, 0, 0], attribute(STATISTICS, &[0; TABLE_FULLS])].concat();
        assert_eq!(Fulls::default().read(&message(NEW_TABLE, 2, &short)), Err(Unclear));
    }

    proptest! {
        #[test]
        fn nothing_panics(bytes: Vec<u8>) {
            let _ = Fulls::default().read(&bytes);
            let _ = Fulls::default().read(&message(NEW_TABLE, 0, &bytes));
        }
    }
}
