//! Messages of the transport and authentication protocols: their numbers (RFC 4250 section 4.1) and layouts.
//!
//! A parser takes a whole payload, its number included, and borrows from it. It is strict about what it needs and lenient
//! about what follows, as servers differ there. A builder gives a whole payload.

use super::read::{NameList, ReadError, Reader};
use super::write::Writer;

/// RFC 4253 section 11.1
pub const SSH_MSG_DISCONNECT: u8 = 1;
/// RFC 4253 section 11.2
pub const SSH_MSG_IGNORE: u8 = 2;
/// RFC 4253 section 11.4
pub const SSH_MSG_UNIMPLEMENTED: u8 = 3;
/// RFC 4253 section 11.3
pub const SSH_MSG_DEBUG: u8 = 4;
/// RFC 4253 section 10
pub const SSH_MSG_SERVICE_REQUEST: u8 = 5;
/// RFC 4253 section 10
pub const SSH_MSG_SERVICE_ACCEPT: u8 = 6;
/// RFC 8308 section 2.3
pub const SSH_MSG_EXT_INFO: u8 = 7;
/// RFC 8308 section 3.2
pub const SSH_MSG_NEWCOMPRESS: u8 = 8;
/// RFC 4253 section 7.1
pub const SSH_MSG_KEXINIT: u8 = 20;
/// RFC 4253 section 7.3
pub const SSH_MSG_NEWKEYS: u8 = 21;
/// The first number whose meaning depends on the key exchange method (RFC 4250 section 4.1.2).
pub const SSH_MSG_KEX_FIRST: u8 = 30;
/// The last number whose meaning depends on the key exchange method.
pub const SSH_MSG_KEX_LAST: u8 = 49;
/// RFC 5656 section 4
pub const SSH_MSG_KEX_ECDH_INIT: u8 = 30;
/// RFC 5656 section 4
pub const SSH_MSG_KEX_ECDH_REPLY: u8 = 31;
/// RFC 4252 section 5
pub const SSH_MSG_USERAUTH_REQUEST: u8 = 50;
/// RFC 4252 section 5.1
pub const SSH_MSG_USERAUTH_FAILURE: u8 = 51;
/// RFC 4252 section 5.1
pub const SSH_MSG_USERAUTH_SUCCESS: u8 = 52;
/// RFC 4252 section 5.4
pub const SSH_MSG_USERAUTH_BANNER: u8 = 53;
/// RFC 4252 section 7, RFC 4256 section 3.2: its meaning depends on the method under way.
pub const SSH_MSG_USERAUTH_PK_OK: u8 = 60;
/// RFC 4256 section 3.4
pub const SSH_MSG_USERAUTH_INFO_RESPONSE: u8 = 61;
/// RFC 4254 section 4
pub const SSH_MSG_GLOBAL_REQUEST: u8 = 80;
/// RFC 4254 section 4
pub const SSH_MSG_REQUEST_SUCCESS: u8 = 81;
/// RFC 4254 section 4
pub const SSH_MSG_REQUEST_FAILURE: u8 = 82;
/// OpenSSH's PROTOCOL, section 1.9
pub const SSH2_MSG_PING: u8 = 192;
/// OpenSSH's PROTOCOL, section 1.9
pub const SSH2_MSG_PONG: u8 = 193;

/// The reason code of a client that simply leaves (RFC 4253 section 11.1).
pub const SSH_DISCONNECT_BY_APPLICATION: u32 = 11;
/// The reason code OpenSSH's server uses for everything.
pub const SSH_DISCONNECT_PROTOCOL_ERROR: u32 = 2;
/// The reason code of a server that was asked for a service it does not have.
pub const SSH_DISCONNECT_SERVICE_NOT_AVAILABLE: u32 = 7;

/// The service every login asks for first (RFC 4252 section 4).
pub const SERVICE_USERAUTH: &[u8] = b"ssh-userauth";
/// The service a USERAUTH_REQUEST names (RFC 4254 section 1).
pub const SERVICE_CONNECTION: &[u8] = b"ssh-connection";

/// A payload's message number; an empty payload has none.
#[must_use]
pub fn number(payload: &[u8]) -> Option<u8> {
    payload.first().copied()
}

fn begin(payload: &[u8], number: u8) -> Result<Reader<'_>, ReadError> {
    let mut reader = Reader::new(payload);
    if reader.u8()? == number { Ok(reader) } else { Err(ReadError { what: "another message number", offset: 0 }) }
}

fn payload(number: u8, fields: impl FnOnce(&mut Writer<'_>)) -> Vec<u8> {
    // Room for most of them at once.
    let mut out = Vec::with_capacity(128);
    append(&mut out, number, fields);
    out
}

fn append(out: &mut Vec<u8>, number: u8, fields: impl FnOnce(&mut Writer<'_>)) {
    out.push(number);
    fields(&mut Writer::new(out));
}

/// SSH_MSG_DISCONNECT
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Disconnect<'a> {
    /// The reason code of RFC 4253 section 11.1.
    pub code: u32,
    /// The description, UTF-8 by the RFC.
    pub description: &'a [u8],
}

impl<'a> Disconnect<'a> {
    /// A missing language tag is tolerated, and so is a description that is cut or missing: the end of a connection is no
    /// place to be strict, and its code is worth having.
    pub fn parse(payload: &'a [u8]) -> Result<Self, ReadError> {
        let mut reader = begin(payload, SSH_MSG_DISCONNECT)?;
        let code = reader.u32()?;
        let description = reader.string().unwrap_or_else(|_| reader.rest());
        Ok(Self { code, description })
    }

    /// The message with an empty language tag.
    #[must_use]
    pub fn build(self) -> Vec<u8> {
        let mut out = Vec::new();
        self.write(&mut out);
        out
    }

    /// The same, appended to `out`.
    pub fn write(self, out: &mut Vec<u8>) {
        append(out, SSH_MSG_DISCONNECT, |w| {
            w.u32(self.code).string(self.description).string(b"");
        });
    }
}

/// SSH_MSG_SERVICE_REQUEST and SSH_MSG_SERVICE_ACCEPT, which are alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Service<'a> {
    /// The service's name.
    pub name: &'a [u8],
}

impl<'a> Service<'a> {
    /// SSH_MSG_SERVICE_REQUEST
    pub fn parse_request(payload: &'a [u8]) -> Result<Self, ReadError> {
        begin(payload, SSH_MSG_SERVICE_REQUEST)?.string().map(|name| Self { name })
    }

    /// SSH_MSG_SERVICE_ACCEPT. Some servers leave the name out; there is only one service it can be.
    pub fn parse_accept(payload: &'a [u8]) -> Result<Self, ReadError> {
        let mut reader = begin(payload, SSH_MSG_SERVICE_ACCEPT)?;
        if reader.rest().is_empty() { Ok(Self { name: b"" }) } else { reader.string().map(|name| Self { name }) }
    }

    /// SSH_MSG_SERVICE_REQUEST
    #[must_use]
    pub fn build_request(self) -> Vec<u8> {
        let mut out = Vec::new();
        self.write_request(&mut out);
        out
    }

    /// The same, appended to `out`.
    pub fn write_request(self, out: &mut Vec<u8>) {
        append(out, SSH_MSG_SERVICE_REQUEST, |w| {
            w.string(self.name);
        });
    }

    /// SSH_MSG_SERVICE_ACCEPT
    #[must_use]
    pub fn build_accept(self) -> Vec<u8> {
        payload(SSH_MSG_SERVICE_ACCEPT, |w| {
            w.string(self.name);
        })
    }
}

/// SSH_MSG_EXT_INFO (RFC 8308 section 2.3)
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExtInfo<'a> {
    /// Name and value of each extension in order, at most [`ExtInfo::MAX`].
    pub pairs: Vec<(&'a [u8], &'a [u8])>,
    /// How many the message announced.
    pub announced: u32,
}

impl<'a> ExtInfo<'a> {
    /// How many extensions are read. OpenSSH sends four, and a dozen are registered.
    pub const MAX: usize = 64;

    /// Reads up to [`ExtInfo::MAX`] pairs; what follows them is not looked at.
    pub fn parse(payload: &'a [u8]) -> Result<Self, ReadError> {
        let mut pairs = Vec::new();
        let announced = Self::read(payload, |name, value| pairs.push((name, value)))?;
        Ok(Self { pairs, announced })
    }

    /// The same for whoever needs no list: hands over each pair as it is read, and gives how many were announced. Of a message
    /// that is broken, those before that are handed over too.
    pub fn read(payload: &'a [u8], mut each: impl FnMut(&'a [u8], &'a [u8])) -> Result<u32, ReadError> {
        let mut reader = begin(payload, SSH_MSG_EXT_INFO)?;
        let announced = reader.u32()?;
        let most = u32::try_from(Self::MAX).unwrap_or(u32::MAX);
        for _ in 0..announced.min(most) {
            each(reader.string()?, reader.string()?);
        }
        Ok(announced)
    }

    /// The message with these pairs.
    #[must_use]
    pub fn build(pairs: &[(&[u8], &[u8])]) -> Vec<u8> {
        payload(SSH_MSG_EXT_INFO, |w| {
            w.u32(u32::try_from(pairs.len()).unwrap_or(u32::MAX));
            for (name, value) in pairs {
                w.string(name).string(value);
            }
        })
    }
}

/// SSH_MSG_USERAUTH_REQUEST up to the method's name; what the method adds is `rest`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UserauthRequest<'a> {
    /// The user's name, UTF-8.
    pub user: &'a [u8],
    /// The service wanted after authentication.
    pub service: &'a [u8],
    /// The method's name.
    pub method: &'a [u8],
    /// The method's own fields.
    pub rest: &'a [u8],
}

impl<'a> UserauthRequest<'a> {
    /// Any method's request.
    pub fn parse(payload: &'a [u8]) -> Result<Self, ReadError> {
        let mut reader = begin(payload, SSH_MSG_USERAUTH_REQUEST)?;
        let (user, service, method) = (reader.string()?, reader.string()?, reader.string()?);
        Ok(Self { user, service, method, rest: reader.rest() })
    }

    /// The `none` request (RFC 4252 section 5.2), which asks what could continue.
    #[must_use]
    pub fn build_none(user: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        Self::write_none(user, &mut out);
        out
    }

    /// The same, appended to `out`.
    pub fn write_none(user: &[u8], out: &mut Vec<u8>) {
        append(out, SSH_MSG_USERAUTH_REQUEST, |w| {
            w.string(user).string(SERVICE_CONNECTION).string(b"none");
        });
    }
}

/// SSH_MSG_USERAUTH_FAILURE
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UserauthFailure<'a> {
    /// The methods that can continue.
    pub methods: NameList<'a>,
    /// The request this answers was right, and more is wanted.
    pub partial_success: bool,
}

impl<'a> UserauthFailure<'a> {
    /// A missing flag reads as false.
    pub fn parse(payload: &'a [u8]) -> Result<Self, ReadError> {
        let mut reader = begin(payload, SSH_MSG_USERAUTH_FAILURE)?;
        let methods = NameList(reader.string()?);
        Ok(Self { methods, partial_success: reader.boolean().unwrap_or(false) })
    }

    /// The whole message.
    #[must_use]
    pub fn build(self) -> Vec<u8> {
        payload(SSH_MSG_USERAUTH_FAILURE, |w| {
            w.string(self.methods.0).boolean(self.partial_success);
        })
    }
}

/// SSH_MSG_USERAUTH_BANNER
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UserauthBanner<'a> {
    /// The text, UTF-8 by the RFC; never to be shown unescaped.
    pub text: &'a [u8],
}

impl<'a> UserauthBanner<'a> {
    /// A missing language tag is tolerated.
    pub fn parse(payload: &'a [u8]) -> Result<Self, ReadError> {
        begin(payload, SSH_MSG_USERAUTH_BANNER)?.string().map(|text| Self { text })
    }

    /// The message with an empty language tag.
    #[must_use]
    pub fn build(self) -> Vec<u8> {
        payload(SSH_MSG_USERAUTH_BANNER, |w| {
            w.string(self.text).string(b"");
        })
    }
}

/// SSH_MSG_DEBUG
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DebugMessage<'a> {
    /// The sender thinks it should be shown.
    pub always_display: bool,
    /// The text; never to be shown unescaped.
    pub text: &'a [u8],
}

impl<'a> DebugMessage<'a> {
    /// A missing language tag is tolerated.
    pub fn parse(payload: &'a [u8]) -> Result<Self, ReadError> {
        let mut reader = begin(payload, SSH_MSG_DEBUG)?;
        Ok(Self { always_display: reader.boolean()?, text: reader.string()? })
    }

    /// The message with an empty language tag.
    #[must_use]
    pub fn build(self) -> Vec<u8> {
        payload(SSH_MSG_DEBUG, |w| {
            w.boolean(self.always_display).string(self.text).string(b"");
        })
    }
}

/// SSH_MSG_IGNORE with this content.
#[must_use]
pub fn build_ignore(data: &[u8]) -> Vec<u8> {
    payload(SSH_MSG_IGNORE, |w| {
        w.string(data);
    })
}

/// SSH_MSG_UNIMPLEMENTED in answer to the packet with this sequence number.
#[must_use]
pub fn build_unimplemented(sequence: u32) -> Vec<u8> {
    payload(SSH_MSG_UNIMPLEMENTED, |w| {
        w.u32(sequence);
    })
}

/// The sequence number of the packet that the peer did not understand.
pub fn parse_unimplemented(payload: &[u8]) -> Result<u32, ReadError> {
    begin(payload, SSH_MSG_UNIMPLEMENTED)?.u32()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_message_reads_back_as_it_was_built(code: u32, flag: bool, text: Vec<u8>, other: Vec<u8>) {
            let disconnect = Disconnect { code, description: &text };
            let built = disconnect.build();
            prop_assert_eq!(Disconnect::parse(&built), Ok(disconnect));
            let service = Service { name: &text };
            let built = service.build_request();
            prop_assert_eq!(Service::parse_request(&built), Ok(service));
            let built = service.build_accept();
            prop_assert_eq!(Service::parse_accept(&built), Ok(service));
            let pairs = [(&text[..], &other[..]), (&other, &text)];
            let built = ExtInfo::build(&pairs);
            prop_assert_eq!(ExtInfo::parse(&built), Ok(ExtInfo { pairs: pairs.to_vec(), announced: 2 }));
            let built = UserauthRequest::build_none(&text);
            let request = UserauthRequest { user: &text, service: SERVICE_CONNECTION, method: b"none", rest: b"" };
            prop_assert_eq!(UserauthRequest::parse(&built), Ok(request));
            let failure = UserauthFailure { methods: NameList(&text), partial_success: flag };
            let built = failure.build();
            prop_assert_eq!(UserauthFailure::parse(&built), Ok(failure));
            let banner = UserauthBanner { text: &text };
            let built = banner.build();
            prop_assert_eq!(UserauthBanner::parse(&built), Ok(banner));
            let debug = DebugMessage { always_display: flag, text: &text };
            let built = debug.build();
            prop_assert_eq!(DebugMessage::parse(&built), Ok(debug));
            prop_assert_eq!(parse_unimplemented(&build_unimplemented(code)), Ok(code));
            prop_assert_eq!(build_ignore(&text).len(), text.len() + 5);
        }

        #[test]
        fn every_parser_survives_anything(number in 0u8..=255, bytes: Vec<u8>) {
            let bytes = [&[number][..], &bytes].concat();
            let _ = (Disconnect::parse(&bytes), Service::parse_request(&bytes), Service::parse_accept(&bytes));
            let _ = (UserauthRequest::parse(&bytes), UserauthFailure::parse(&bytes), UserauthBanner::parse(&bytes));
            let _ = (DebugMessage::parse(&bytes), parse_unimplemented(&bytes));
            if let Ok(read) = ExtInfo::parse(&bytes) {
                prop_assert!(read.pairs.len() <= ExtInfo::MAX);
            }
        }
    }

    #[test]
    fn an_announced_count_is_not_believed() {
        let lie = [&[SSH_MSG_EXT_INFO][..], &u32::MAX.to_be_bytes(), &[0; 12]].concat();
        assert_eq!(ExtInfo::parse(&lie).unwrap_err().what, "uint32 cut short");
        let many = ExtInfo::build(&[(&b"n"[..], &b"v"[..]); 70]);
        let read = ExtInfo::parse(&many).unwrap();
        assert_eq!((read.pairs.len(), read.announced), (ExtInfo::MAX, 70));
    }

    #[test]
    fn a_disconnect_cut_short_still_tells_its_code() {
        assert_eq!(Disconnect::parse(&[1, 0, 0, 0, 2]), Ok(Disconnect { code: 2, description: b"" }));
        let cut = [&[1, 0, 0, 0, 2, 0, 0, 0, 9][..], b"Too many"].concat();
        assert_eq!(Disconnect::parse(&cut).unwrap().description, b"Too many");
        assert!(Disconnect::parse(&[1, 0, 0]).is_err());
        assert_eq!(Service::parse_accept(&[SSH_MSG_SERVICE_ACCEPT]).unwrap().name, b"");
    }
}
