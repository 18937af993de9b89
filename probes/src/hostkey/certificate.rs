//! Host certificates (OpenSSH's PROTOCOL.certkeys): a plain key, what a certification authority says about it, and its
//! signature.

use super::blob::{KeyFault, key_info, key_type};
use super::verify::{LAYOUT, VerifyFault, verify};
use crate::algorithm::{HOST_KEY, HostKeyAlgorithm};
use crate::wire::read::Reader;
use crate::wire::write::Writer;

/// What ends the name of every certificate's type.
const SUFFIX: &str = "-cert-v01@openssh.com";

/// As many principals as OpenSSH takes.
const PRINCIPALS_MAX: usize = 256;

/// Types of certificates: their own name, the certified key's, and how many fields that has.
#[rustfmt::skip]
static TYPES: &[(&str, &str, usize)] = &[
    ("ssh-ed25519-cert-v01@openssh.com", "ssh-ed25519", 1),
    ("ecdsa-sha2-nistp256-cert-v01@openssh.com", "ecdsa-sha2-nistp256", 2),
    ("ecdsa-sha2-nistp384-cert-v01@openssh.com", "ecdsa-sha2-nistp384", 2),
    ("ecdsa-sha2-nistp521-cert-v01@openssh.com", "ecdsa-sha2-nistp521", 2),
    ("ssh-rsa-cert-v01@openssh.com", "ssh-rsa", 2),
    ("ssh-dss-cert-v01@openssh.com", "ssh-dss", 4),
    ("sk-ssh-ed25519-cert-v01@openssh.com", "sk-ssh-ed25519@openssh.com", 2),
    ("sk-ecdsa-sha2-nistp256-cert-v01@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com", 3),
];

/// Whether a key type or algorithm is one of certificates.
#[must_use]
pub fn is_certificate(name: &str) -> bool {
    name.ends_with(SUFFIX)
}

/// The type of key that certificates of this type certify; `None` if it is no type of certificate known here.
#[must_use]
pub fn certified_type(kind: &str) -> Option<&'static str> {
    TYPES.iter().find(|(name, ..)| *name == kind).map(|(_, plain, _)| *plain)
}

/// A moment of the calendar, in seconds since 1970-01-01T00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixTime(pub u64);

impl UnixTime {
    /// What stands in a certificate that never expires.
    pub const FOREVER: Self = Self(u64::MAX);
}

/// Whom a certificate is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CertificateRole {
    /// Users, who log in with it.
    User,
    /// Hosts, which prove with it who they are.
    Host,
}

/// A critical option or an extension.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CertificateOption<'a> {
    /// Its name.
    pub name: &'a [u8],
    /// Its value; what it means depends on the name. Most extensions have none.
    pub data: &'a [u8],
}

/// What a certificate says. Nothing of it is true before [`Certificate::verify_ca`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Certificate<'a> {
    /// The type of the certificate.
    pub kind: &'a str,
    /// Random bytes that make the signed data unpredictable.
    pub nonce: &'a [u8],
    /// The certified key as a plain blob.
    pub key: Vec<u8>,
    /// The number its authority gave it; 0 where it gives none.
    pub serial: u64,
    /// Whom it is for.
    pub role: CertificateRole,
    /// What its authority calls it; free text.
    pub key_id: &'a [u8],
    /// The names it is valid for.
    pub principals: Vec<&'a [u8]>,
    /// From when on it is valid.
    pub valid_after: UnixTime,
    /// Until when it is valid; not any more at that moment.
    pub valid_before: UnixTime,
    /// Conditions. One that is not understood makes the certificate invalid; none are defined for hosts.
    pub critical_options: Vec<CertificateOption<'a>>,
    /// Permissions. Those not understood are ignored; none are defined for hosts.
    pub extensions: Vec<CertificateOption<'a>>,
    /// The authority's key.
    pub ca_key: &'a [u8],
    /// The authority's signature blob.
    pub signature: &'a [u8],
    /// What it signs: everything before it.
    pub signed: &'a [u8],
}

impl<'a> Certificate<'a> {
    /// Reads a certificate blob.
    ///
    /// # Errors
    /// The blob is no certificate of a type known here, does not have its layout, or says what OpenSSH does not take
    /// either: a role that is none, more than 256 principals, an authority that is itself a certificate.
    pub fn parse(blob: &'a [u8]) -> Result<Self, KeyFault> {
        let kind = key_type(blob).ok_or(KeyFault::Type)?;
        let (_, plain, fields) = TYPES.iter().find(|(name, ..)| *name == kind).ok_or(KeyFault::Type)?;
        let mut reader = Reader::new(blob);
        reader.string()?;
        let nonce = reader.string()?;
        let mut key = Vec::new();
        let mut writer = Writer::new(&mut key);
        writer.string(plain.as_bytes());
        for _ in 0..*fields {
            writer.string(reader.string()?);
        }
        key_info(&key)?;
        let serial = reader.u64()?;
        let role = match reader.u32()? {
            1 => CertificateRole::User,
            2 => CertificateRole::Host,
            _ => return Err(KeyFault::Value("a certificate that is neither for users nor for hosts")),
        };
        let key_id = reader.string()?;
        let principals = principals(reader.string()?)?;
        let (valid_after, valid_before) = (UnixTime(reader.u64()?), UnixTime(reader.u64()?));
        let (critical_options, extensions) = (options(reader.string()?)?, options(reader.string()?)?);
        // Reserved: nothing is defined, and OpenSSH reads over it.
        reader.string()?;
        let ca_key = reader.string()?;
        if key_type(ca_key).is_none_or(is_certificate) {
            return Err(KeyFault::Value("a certificate whose authority is no plain key"));
        }
        let signed = blob.get(..reader.offset()).unwrap_or(blob);
        let signature = reader.string()?;
        reader.end()?;
        Ok(Self {
            kind,
            nonce,
            key,
            serial,
            role,
            key_id,
            principals,
            valid_after,
            valid_before,
            critical_options,
            extensions,
            ca_key,
            signature,
            signed,
        })
    }

    /// Whether that moment lies within the certificate's time.
    #[must_use]
    pub fn valid_at(&self, now: UnixTime) -> bool {
        self.valid_after <= now && now < self.valid_before
    }

    /// Verifies that the authority's key made the signature. Gives the algorithm it was made with: OpenSSH accepts none with
    /// SHA-1 since 8.2. Whether that authority is to be believed is for known_hosts to say.
    ///
    /// # Errors
    /// See [`VerifyFault`].
    pub fn verify_ca(&self) -> Result<&'static HostKeyAlgorithm, VerifyFault> {
        let name = Reader::new(self.signature).string().map_err(|_| LAYOUT)?;
        let kind = key_type(self.ca_key);
        let fits = |algorithm: &&HostKeyAlgorithm| {
            !algorithm.is_certificate() && algorithm.signature.as_bytes() == name && kind == Some(algorithm.key_type)
        };
        let algorithm = HOST_KEY.iter().find(fits);
        let algorithm = algorithm.ok_or(VerifyFault::Unsupported("an authority's key or signature not known here"))?;
        verify(algorithm, self.ca_key, self.signature, self.signed)?;
        Ok(algorithm)
    }
}

fn principals(packed: &[u8]) -> Result<Vec<&[u8]>, KeyFault> {
    let mut reader = Reader::new(packed);
    let mut principals = Vec::new();
    while !reader.rest().is_empty() {
        if principals.len() >= PRINCIPALS_MAX {
            return Err(KeyFault::Value("a certificate with more than 256 principals"));
        }
        principals.push(reader.string()?);
    }
    Ok(principals)
}

fn options(packed: &[u8]) -> Result<Vec<CertificateOption<'_>>, KeyFault> {
    let mut reader = Reader::new(packed);
    let mut options = Vec::new();
    while !reader.rest().is_empty() {
        options.push(CertificateOption { name: reader.string()?, data: reader.string()? });
    }
    Ok(options)
}

#[cfg(test)]
mod tests {
    use super::super::samples::SAMPLES;
    use super::*;
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use proptest::prelude::*;

    /// Made by ssh-keygen -s: a user's, with options.
    const USER: &str = "AAAAIHNzaC1lZDI1NTE5LWNlcnQtdjAxQG9wZW5zc2guY29tAAAAINXOELHYabcedLjB+KIZS2YQPBoabbIHvVASlcIwCjsWAAAAIJV3\
        K04ytRBpJ/qQTASdn5BBHXYznAss9XQ/gaEmtw7pAAAAAAAAAAAAAAABAAAAC3NhbXBsZSB1c2VyAAAACAAAAARyb290AAAAAAAAAAD/\
        /////////wAAAEYAAAANZm9yY2UtY29tbWFuZAAAAA0AAAAJL2Jpbi90cnVlAAAADnNvdXJjZS1hZGRyZXNzAAAADgAAAAoxMC4wLjAu\
        MC84AAAAEgAAAApwZXJtaXQtcHR5AAAAAAAAAAAAAAAzAAAAC3NzaC1lZDI1NTE5AAAAIAJj1xd1gfGJ+bMHaKEXG05Y2E1SMXlo8P1B\
        3fGR0t48AAAAUwAAAAtzc2gtZWQyNTUxOQAAAEBOxhLUuynRbtKvrwQPsmNFZ63T8ZEsCkbpg3c/gp6BRS/p6G7t/G6vIVmEbnmS/dzI\
        yrdD0573YKFkhVMilRYH";

    fn hosts() -> impl Iterator<Item = (&'static str, Vec<u8>)> {
        SAMPLES.iter().filter(|sample| is_certificate(sample.kind)).map(|sample| (sample.algorithm, sample.blob()))
    }

    #[test]
    fn every_kind_reads_as_ssh_keygen_wrote_it() {
        let mut kinds: Vec<String> = Vec::new();
        for (name, blob) in hosts() {
            let certificate = Certificate::parse(&blob).unwrap();
            assert_eq!((certificate.serial, certificate.role), (u64::MAX, CertificateRole::Host), "{name}");
            assert_eq!(certificate.key_id, b"sample host");
            assert_eq!(certificate.principals, [&b"host.example"[..], b"10.0.0.1"]);
            // 2020-01-01 and 2040-01-01
            assert_eq!(
                (certificate.valid_after, certificate.valid_before),
                (UnixTime(1_577_836_800), UnixTime(2_208_988_800))
            );
            assert!(certificate.critical_options.is_empty() && certificate.extensions.is_empty());
            assert_eq!(certificate.nonce.len(), 32);
            let plain = key_type(&certificate.key).unwrap();
            assert_eq!(
                Some(certificate.kind),
                plain.split('@').next().map(|plain| format!("{plain}{SUFFIX}")).as_deref()
            );
            kinds.push(certificate.kind.to_owned());
        }
        assert!(TYPES.iter().all(|(kind, ..)| kinds.iter().any(|each| each == kind)), "{kinds:?}");
    }

    #[test]
    fn validity_ends_at_its_second() {
        let (_, blob) = hosts().next().unwrap();
        let mut certificate = Certificate::parse(&blob).unwrap();
        let valid = |certificate: &Certificate<'_>, at| certificate.valid_at(UnixTime(at));
        assert!(!valid(&certificate, 1_577_836_799) && valid(&certificate, 1_577_836_800));
        assert!(valid(&certificate, 2_208_988_799) && !valid(&certificate, 2_208_988_800));
        certificate.valid_before = UnixTime::FOREVER;
        assert!(valid(&certificate, u64::MAX - 1));
    }

    #[test]
    fn the_authoritys_signature_is_verified_whatever_its_algorithm() {
        let mut algorithms = Vec::new();
        for (name, blob) in hosts() {
            let certificate = Certificate::parse(&blob).unwrap();
            algorithms.push(certificate.verify_ca().unwrap_or_else(|fault| panic!("{name}: {fault}")).name);
            for at in (0..certificate.signed.len()).step_by(certificate.signed.len() / 32) {
                let mut changed = blob.clone();
                changed[at] ^= 1;
                let verdict = Certificate::parse(&changed).map(|certificate| certificate.verify_ca().map(|_| ()));
                assert!(!matches!(verdict, Ok(Ok(()))), "{name} at {at}");
            }
        }
        for expect in ["ssh-ed25519", "ecdsa-sha2-nistp256", "rsa-sha2-512", "rsa-sha2-256", "ssh-rsa", "ssh-dss"] {
            assert!(algorithms.contains(&expect), "{expect} missing in {algorithms:?}");
        }
    }

    #[test]
    fn options_and_roles_are_read() {
        let blob = STANDARD.decode(USER).unwrap();
        let certificate = Certificate::parse(&blob).unwrap();
        assert_eq!(certificate.role, CertificateRole::User);
        assert_eq!((certificate.valid_after, certificate.valid_before), (UnixTime(0), UnixTime::FOREVER));
        let names: Vec<_> = certificate.critical_options.iter().map(|option| option.name).collect();
        assert_eq!(names, [&b"force-command"[..], b"source-address"]);
        assert_eq!(certificate.critical_options[0].data, b"\0\0\0\x09/bin/true");
        assert_eq!(certificate.extensions, [CertificateOption { name: b"permit-pty", data: b"" }]);
        assert_eq!(certificate.verify_ca().unwrap().name, "ssh-ed25519");
    }

    /// A certificate with these fields in place of the sample's; the signature is then wrong, and not looked at.
    fn changed(role: u32, principals: usize, ca_key: &[u8]) -> Vec<u8> {
        let (mut blob, mut packed) = (Vec::new(), Vec::new());
        for _ in 0..principals {
            Writer::new(&mut packed).string(b"host");
        }
        let mut writer = Writer::new(&mut blob);
        writer.string(b"ssh-ed25519-cert-v01@openssh.com").string(b"nonce").string(&[7; 32]).u64(1).u32(role);
        writer.string(b"id").string(&packed).u64(0).u64(1).string(b"").string(b"").string(b"reserved");
        writer.string(ca_key).string(b"\0\0\0\x01?");
        blob
    }

    #[test]
    fn what_openssh_does_not_take_is_refused() {
        let plain = SAMPLES[0].blob();
        let (_, other) = hosts().next().unwrap();
        let fault = |blob: Vec<u8>| Certificate::parse(&blob).err().map(|fault| fault.to_string()).unwrap_or_default();
        assert_eq!(fault(changed(2, 256, &plain)), "");
        assert_eq!(fault(changed(3, 1, &plain)), "a certificate that is neither for users nor for hosts");
        assert_eq!(fault(changed(2, 257, &plain)), "a certificate with more than 256 principals");
        assert_eq!(fault(changed(2, 1, &other)), "a certificate whose authority is no plain key");
        assert_eq!(fault(changed(2, 1, b"")), "a certificate whose authority is no plain key");
        assert_eq!(fault(plain.clone()), "a key type that is not known");
        let unknown = changed(2, 1, b"\0\0\0\x01x");
        let verdict = Certificate::parse(&unknown).unwrap().verify_ca();
        assert!(matches!(verdict, Err(VerifyFault::Unsupported(_))));
    }

    #[test]
    fn a_certificate_cut_anywhere_or_followed_by_anything_is_refused() {
        for (name, blob) in hosts() {
            for cut in 0..blob.len() {
                assert!(Certificate::parse(&blob[..cut]).is_err(), "{name} cut at {cut}");
            }
            assert!(Certificate::parse(&[&blob[..], &[0]].concat()).is_err());
        }
    }

    proptest! {
        #[test]
        fn any_certificate_is_read_without_harm(at in 0usize..8, place: prop::sample::Index, bytes in prop::collection::vec(any::<u8>(), 1..9)) {
            let (_, mut blob) = hosts().nth(at).unwrap();
            let place = place.index(blob.len());
            let end = (place + bytes.len()).min(blob.len());
            blob[place..end].copy_from_slice(&bytes[..end - place]);
            if let Ok(certificate) = Certificate::parse(&blob) {
                prop_assert!(certificate.signed.len() < blob.len());
                let _ = certificate.verify_ca();
            }
        }
    }
}
