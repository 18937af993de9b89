//! What the engine needs to know about names.

use std::future::Future;
use std::net::IpAddr;

use sshprobe_probes::case::ResolveFault;
use sshprobe_probes::trust::{SshfpSaid, Voucher};

use crate::resolve::{Resolver, Security, Sshfp, SshfpFault};

/// Finds the addresses of names.
pub trait Resolve: Send + Sync + 'static {
    /// The addresses of `name`, in the order to try them.
    ///
    /// # Errors
    /// Why there are none.
    fn resolve(&self, name: &str) -> impl Future<Output = Result<Vec<IpAddr>, ResolveFault>> + Send;

    /// What the DNS says about the host keys of `name` (RFC 4255). Asked only where [`super::Options::sshfp`] says so.
    fn sshfp(&self, name: &str) -> impl Future<Output = SshfpSaid> + Send {
        let _ = name;
        std::future::ready(SshfpSaid::None)
    }
}

impl Resolve for Resolver {
    async fn resolve(&self, name: &str) -> Result<Vec<IpAddr>, ResolveFault> {
        self.lookup(name).await
    }

    async fn sshfp(&self, name: &str) -> SshfpSaid {
        match Resolver::sshfp(self, name).await {
            Ok(Sshfp { security: Security::Bogus(how), .. }) => SshfpSaid::Bogus(how),
            Ok(Sshfp { records, security, .. }) => SshfpSaid::Records {
                records,
                voucher: match security {
                    Security::Secure => Ok(Voucher::Dnssec),
                    Security::SecureByAd => Ok(Voucher::Ad),
                    Security::Insecure(why) | Security::Bogus(why) => Err(why),
                },
            },
            Err(SshfpFault::NoRecord | SshfpFault::NxDomain) => SshfpSaid::None,
            Err(SshfpFault::ServFail(how)) => SshfpSaid::ServFail(how),
            Err(SshfpFault::Timeout) => SshfpSaid::Timeout,
        }
    }
}
