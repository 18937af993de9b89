//! Which of a record's host keys can be passed on as the target's own.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::Record;
use crate::algorithm::HOST_KEY;
use crate::evidence::Signature;
use crate::hostkey::{canonical_key, key_type};
use crate::trust::plain_types_where;

/// A host key whose private half the target has shown to hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProvenKey {
    /// Its type.
    pub kind: &'static str,
    /// The plain key in the one encoding it has: of a certificate, which only an authority makes good, the key in it.
    pub blob: Vec<u8>,
}

impl Record {
    /// The keys that were proven, each once, those first that are asked for first.
    ///
    /// There are none where any signature failed: whoever showed a key that is not theirs may hold the others, but is
    /// hardly the host that was meant.
    #[must_use]
    pub fn proven_keys(&self) -> Vec<ProvenKey> {
        if self.host_keys.iter().any(|key| key.signature == Signature::Bad) {
            return Vec::new();
        }
        let mut keys: Vec<ProvenKey> = Vec::new();
        for shown in self.host_keys.iter().filter(|key| key.signature == Signature::Verified) {
            let Some(key) = BASE64.decode(&shown.key).ok().and_then(|blob| plain(&blob)) else { continue };
            if !keys.contains(&key) {
                keys.push(key);
            }
        }
        keys.sort_by_key(|key| HOST_KEY.iter().position(|algorithm| algorithm.key_type == key.kind));
        keys
    }

    /// The types of key that the server offers and of which none was proven.
    #[must_use]
    pub fn unproven_types(&self) -> Vec<&'static str> {
        let Some(server) = &self.kexinit else { return Vec::new() };
        let proven = self.proven_keys();
        let mut types = plain_types_where(|name| server.host_key.iter().any(|offered| offered == name));
        types.retain(|kind| proven.iter().all(|key| key.kind != *kind));
        types
    }
}

fn plain(blob: &[u8]) -> Option<ProvenKey> {
    let blob = canonical_key(blob).ok()?.into_owned();
    let kind = key_type(&blob)?;
    let known = HOST_KEY.iter().find(|algorithm| algorithm.key_type == kind)?;
    Some(ProvenKey { kind: known.key_type, blob })
}
