//! Who signs when the server asks for it.

use russh::Signer;
use russh::keys::agent::AgentIdentity;
use russh::keys::agent::client::AgentClient;
use russh::keys::ssh_key::private::KeypairData;
use russh::keys::ssh_key::{Signature, encoding::Encode};
use russh::keys::{HashAlg, PrivateKey, signature};

use super::credentials::Holder;

/// Signs for one try, and knows afterwards whether it was asked to.
pub(super) struct Hand<'a> {
    holder: &'a Holder,
    query_only: bool,
    /// The server wanted a signature.
    pub(super) asked: bool,
}

/// Why there is no signature.
#[derive(Debug)]
pub(super) enum NoSignature {
    /// None was to be made.
    Declined,
    /// It could not be made; why not.
    Failed(String),
    /// The session is over.
    Gone,
}

impl From<russh::SendError> for NoSignature {
    fn from(_: russh::SendError) -> Self {
        NoSignature::Gone
    }
}

impl<'a> Hand<'a> {
    pub(super) fn new(holder: &'a Holder, query_only: bool) -> Self {
        Self { holder, query_only, asked: false }
    }
}

impl Signer for Hand<'_> {
    type Error = NoSignature;

    async fn auth_sign(
        &mut self,
        key: &AgentIdentity,
        hash: Option<HashAlg>,
        to_sign: Vec<u8>,
    ) -> Result<Vec<u8>, NoSignature> {
        self.asked = true;
        if self.query_only {
            return Err(NoSignature::Declined);
        }
        match self.holder {
            Holder::Here(private) => {
                signed(private, hash, to_sign).map_err(|error| NoSignature::Failed(error.to_string()))
            }
            Holder::Agent { socket, signs_by } => {
                let failed = |error: russh::keys::Error| NoSignature::Failed(format!("the agent: {error}"));
                let mut agent = AgentClient::connect_uds(socket).await.map_err(failed)?;
                let own = signs_by.as_deref().map(|key| AgentIdentity::from(key.clone()));
                agent.sign_request(own.as_ref().unwrap_or(key), hash, to_sign).await.map_err(failed)
            }
        }
    }
}

/// The data with the signature behind it, as the message ends (RFC 4252 section 7).
fn signed(private: &PrivateKey, hash: Option<HashAlg>, mut data: Vec<u8>) -> Result<Vec<u8>, signature::Error> {
    let signature: Signature = match private.key_data() {
        KeypairData::Rsa(rsa) => signature::Signer::try_sign(&(rsa, hash), &data)?,
        other => signature::Signer::try_sign(other, &data)?,
    };
    signature.encode_prefixed(&mut data).map_err(signature::Error::from_source)?;
    Ok(data)
}
