//! Sweeps of fleets in network namespaces made by the test. They need root and are skipped, loudly, without it.

#[cfg(feature = "syn")]
mod accuracy;
#[cfg(feature = "syn")]
mod conntrack;
mod disk;
mod ground;
mod interrupt;
mod jump;
mod keys;
mod limits;
#[cfg(feature = "login")]
mod login;
mod matrix;
mod names;
mod path;
mod sshfp;
mod sweep;
#[cfg(feature = "syn")]
mod syn;
mod trust;
mod truth;
