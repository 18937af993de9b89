//! Scripted servers on loopback, for tests that need no lab.

use std::net::SocketAddr;
use std::sync::Arc;

use sshprobe::demo::serve;
use sshprobe_probes::responder::Script;
use tokio::runtime::Runtime;

/// Serves until dropped.
pub(crate) struct Loopback(Runtime);

impl Loopback {
    pub(crate) fn new() -> Self {
        Self(Runtime::new().expect("a runtime"))
    }

    /// Another server, on a port of its own.
    pub(crate) fn server(&self, script: Script) -> SocketAddr {
        let listener = self.0.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).expect("a port");
        let addr = listener.local_addr().expect("an address");
        self.0.spawn(serve(listener, Arc::new(script)));
        addr
    }
}
