//! What the integration tests share: a lab of network namespaces with real and scripted servers.

pub(crate) mod bless;
pub(crate) mod dns;
pub(crate) mod fleet;
pub(crate) mod guard;
pub(crate) mod inetd;
pub(crate) mod loopback;
pub(crate) mod netns;
pub(crate) mod openssh;
pub(crate) mod penalties;
pub(crate) mod proxies;
#[cfg(feature = "iap")]
pub(crate) mod relay;
pub(crate) mod responder;
pub(crate) mod run;
pub(crate) mod scenario;
pub(crate) mod scripted;
pub(crate) mod servers;
pub(crate) mod tools;
pub(crate) mod topology;
pub(crate) mod zones;
