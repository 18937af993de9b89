//! What the kernel is asked beyond ordinary sockets. The only place where `unsafe` may stand; so far nothing needs it.

pub mod conntrack;
pub mod descriptors;
pub mod error_queue;
