//! The measurement itself.

use std::net::TcpListener;

use crate::floor::Floor;

pub(crate) fn responder() {}

pub(crate) fn bench() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port on loopback");
    let addr = listener.local_addr().expect("its address");
    std::thread::spawn(move || listener.incoming().for_each(drop));
    let floor = Floor::measure(addr);
    println!("floor {:?}", floor.sum());
}
