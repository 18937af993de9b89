//! What the engine needs to know about names.

use std::future::Future;
use std::net::IpAddr;

use sshprobe_probes::case::ResolveFault;

use crate::resolve::Resolver;

/// Finds the addresses of names.
pub trait Resolve: Send + Sync + 'static {
    /// The addresses of `name`, in the order to try them.
    ///
    /// # Errors
    /// Why there are none.
    fn resolve(&self, name: &str) -> impl Future<Output = Result<Vec<IpAddr>, ResolveFault>> + Send;
}

impl Resolve for Resolver {
    async fn resolve(&self, name: &str) -> Result<Vec<IpAddr>, ResolveFault> {
        self.lookup(name).await
    }
}
