//! What the engine needs to know about names.

use std::future::Future;
use std::net::IpAddr;

use sshprobe_probes::case::ResolveFault;

/// Finds the addresses of names.
pub trait Resolve: Send + Sync + 'static {
    /// The addresses of `name`, in the order to try them.
    ///
    /// # Errors
    /// Why there are none.
    fn resolve(&self, name: &str) -> impl Future<Output = Result<Vec<IpAddr>, ResolveFault>> + Send;
}
