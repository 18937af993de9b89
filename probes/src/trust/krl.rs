//! OpenSSH's key revocation lists (PROTOCOL.krl): read whole or not at all, as half a list trusts what the other half revokes.

use std::collections::{HashMap, HashSet};

use thiserror::Error;

use super::revoked::RevokedBy;
use crate::hostkey::{Certificate, canonical_key, is_certificate, key_info, key_type};
use crate::wire::read::{ReadError, Reader};

/// What a KRL begins with. A file that begins otherwise is a list of keys, as for ssh.
pub(super) const MAGIC: &[u8] = b"SSHKRL\n\0";

/// The one version there is.
const FORMAT_VERSION: u32 = 1;

const SECTION_CERTIFICATES: u8 = 1;
const SECTION_EXPLICIT_KEY: u8 = 2;
const SECTION_FINGERPRINT_SHA1: u8 = 3;
const SECTION_SIGNATURE: u8 = 4;
const SECTION_FINGERPRINT_SHA256: u8 = 5;
const SECTION_EXTENSION: u8 = 255;

const CERT_SERIAL_LIST: u8 = 0x20;
const CERT_SERIAL_RANGE: u8 = 0x21;
const CERT_SERIAL_BITMAP: u8 = 0x22;
const CERT_KEY_ID: u8 = 0x23;
const CERT_EXTENSION: u8 = 0x39;

/// As long a bitmap as OpenSSH takes, in bytes: its largest number.
const BITMAP_MAX: usize = 2048;

/// Why a file is no KRL that OpenSSH would use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(super) enum KrlFault {
    /// It does not have a KRL's layout.
    #[error("{0} of a section or field")]
    Layout(#[from] ReadError),
    /// Its fields are there and mean nothing.
    #[error("{0}")]
    Value(&'static str),
    /// A section of another kind than those known.
    #[error("a section of unknown type {0}")]
    Section(u8),
    /// The same within what it says of certificates.
    #[error("a certificate section of unknown type {0:#04x}")]
    CertSection(u8),
}

/// A revocation list, ready to be asked.
#[derive(Debug, Clone, Default)]
pub(super) struct Krl {
    keys: HashSet<Box<[u8]>>,
    sha1: HashSet<[u8; 20]>,
    sha256: HashSet<[u8; 32]>,
    /// By the authority's canonical blob.
    authorities: HashMap<Box<[u8]>, Certificates>,
    /// What holds whoever the authority is.
    any_authority: Certificates,
}

/// What is revoked of one authority's certificates.
#[derive(Debug, Clone, Default)]
struct Certificates {
    /// Ranges with both ends in them, sorted, no two of which touch.
    ranges: Vec<(u64, u64)>,
    bitmaps: Vec<Bitmap>,
    key_ids: HashSet<Box<[u8]>>,
}

/// A number whose bit n stands for the serial `first + n`. It is kept as it came: as ranges it might take 64 times the room.
#[derive(Debug, Clone)]
struct Bitmap {
    first: u64,
    /// Big-endian, without leading zeros.
    bits: Box<[u8]>,
}

impl Krl {
    /// Reads a KRL with its magic.
    pub(super) fn parse(content: &[u8]) -> Result<Self, KrlFault> {
        let mut reader = Reader::new(content);
        if reader.bytes(MAGIC.len(), "magic cut short")? != MAGIC {
            return Err(KrlFault::Value("not a KRL"));
        }
        if reader.u32()? != FORMAT_VERSION {
            return Err(KrlFault::Value("a KRL of another format version than 1"));
        }
        // The list's own version, when it was made, and flags, of which none are defined.
        let (_, _, _) = (reader.u64()?, reader.u64()?, reader.u64()?);
        // Reserved.
        reader.string()?;
        // A comment.
        c_string(&mut reader)?;
        let mut krl = Self::default();
        while !reader.rest().is_empty() {
            let (kind, section) = (reader.u8()?, Reader::new(reader.string()?));
            krl.section(kind, section)?;
        }
        krl.any_authority.settle();
        krl.authorities.values_mut().for_each(Certificates::settle);
        Ok(krl)
    }

    fn section(&mut self, kind: u8, mut section: Reader<'_>) -> Result<(), KrlFault> {
        match kind {
            SECTION_CERTIFICATES => self.certificates(section),
            SECTION_EXTENSION => extension(section),
            // OpenSSH 9.4 took out what was never more than half of them.
            SECTION_SIGNATURE => Err(KrlFault::Value("a signed KRL, which OpenSSH does not support since 9.4")),
            SECTION_EXPLICIT_KEY | SECTION_FINGERPRINT_SHA1 | SECTION_FINGERPRINT_SHA256 => {
                while !section.rest().is_empty() {
                    let entry = section.string()?;
                    self.entry(kind, entry)?;
                }
                Ok(())
            }
            other => Err(KrlFault::Section(other)),
        }
    }

    fn entry(&mut self, kind: u8, entry: &[u8]) -> Result<(), KrlFault> {
        const LENGTH: KrlFault = KrlFault::Value("a fingerprint of another length than its hash");
        match kind {
            SECTION_FINGERPRINT_SHA1 => self.sha1.insert(entry.try_into().map_err(|_| LENGTH)?),
            SECTION_FINGERPRINT_SHA256 => self.sha256.insert(entry.try_into().map_err(|_| LENGTH)?),
            _ => self.keys.insert(entry.into()),
        };
        Ok(())
    }

    fn certificates(&mut self, mut section: Reader<'_>) -> Result<(), KrlFault> {
        let authority = section.string()?;
        // Reserved.
        section.string()?;
        let revoked = if authority.is_empty() {
            &mut self.any_authority
        } else {
            const AUTHORITY: KrlFault = KrlFault::Value("an authority whose key is none");
            key_info(authority).map_err(|_| AUTHORITY)?;
            let certified = key_type(authority).is_some_and(is_certificate);
            // No certificate's authority is a certificate: kept as it is, such a blob equals no authority, as for ssh.
            let blob = if certified { authority.into() } else { canonical_key(authority).map_err(|_| AUTHORITY)? };
            self.authorities.entry(blob.as_ref().into()).or_default()
        };
        while !section.rest().is_empty() {
            let (kind, sub) = (section.u8()?, Reader::new(section.string()?));
            revoked.section(kind, sub)?;
        }
        Ok(())
    }

    /// Whether a plain key is revoked, given in its canonical form and with its two hashes.
    pub(super) fn revokes_key(&self, blob: &[u8], sha1: &[u8; 20], sha256: &[u8; 32]) -> Option<RevokedBy> {
        if self.sha1.contains(sha1) {
            return Some(RevokedBy::Sha1);
        }
        if self.sha256.contains(sha256) {
            return Some(RevokedBy::Sha256);
        }
        self.keys.contains(blob).then_some(RevokedBy::Key)
    }

    /// Whether a certificate is revoked as what it is; `authority` is its authority's key in its canonical form.
    pub(super) fn revokes_certificate(&self, cert: &Certificate<'_>, authority: &[u8]) -> Option<RevokedBy> {
        let own = self.authorities.get(authority).and_then(|revoked| revoked.revokes(cert));
        own.or_else(|| self.any_authority.revokes(cert))
    }
}

impl Certificates {
    fn section(&mut self, kind: u8, mut sub: Reader<'_>) -> Result<(), KrlFault> {
        match kind {
            CERT_SERIAL_LIST => {
                while !sub.rest().is_empty() {
                    let serial = sub.u64()?;
                    self.range(serial, serial)?;
                }
            }
            CERT_SERIAL_RANGE => {
                let (first, last) = (sub.u64()?, sub.u64()?);
                self.range(first, last)?;
            }
            CERT_SERIAL_BITMAP => {
                let (first, bits) = (sub.u64()?, sub.mpint()?);
                self.bitmap(first, bits)?;
            }
            CERT_KEY_ID => {
                while !sub.rest().is_empty() {
                    let id = c_string(&mut sub)?;
                    self.key_ids.insert(id.into());
                }
            }
            CERT_EXTENSION => return extension(sub),
            other => return Err(KrlFault::CertSection(other)),
        }
        Ok(sub.end()?)
    }

    fn range(&mut self, first: u64, last: u64) -> Result<(), KrlFault> {
        if first == 0 || first > last {
            return Err(KrlFault::Value("a range of serials that begins with 0 or ends before it begins"));
        }
        self.ranges.push((first, last));
        Ok(())
    }

    fn bitmap(&mut self, first: u64, bits: &[u8]) -> Result<(), KrlFault> {
        let Some(top) = bits.first() else { return Ok(()) };
        if bits.len() > BITMAP_MAX {
            return Err(KrlFault::Value("a bitmap of more than 16384 bits"));
        }
        let length = bits.len().saturating_mul(8).saturating_sub(usize::try_from(top.leading_zeros()).unwrap_or(0));
        let last = u64::try_from(length).unwrap_or(u64::MAX).saturating_sub(1);
        if first.checked_add(last).is_none() {
            return Err(KrlFault::Value("a bitmap that ends beyond the last serial"));
        }
        let zero = bits.last().is_some_and(|low| low & 1 != 0);
        if first == 0 && zero {
            return Err(KrlFault::Value("a bitmap that revokes serial 0"));
        }
        self.bitmaps.push(Bitmap { first, bits: bits.into() });
        Ok(())
    }

    /// Sorts the ranges and joins those that touch, once all have come.
    fn settle(&mut self) {
        self.ranges.sort_unstable();
        self.ranges.dedup_by(|next, kept| {
            let touches = next.0 <= kept.1.saturating_add(1);
            if touches {
                kept.1 = kept.1.max(next.1);
            }
            touches
        });
        self.ranges.shrink_to_fit();
    }

    fn revokes(&self, cert: &Certificate<'_>) -> Option<RevokedBy> {
        let id = cert.key_id.strip_suffix(&[0]).unwrap_or(cert.key_id);
        if self.key_ids.contains(id) {
            return Some(RevokedBy::KeyId);
        }
        // 0 is what an authority writes that gives no serials; it names no certificate.
        (cert.serial != 0 && self.has_serial(cert.serial)).then_some(RevokedBy::Serial)
    }

    fn has_serial(&self, serial: u64) -> bool {
        let after = self.ranges.partition_point(|(first, _)| *first <= serial);
        let range = after.checked_sub(1).and_then(|at| self.ranges.get(at));
        range.is_some_and(|(_, last)| serial <= *last) || self.bitmaps.iter().any(|bitmap| bitmap.has(serial))
    }
}

impl Bitmap {
    fn has(&self, serial: u64) -> bool {
        let Some(bit) = serial.checked_sub(self.first).and_then(|bit| usize::try_from(bit).ok()) else { return false };
        let byte = self.bits.len().checked_sub(1).and_then(|last| last.checked_sub(bit / 8));
        byte.and_then(|at| self.bits.get(at)).is_some_and(|byte| byte >> (bit % 8) & 1 != 0)
    }
}

/// An extension: one that is not understood may be passed over unless it says it is critical. None are defined.
fn extension(mut section: Reader<'_>) -> Result<(), KrlFault> {
    c_string(&mut section)?;
    let critical = section.boolean()?;
    section.string()?;
    section.end()?;
    if critical { Err(KrlFault::Value("a critical extension that is not known")) } else { Ok(()) }
}

/// A string as C reads it: a NUL may end it, and stands nowhere else.
fn c_string<'a>(reader: &mut Reader<'a>) -> Result<&'a [u8], KrlFault> {
    let text = reader.string()?;
    let text = text.strip_suffix(&[0]).unwrap_or(text);
    if text.contains(&0) { Err(KrlFault::Value("a text with a NUL in it")) } else { Ok(text) }
}

#[cfg(test)]
mod tests {
    use super::super::samples::certificate;
    use super::*;
    use crate::wire::write::Writer;
    use proptest::prelude::*;

    fn string(bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        Writer::new(&mut out).string(bytes);
        out
    }

    fn section(kind: u8, body: &[u8]) -> Vec<u8> {
        [&[kind][..], &string(body)].concat()
    }

    fn list(version: u32, comment: &[u8], sections: &[Vec<u8>]) -> Vec<u8> {
        let mut out = Vec::new();
        let mut writer = Writer::new(&mut out);
        writer.bytes(MAGIC).u32(version).u64(1).u64(2).u64(0).string(b"").string(comment);
        [out, sections.concat()].concat()
    }

    fn krl(sections: &[Vec<u8>]) -> Result<Krl, KrlFault> {
        Krl::parse(&list(1, b"", sections))
    }

    /// A section on the certificates of any authority.
    fn about_any(kind: u8, body: &[u8]) -> Vec<u8> {
        section(SECTION_CERTIFICATES, &[string(b""), string(b""), section(kind, body)].concat())
    }

    fn fault(sections: &[Vec<u8>]) -> String {
        krl(sections).unwrap_err().to_string()
    }

    fn bitmap(first: u64, bits: &[u8]) -> Vec<u8> {
        about_any(CERT_SERIAL_BITMAP, &[&first.to_be_bytes()[..], &string(bits)].concat())
    }

    fn range(first: u64, last: u64) -> Vec<u8> {
        about_any(CERT_SERIAL_RANGE, &[first.to_be_bytes(), last.to_be_bytes()].concat())
    }

    /// The serials below 64 and the last three that are revoked.
    fn serials(krl: &Krl) -> Vec<u64> {
        let blob = certificate("good");
        let mut cert = Certificate::parse(&blob).unwrap();
        let revoked = |serial: &u64| {
            cert.serial = *serial;
            krl.revokes_certificate(&cert, b"").is_some()
        };
        (0..64).chain(u64::MAX - 2..=u64::MAX).filter(revoked).collect()
    }

    #[test]
    fn serials_come_as_lists_ranges_and_bitmaps_that_overlap() {
        let krl = krl(&[
            about_any(CERT_SERIAL_LIST, &[9u64.to_be_bytes(), 3u64.to_be_bytes(), 9u64.to_be_bytes()].concat()),
            range(10, 12),
            range(11, 14),
            range(u64::MAX, u64::MAX),
            range(60, 1000),
            // Bits 0, 1 and 8.
            bitmap(20, &[0x01, 0x03]),
            bitmap(0, &[0x02]),
            bitmap(u64::MAX - 1, &[0x01]),
            bitmap(u64::MAX - 1, &[0x02]),
            bitmap(5, &[]),
        ])
        .unwrap();
        assert_eq!(krl.any_authority.ranges, [(3, 3), (9, 14), (60, 1000), (u64::MAX, u64::MAX)]);
        assert_eq!(serials(&krl), [1, 3, 9, 10, 11, 12, 13, 14, 20, 21, 28, 60, 61, 62, 63, u64::MAX - 1, u64::MAX]);
    }

    #[test]
    fn what_openssh_does_not_read_is_refused_whole() {
        let good = range(1, 2);
        let with = |bad: Vec<u8>| fault(&[good.clone(), bad]);
        assert_eq!(with(range(0, 5)), "a range of serials that begins with 0 or ends before it begins");
        assert_eq!(with(range(6, 5)), "a range of serials that begins with 0 or ends before it begins");
        assert_eq!(
            with(about_any(CERT_SERIAL_LIST, &[0; 8])),
            "a range of serials that begins with 0 or ends before it begins"
        );
        assert_eq!(with(bitmap(0, &[0x03])), "a bitmap that revokes serial 0");
        assert_eq!(with(bitmap(u64::MAX, &[0x02])), "a bitmap that ends beyond the last serial");
        assert_eq!(with(bitmap(u64::MAX - 7, &[0x01, 0x00])), "a bitmap that ends beyond the last serial");
        assert_eq!(with(bitmap(1, &[0x7f; 2049])), "a bitmap of more than 16384 bits");
        assert!(krl(&[bitmap(1, &[&[0][..], &[0xff; 2048]].concat())]).is_ok());
        assert!(with(bitmap(1, &[0x80])).starts_with("negative mpint"));
        assert_eq!(with(about_any(CERT_KEY_ID, &string(b"a\0b"))), "a text with a NUL in it");
        assert_eq!(with(about_any(0x24, b"")), "a certificate section of unknown type 0x24");
        assert_eq!(with(section(6, b"")), "a section of unknown type 6");
        assert!(with(section(SECTION_SIGNATURE, b"")).starts_with("a signed KRL"));
        assert_eq!(with(section(SECTION_FINGERPRINT_SHA1, &string(&[0; 21]))), LENGTH_TEXT);
        assert_eq!(with(section(SECTION_FINGERPRINT_SHA256, &string(&[0; 20]))), LENGTH_TEXT);
        assert!(with(section(SECTION_EXPLICIT_KEY, b"\0\0\0\x02x")).starts_with("string longer than its message"));
        let authority = |key: &[u8]| section(SECTION_CERTIFICATES, &[string(key), string(b"")].concat());
        assert_eq!(with(authority(b"no key")), "an authority whose key is none");
        assert!(with(about_any(CERT_SERIAL_RANGE, &[1; 17])).starts_with("bytes after the last field"));
        let version = Krl::parse(&list(2, b"", &[])).unwrap_err().to_string();
        assert_eq!(version, "a KRL of another format version than 1");
        assert!(Krl::parse(&list(1, b"a\0b", &[])).is_err());
        assert!(Krl::parse(&list(1, b"ab\0", &[])).is_ok());
    }

    const LENGTH_TEXT: &str = "a fingerprint of another length than its hash";

    /// OpenSSH knows extensions since 9.4; none are defined.
    #[test]
    fn extensions_are_passed_over_unless_they_are_critical() {
        let extension = |critical: u8| [string(b"x@example"), vec![critical], string(b"data")].concat();
        let (kind, within) = (SECTION_EXTENSION, CERT_EXTENSION);
        let passed = krl(&[section(kind, &extension(0)), about_any(within, &extension(0)), range(4, 5)]).unwrap();
        assert_eq!(serials(&passed), [4, 5]);
        assert_eq!(fault(&[section(kind, &extension(1))]), "a critical extension that is not known");
        assert_eq!(fault(&[about_any(within, &extension(7))]), "a critical extension that is not known");
        assert!(krl(&[section(kind, &[extension(0), vec![0]].concat())]).is_err());
        assert!(krl(&[section(kind, &string(b"x@example"))]).is_err());
    }

    #[test]
    fn key_ids_are_compared_as_c_strings() {
        let krl = krl(&[about_any(CERT_KEY_ID, &[string(b"good\0"), string(b"other")].concat())]).unwrap();
        let blob = certificate("good");
        let mut cert = Certificate::parse(&blob).unwrap();
        cert.serial = 0;
        let revoked = |cert: &Certificate<'_>| krl.revokes_certificate(cert, b"");
        assert_eq!(revoked(&cert), Some(RevokedBy::KeyId));
        cert.key_id = b"other\0";
        assert_eq!(revoked(&cert), Some(RevokedBy::KeyId));
        cert.key_id = b"othe";
        assert_eq!(revoked(&cert), None);
    }

    proptest! {
        #[test]
        fn a_set_of_serials_is_the_same_however_it_is_written(
            ranges in prop::collection::vec((1u64..64, 0u64..8), 0..8),
            maps in prop::collection::vec((1u64..48, any::<u16>()), 0..4),
        ) {
            let sections = ranges.iter().map(|(first, more)| range(*first, first + more));
            let maps_as_sections = maps.iter().map(|(first, bits)| bitmap(*first, &[&[0][..], &bits.to_be_bytes()].concat()));
            let krl = krl(&sections.chain(maps_as_sections).collect::<Vec<_>>()).unwrap();
            let naive = |serial: u64| {
                ranges.iter().any(|(first, more)| (*first..=first + more).contains(&serial))
                    || maps.iter().any(|(first, bits)| (0..16).any(|bit| bits >> bit & 1 != 0 && first + bit == serial))
            };
            prop_assert_eq!(serials(&krl), (0..64).filter(|serial| naive(*serial)).collect::<Vec<_>>());
        }

        #[test]
        fn any_bytes_behind_the_magic_are_read_without_harm(bytes: Vec<u8>, kind: u8) {
            let _ = Krl::parse(&[MAGIC, &bytes].concat());
            let _ = krl(&[section(kind, &bytes), about_any(kind, &bytes)]);
        }
    }
}
