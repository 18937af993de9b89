//! The examples do what they say, against servers on loopback.

use std::net::SocketAddr;
use std::sync::Arc;

use sshprobe::demo::serve;
use sshprobe_probes::diagnose::{Code, classify};
use sshprobe_probes::plan::Plan;
use sshprobe_probes::responder::Script;
use tokio::runtime::Runtime;

#[allow(dead_code, unreachable_pub)]
#[path = "../examples/embed.rs"]
mod embed;
#[allow(dead_code, unreachable_pub)]
#[path = "../examples/sans_io.rs"]
mod sans_io;

fn server(runtime: &Runtime) -> SocketAddr {
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).expect("a port");
    let addr = listener.local_addr().expect("an address");
    runtime.spawn(serve(listener, Arc::new(Script::healthy(&[7; 32]))));
    addr
}

#[test]
fn embedding_a_probe_yields_the_record() {
    let runtime = Runtime::new().expect("a runtime");
    let addr = server(&runtime);
    let record = runtime.block_on(embed::probe(&addr.to_string())).expect("probed");
    assert_eq!((record.code, record.host_keys.len()), (Code::Ok, 1));
    assert!(runtime.block_on(embed::probe("10.0.0.0/24")).is_err(), "one host, as it says");
}

#[test]
fn the_state_machine_runs_over_a_blocking_socket() {
    let runtime = Runtime::new().expect("a runtime");
    let plan = Arc::new(Plan::default());
    let evidence = sans_io::converse(server(&runtime), Arc::clone(&plan)).expect("connected");
    assert_eq!(classify(&evidence, plan.depth).code, Code::Ok);
    assert!(evidence.auth.is_some_and(|auth| auth.methods.is_some()));
}
