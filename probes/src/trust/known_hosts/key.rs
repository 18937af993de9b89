//! The key of a line: base64, checked as far as ssh checks it.

use std::borrow::Cow;

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ECDSA_P521_SHA512_FIXED, EcdsaVerificationAlgorithm,
    ParsedPublicKey,
};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::line::Fault;
use crate::algorithm::HOST_KEY;
use crate::hostkey::{Certificate, is_certificate, key_info, key_type, plain_key};
use crate::wire::read::{ReadError, Reader};
use crate::wire::write::Writer;

/// Smaller RSA keys are refused by ssh wherever they turn up, in known_hosts too.
const RSA_BITS_MIN: u32 = 1024;
/// Larger ones are more than its buffers take.
const RSA_BITS_MAX: u32 = 16_384;

/// The signature algorithm of browsers, over keys of the type sk-ecdsa-sha2-nistp256@openssh.com.
const WEBAUTHN: &[u8] = b"webauthn-sk-ecdsa-sha2-nistp256@openssh.com";

/// Reads the two fields of a key: its type's name and its base64. Gives the blob in the one form that equal keys share.
pub(super) fn read(kind: &[u8], base64: &[u8]) -> Result<Vec<u8>, Fault> {
    let wanted = blob_type(kind).ok_or_else(|| Fault::unknown_type(kind))?;
    let blob = decode(base64).ok_or(Fault::Base64)?;
    let found = key_type(&blob).ok_or(Fault::NoKey)?;
    if found != wanted {
        return Err(Fault::OtherType { line: wanted, blob: crate::escape::shorten(found, 64) });
    }
    check(&blob)?;
    Ok(match canonical(&blob) {
        Cow::Owned(canonical) => canonical,
        Cow::Borrowed(_) => blob,
    })
}

/// The type of blob that may stand behind a type's name. ssh reads the names of signature algorithms for the types of their
/// keys, so `rsa-sha2-512` in front of an RSA key is as good as `ssh-rsa`.
fn blob_type(kind: &[u8]) -> Option<&'static str> {
    if kind == WEBAUTHN {
        return Some("sk-ecdsa-sha2-nistp256@openssh.com");
    }
    HOST_KEY.iter().find(|algorithm| algorithm.name.as_bytes() == kind).map(|algorithm| algorithm.key_type)
}

/// Base64 as ssh's reader takes it: white space within is skipped (a blank or tab has ended the field before), which is why
/// the CR of a CRLF line does no harm; padding has to be there, and bits left over have to be zero.
fn decode(base64: &[u8]) -> Option<Vec<u8>> {
    let white = |byte: &u8| matches!(byte, b'\r' | 0x0b | 0x0c);
    if base64.iter().any(white) {
        let without: Vec<u8> = base64.iter().copied().filter(|byte| !white(byte)).collect();
        STANDARD.decode(without).ok()
    } else {
        STANDARD.decode(base64).ok()
    }
}

fn check(blob: &[u8]) -> Result<(), Fault> {
    let info = key_info(blob).map_err(|fault| Fault::Key(fault.to_string()))?;
    if is_certificate(info.kind) {
        let certificate = Certificate::parse(blob).map_err(|fault| Fault::Key(fault.to_string()))?;
        certificate.verify_ca().map_err(|fault| Fault::Key(fault.to_string()))?;
        return check(&certificate.key);
    }
    match info.kind {
        "ssh-rsa" if info.bits < RSA_BITS_MIN => Err(Fault::SmallRsa(info.bits)),
        "ssh-rsa" if info.bits > RSA_BITS_MAX => Err(Fault::LargeRsa(info.bits)),
        "ecdsa-sha2-nistp256" | "sk-ecdsa-sha2-nistp256@openssh.com" => on_curve(blob, &ECDSA_P256_SHA256_FIXED),
        "ecdsa-sha2-nistp384" => on_curve(blob, &ECDSA_P384_SHA384_FIXED),
        "ecdsa-sha2-nistp521" => on_curve(blob, &ECDSA_P521_SHA512_FIXED),
        _ => Ok(()),
    }
}

fn on_curve(blob: &[u8], curve: &'static EcdsaVerificationAlgorithm) -> Result<(), Fault> {
    let mut reader = Reader::new(blob);
    let mut point = || {
        reader.string()?;
        reader.string()?;
        reader.string()
    };
    let point = point().map_err(|fault: ReadError| Fault::Key(fault.to_string()))?;
    ParsedPublicKey::new(curve, point).map_err(|_| Fault::OffCurve)?;
    Ok(())
}

/// The blob with the numbers of an RSA or DSA key in their shortest form: ssh compares numbers, and some appliances write
/// needless zeros in front of them.
pub(super) fn canonical(blob: &[u8]) -> Cow<'_, [u8]> {
    let numbers = match key_type(blob) {
        Some("ssh-rsa") => 2,
        Some("ssh-dss") => 4,
        _ => return Cow::Borrowed(blob),
    };
    let mut shortest = Vec::with_capacity(blob.len());
    let mut rewrite = || {
        let mut reader = Reader::new(blob);
        let mut writer = Writer::new(&mut shortest);
        writer.string(reader.string()?);
        for _ in 0..numbers {
            writer.mpint(reader.mpint()?);
        }
        reader.end()
    };
    if rewrite().is_err() || shortest == blob { Cow::Borrowed(blob) } else { Cow::Owned(shortest) }
}

/// The key that lines with a marker compare with: a certificate's own key.
pub(super) fn public(blob: &[u8]) -> Cow<'_, [u8]> {
    match plain_key(blob) {
        Ok(Cow::Owned(plain)) => Cow::Owned(canonical(&plain).into_owned()),
        _ => canonical(blob),
    }
}
