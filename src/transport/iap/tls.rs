//! TLS by the machine's own roots, or those that SSL_CERT_FILE and SSL_CERT_DIR name.

use std::sync::Arc;

use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// Why TLS cannot be spoken on this machine.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NoTls {
    /// No roots at all.
    #[error("this machine has no CA certificates to hold a server's against; install ca-certificates")]
    Roots,
    /// The TLS library refuses.
    #[error("TLS cannot be used here: {0}")]
    Library(String),
}

/// What speaks TLS as a client, for HTTP/1.1.
pub(super) fn connector() -> Result<TlsConnector, NoTls> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        return Err(NoTls::Roots);
    }
    let mut config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| NoTls::Library(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsConnector::from(Arc::new(config)))
}
