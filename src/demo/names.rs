//! The demo's names: a DNS server of a few lines on loopback.

use std::collections::HashMap;
use std::net::Ipv4Addr;

use hickory_resolver::proto::op::{Message, MessageType, ResponseCode};
use hickory_resolver::proto::rr::{RData, Record, RecordType, rdata::A};
use tokio::net::UdpSocket;

/// What a name is answered with. A name that is not in the zone does not exist (NXDOMAIN).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// One A record.
    Address(Ipv4Addr),
    /// It exists, and has no address.
    Empty,
    /// SERVFAIL
    Broken,
}

/// Answers queries from `zone`, whose names are absolute and in lower case, until it is dropped.
pub(crate) async fn answer(socket: UdpSocket, zone: HashMap<String, Answer>) {
    let mut buffer = [0; 1500];
    loop {
        let Ok((count, from)) = socket.recv_from(&mut buffer).await else { continue };
        let Some(reply) = reply(&buffer[..count], &zone) else { continue };
        let _ = socket.send_to(&reply, from).await;
    }
}

fn reply(query: &[u8], zone: &HashMap<String, Answer>) -> Option<Vec<u8>> {
    let query = Message::from_vec(query).ok()?;
    let question = query.queries.first()?.clone();
    let mut reply = Message::response(query.metadata.id, query.metadata.op_code);
    reply.metadata.message_type = MessageType::Response;
    reply.metadata.recursion_desired = query.metadata.recursion_desired;
    reply.metadata.recursion_available = true;
    match zone.get(&question.name().to_ascii().to_ascii_lowercase()) {
        None => reply.metadata.response_code = ResponseCode::NXDomain,
        Some(Answer::Broken) => reply.metadata.response_code = ResponseCode::ServFail,
        Some(Answer::Address(address)) if question.query_type() == RecordType::A => {
            reply.add_answer(Record::from_rdata(question.name().clone(), 60, RData::A(A(*address))));
        }
        Some(Answer::Address(_) | Answer::Empty) => {}
    }
    reply.add_query(question);
    reply.to_vec().ok()
}
