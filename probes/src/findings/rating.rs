//! `rules/algorithms.toml` as it is used: what public guidance says about an algorithm.

use std::sync::OnceLock;

use toml_span::de_helpers::TableHelper;
use toml_span::value::Value;
use toml_span::{DeserError, Deserialize};

use crate::evidence::Slot;
use crate::rules::{Text, load, malformed};

/// The table, as text.
static TABLE: &str = include_str!("../../rules/algorithms.toml");

/// What public guidance thinks of an algorithm, worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Rating {
    /// Practical attacks, or no protection at all.
    Broken,
    /// Below today's margin: has to go.
    Weak,
    /// To be phased out, but a default of current software or still needed: no fault by itself.
    Legacy,
    /// Nothing to be done now.
    Acceptable,
    /// What to choose.
    Recommended,
}

impl Rating {
    /// The word used in the table and in sentences.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Rating::Broken => "broken",
            Rating::Weak => "weak",
            Rating::Legacy => "legacy",
            Rating::Acceptable => "acceptable",
            Rating::Recommended => "recommended",
        }
    }
}

/// An algorithm of the table.
#[derive(Debug)]
#[non_exhaustive]
pub struct RatedAlgorithm {
    /// The name as negotiated; may hold one `*`.
    pub name: &'static str,
    /// The KEXINIT list it stands in.
    pub slot: Slot,
    /// What it is built from.
    pub family: &'static str,
    /// Withstands a quantum computer.
    pub pq: bool,
    /// Why it is rated so.
    pub reason: &'static str,
    /// Who says so.
    pub source: &'static str,
    /// When, as `YYYY-MM`.
    pub date: &'static str,
    rating: Rating,
    /// The rating below a size in bits, smallest first.
    by_bits: Vec<(u32, Rating)>,
}

impl RatedAlgorithm {
    /// The rating for the sizes in use today.
    #[must_use]
    pub const fn rating(&self) -> Rating {
        self.rating
    }

    /// The rating with a group or key of `bits` bits.
    #[must_use]
    pub fn rating_at(&self, bits: u32) -> Rating {
        self.by_bits.iter().find(|(below, _)| bits < *below).map_or(self.rating, |(_, rating)| *rating)
    }
}

/// What is known about the algorithm `name` of a KEXINIT list. `None` for pseudo names (`ext-info-s`) and for names that the
/// table does not hold: unknown is not weak.
#[must_use]
pub fn rate(slot: Slot, name: &[u8]) -> Option<&'static RatedAlgorithm> {
    Ratings::all().find(slot, name)
}

/// The whole table.
#[derive(Debug, Default)]
struct Ratings {
    algorithms: Vec<RatedAlgorithm>,
    /// Exact names, each list's sorted: a probe looks up some thirty, and halving a short list beats hashing a long name.
    exact: [Vec<(&'static [u8], usize)>; 5],
    /// Those with a star: what must stand before it, what behind.
    starred: Vec<(Slot, &'static [u8], &'static [u8], usize)>,
}

impl Ratings {
    /// Read at first use. The tests prove that the table is well formed; one that were not would rate nothing.
    fn all() -> &'static Self {
        static RATINGS: OnceLock<Ratings> = OnceLock::new();
        RATINGS.get_or_init(|| load(TABLE).unwrap_or_default())
    }

    fn find<'r>(&'r self, slot: Slot, name: &[u8]) -> Option<&'r RatedAlgorithm> {
        let exact = self.exact.get(slot as usize)?;
        let found = exact.binary_search_by(|(known, _)| (*known).cmp(name)).ok().and_then(|at| exact.get(at));
        let index = found.map(|(_, index)| *index).or_else(|| {
            let fits =
                |before: &[u8], behind: &[u8]| name.strip_prefix(before).is_some_and(|rest| rest.ends_with(behind));
            let starred = self.starred.iter().find(|(of, before, behind, _)| *of == slot && fits(before, behind));
            starred.map(|(.., index)| *index)
        });
        self.algorithms.get(index?)
    }
}

impl Deserialize<'static> for Ratings {
    fn deserialize(value: &mut Value<'static>) -> Result<Self, DeserError> {
        let mut table = TableHelper::new(value)?;
        let mut ratings = Self { algorithms: table.required("algorithm")?, ..Self::default() };
        table.finalize(None)?;
        for (index, algorithm) in ratings.algorithms.iter().enumerate() {
            let wrong = |what| Err(malformed(value, format!("`{}` {what}", algorithm.name)).into());
            if let Some((before, behind)) = algorithm.name.split_once('*') {
                if behind.contains('*') || before.len().saturating_add(behind.len()) < 4 {
                    return wrong("has two stars, or fits nearly everything");
                }
                ratings.starred.push((algorithm.slot, before.as_bytes(), behind.as_bytes(), index));
            } else if let Some(exact) = ratings.exact.get_mut(algorithm.slot as usize) {
                match exact.binary_search_by(|(known, _)| (*known).cmp(algorithm.name.as_bytes())) {
                    Ok(_) => return wrong("stands there twice"),
                    Err(at) => exact.insert(at, (algorithm.name.as_bytes(), index)),
                }
            }
        }
        Ok(ratings)
    }
}

impl Deserialize<'static> for RatedAlgorithm {
    fn deserialize(value: &mut Value<'static>) -> Result<Self, DeserError> {
        let mut table = TableHelper::new(value)?;
        let mut text = |key| table.required::<Text>(key).map(|text| text.0);
        let (name, kind, family) = (text("name")?, text("kind")?, text("family")?);
        let (reason, source, date) = (text("reason")?, text("source")?, text("date")?);
        let rating = table.required("rating")?;
        let by_bits: Vec<Below> = table.optional("by_bits").unwrap_or_default();
        let pq = table.optional("pq").unwrap_or(false);
        table.finalize(None)?;
        let wrong = |what: String| Err(malformed(value, format!("`{name}`: {what}")).into());
        let slot = match kind {
            "kex" => Slot::Kex,
            "host-key" => Slot::HostKey,
            "cipher" => Slot::Cipher,
            "mac" => Slot::Mac,
            "compression" => Slot::Compression,
            other => return wrong(format!("`{other}` is no kind")),
        };
        let by_bits: Vec<_> = by_bits.into_iter().map(|Below(bits, rating)| (bits, rating)).collect();
        if !by_bits.is_sorted() || by_bits.iter().any(|(_, below)| *below >= rating) {
            return wrong(String::from("by_bits must rise, and stay under the rating"));
        }
        let month = date.split_once('-').is_some_and(|(year, month)| {
            year.len() == 4
                && year.parse::<u16>().is_ok()
                && month.parse::<u8>().is_ok_and(|month| (1..=12).contains(&month))
        });
        if !month || name.is_empty() || reason.is_empty() || source.is_empty() {
            return wrong(String::from("name, reason, source and date (YYYY-MM) must say something"));
        }
        Ok(Self { name, slot, family, pq, reason, source, date, rating, by_bits })
    }
}

/// `{ below = 2048, rating = "weak" }`
struct Below(u32, Rating);

impl Deserialize<'static> for Below {
    fn deserialize(value: &mut Value<'static>) -> Result<Self, DeserError> {
        let mut table = TableHelper::new(value)?;
        let below = Self(table.required("below")?, table.required("rating")?);
        table.finalize(None)?;
        Ok(below)
    }
}

impl Deserialize<'static> for Rating {
    fn deserialize(value: &mut Value<'static>) -> Result<Self, DeserError> {
        let word = Text::deserialize(value)?.0;
        let all = [Rating::Broken, Rating::Weak, Rating::Legacy, Rating::Acceptable, Rating::Recommended];
        let known = all.into_iter().find(|rating| rating.name() == word);
        known.ok_or_else(|| malformed(value, format!("`{word}` is no rating")).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_well_formed() {
        let ratings: Ratings = load(TABLE).unwrap_or_else(|error| panic!("rules/algorithms.toml, {error}"));
        assert!(ratings.algorithms.len() > 90);
        for slot in [Slot::Kex, Slot::HostKey, Slot::Cipher, Slot::Mac, Slot::Compression] {
            assert!(ratings.algorithms.iter().any(|algorithm| algorithm.slot == slot), "{slot:?}");
        }
    }

    #[test]
    fn malformed_tables_are_refused_with_their_line() {
        let entry = |name, rest| {
            let table: String = format!(
                "[[algorithm]]\nname = \"{name}\"\nkind = \"mac\"\nfamily = \"f\"\nreason = \"r\"\nsource = \"s\"\n{rest}\n"
            );
            load::<Ratings>(Box::leak(table.into_boxed_str())).map(|ratings| ratings.algorithms.len())
        };
        assert_eq!(entry("m", "date = \"2026-06\"\nrating = \"weak\""), Ok(1));
        for (name, rest) in [
            ("m", "date = \"2026-06\"\nrating = \"bad\""),
            ("m", "date = \"2026-13\"\nrating = \"weak\""),
            ("m", "date = \"June\"\nrating = \"weak\""),
            ("", "date = \"2026-06\"\nrating = \"weak\""),
            ("*", "date = \"2026-06\"\nrating = \"weak\""),
            ("hmac*md*", "date = \"2026-06\"\nrating = \"weak\""),
            ("m\\u0041", "date = \"2026-06\"\nrating = \"weak\""),
            ("m", "date = \"2026-06\"\nrating = \"weak\"\ntypo = 1"),
            ("m", "date = \"2026-06\"\nrating = \"weak\"\nby_bits = [{ below = 1, rating = \"acceptable\" }]"),
            ("m", "date = \"2026-06\""),
        ] {
            let error = entry(name, rest).unwrap_err();
            assert!(error.contains("line "), "{name} {rest}: {error}");
        }
    }

    #[test]
    fn names_and_sizes_are_rated_as_the_guidance_has_it() {
        let rating = |slot, name: &str| rate(slot, name.as_bytes()).map(RatedAlgorithm::rating);
        assert_eq!(rating(Slot::Kex, "mlkem768x25519-sha256"), Some(Rating::Recommended));
        assert_eq!(rating(Slot::Kex, "diffie-hellman-group1-sha1"), Some(Rating::Broken));
        assert_eq!(rating(Slot::Kex, "gss-group1-sha1-toWM5Slw5Ew8Mqkay+al2g=="), Some(Rating::Broken));
        assert_eq!(rating(Slot::Kex, "gss-group14-sha1-toWM5Slw5Ew8Mqkay+al2g=="), Some(Rating::Weak));
        assert_eq!(rating(Slot::Kex, "ecdh-nistp256-kyber-512r3-sha256-d00@openquantumsafe.org"), Some(Rating::Legacy));
        assert_eq!(rating(Slot::Mac, "hmac-md5-96-etm@openssh.com"), Some(Rating::Weak));
        assert_eq!(rating(Slot::HostKey, "ssh-mldsa44-ed25519@openssh.com"), Some(Rating::Recommended));
        // Pseudo names and names nobody has heard of are not rated, and a name counts only in its own list.
        for name in ["ext-info-s", "kex-strict-s-v00@openssh.com", "kexguess2@matt.ucc.asn.au", "", "hmac-md5"] {
            assert_eq!(rating(Slot::Kex, name), None, "{name}");
        }
        let at = |slot, name: &[u8], bits| rate(slot, name).unwrap().rating_at(bits);
        let gex = b"diffie-hellman-group-exchange-sha256".as_slice();
        let [below, just, good] = [1536, 2048, 3072].map(|bits| at(Slot::Kex, gex, bits));
        assert_eq!((below, just, good), (Rating::Broken, Rating::Legacy, Rating::Acceptable));
        let sizes = [768, 1024, 2047, 2048, 3071, 3072, 16384].map(|bits| at(Slot::HostKey, b"rsa-sha2-256", bits));
        use Rating::{Acceptable, Broken, Legacy, Weak};
        assert_eq!(sizes, [Broken, Weak, Weak, Legacy, Legacy, Acceptable, Acceptable]);
        assert_eq!(at(Slot::Cipher, b"aes128-ctr", 1), Rating::Acceptable, "no sizes to tell apart");
    }

    /// PQ readiness means one of exactly these.
    #[test]
    fn the_post_quantum_exchanges_are_those_that_openssh_or_the_drafts_name() {
        let mut pq: Vec<_> =
            Ratings::all().algorithms.iter().filter(|known| known.pq && known.slot == Slot::Kex).collect();
        pq.sort_by_key(|known| known.name);
        let names: Vec<_> = pq.iter().map(|known| known.name).collect();
        let expected = [
            "mlkem1024nistp384-sha384",
            "mlkem768nistp256-sha256",
            "mlkem768x25519-sha256",
            "sntrup761x25519-sha512",
            "sntrup761x25519-sha512@openssh.com",
        ];
        assert_eq!(names, expected);
    }
}
