//! SSH's encoding (RFC 4251 section 5, RFC 4253 section 6): readers, writers, packets and messages.

pub mod cipher;
pub mod kexinit;
pub mod message;
pub mod packet;
pub mod read;
pub mod write;
