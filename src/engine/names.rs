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
        said(Resolver::sshfp(self, name).await)
    }
}

/// An answer as judgements read it.
fn said(answer: Result<Sshfp, SshfpFault>) -> SshfpSaid {
    match answer {
        Ok(Sshfp { records, security, .. }) => match security {
            Security::Secure => SshfpSaid::Records { records, voucher: Ok(Voucher::Dnssec) },
            Security::SecureByAd => SshfpSaid::Records { records, voucher: Ok(Voucher::Ad) },
            Security::Insecure(why) => SshfpSaid::Records { records, voucher: Err(why) },
            Security::Bogus(how) => SshfpSaid::Bogus(how),
        },
        Err(SshfpFault::NoRecord | SshfpFault::NxDomain) => SshfpSaid::None,
        Err(SshfpFault::ServFail(how)) => SshfpSaid::ServFail(how),
        Err(SshfpFault::Timeout) => SshfpSaid::Timeout,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_vouches_and_why_nothing_does_is_kept() {
        let answer = |security| said(Ok(Sshfp { records: vec![], security, name: "h".into() }));
        let records = |voucher| SshfpSaid::Records { records: vec![], voucher };
        assert_eq!(answer(Security::Secure), records(Ok(Voucher::Dnssec)));
        assert_eq!(answer(Security::SecureByAd), records(Ok(Voucher::Ad)));
        assert_eq!(answer(Security::Insecure("unsigned".into())), records(Err("unsigned".into())));
        assert_eq!(answer(Security::Bogus("expired".into())), SshfpSaid::Bogus("expired".into()));
        assert_eq!(said(Err(SshfpFault::ServFail("broken".into()))), SshfpSaid::ServFail("broken".into()));
    }
}
