//! Finite-field Diffie-Hellman: the fixed groups (RFC 4253 section 8, RFC 8268) and group exchange (RFC 4419).
//!
//! Old network gear speaks nothing else. Exponentiation is constant-time in the exponent; a probe's exponent protects
//! nothing but a method list.

use std::fmt;

use aws_lc_rs::digest;
use crypto_bigint::modular::{BoxedMontyForm, BoxedMontyParams};
use crypto_bigint::{BoxedUint, Odd};

use super::exchange::{
    Answer, Exchange, Exchanged, KexFault, Preface, Progress, Serve, Served, SharedSecret, Signer, Transcript,
};
use super::modp;
use crate::random::Randomness;
use crate::wire::read::{ReadError, Reader};
use crate::wire::write::Writer;

/// SSH_MSG_KEXDH_INIT and SSH_MSG_KEX_DH_GEX_REQUEST_OLD share a number (RFC 4253 section 8, RFC 4419 section 5).
const SSH_MSG_KEXDH_INIT: u8 = 30;
const SSH_MSG_KEX_DH_GEX_REQUEST_OLD: u8 = 30;
const SSH_MSG_KEXDH_REPLY: u8 = 31;
const SSH_MSG_KEX_DH_GEX_GROUP: u8 = 31;
const SSH_MSG_KEX_DH_GEX_INIT: u8 = 32;
const SSH_MSG_KEX_DH_GEX_REPLY: u8 = 33;
const SSH_MSG_KEX_DH_GEX_REQUEST: u8 = 34;

/// The sizes of groups a server may choose, in bits. Below, the discrete logarithm is a toy; above, its arithmetic costs
/// more CPU than a probe is worth.
const GROUP_BITS: std::ops::RangeInclusive<u32> = 512..=8192;

/// Our exponents, in bytes: twice the strength of the strongest cipher agreed on (RFC 4419 section 6.2).
const EXPONENT: usize = 64;

/// What a group exchange asks for (RFC 4419 section 3), in bits. The preferred size is the least that is still sound.
const GEX_MIN: u32 = 1024;
const GEX_PREFERRED: u32 = 2048;
const GEX_MAX: u32 = 8192;
/// Cisco's server hangs up when asked for more; OpenSSH's client asks it for less as well.
const GEX_MAX_CISCO: u32 = 4096;

/// A fixed group.
pub struct Group {
    prime: &'static str,
}

/// 1024 bits: within reach of a well-funded attacker (Logjam). Only to *see* what offers nothing else.
pub static GROUP1: Group = Group { prime: modp::GROUP1 };
/// 2048 bits.
pub static GROUP14: Group = Group { prime: modp::GROUP14 };
/// 3072 bits.
pub static GROUP15: Group = Group { prime: modp::GROUP15 };
/// 4096 bits.
pub static GROUP16: Group = Group { prime: modp::GROUP16 };
/// 6144 bits.
pub static GROUP17: Group = Group { prime: modp::GROUP17 };
/// 8192 bits.
pub static GROUP18: Group = Group { prime: modp::GROUP18 };

/// A prime with its generator, ready for arithmetic.
struct Field {
    params: BoxedMontyParams,
    prime: Vec<u8>,
    generator: Vec<u8>,
    bits: u32,
}

impl Field {
    fn new(prime: &[u8], generator: &[u8]) -> Result<Self, KexFault> {
        let prime = magnitude(prime);
        let generator = magnitude(generator);
        let modulus = BoxedUint::from_be_slice_vartime(prime);
        let bits = modulus.bit_width_vartime();
        if !GROUP_BITS.contains(&bits) {
            return Err(KexFault::Group("has a size that no sound group has"));
        }
        let odd = Option::<Odd<BoxedUint>>::from(Odd::new(modulus)).ok_or(KexFault::Group("is even"))?;
        let field = Self {
            params: BoxedMontyParams::new_vartime(odd),
            prime: prime.to_vec(),
            generator: generator.to_vec(),
            bits,
        };
        if !field.contains(generator) {
            return Err(KexFault::Group("has a generator out of range"));
        }
        Ok(field)
    }

    fn fixed(group: &Group) -> Result<Self, KexFault> {
        Self::new(&unhex(group.prime), &[2])
    }

    /// 1 < value < p - 1 (RFC 4253 section 8): neither 1 nor p - 1 generates anything.
    fn contains(&self, value: &[u8]) -> bool {
        let value = magnitude(value);
        let mut last = self.prime.clone();
        if let Some(low) = last.last_mut() {
            *low &= !1;
        }
        (value.len(), value) < (last.len(), &last[..]) && (value.len() > 1 || value.first().is_some_and(|low| *low > 1))
    }

    fn power(&self, base: &[u8], exponent: &[u8]) -> Result<Vec<u8>, KexFault> {
        let range = |_| KexFault::PublicKey("is out of range");
        let base = BoxedUint::from_be_slice(magnitude(base), self.params.bits_precision()).map_err(range)?;
        let bits = u32::try_from(exponent.len().saturating_mul(8)).unwrap_or(u32::MAX);
        let exponent = BoxedUint::from_be_slice(exponent, bits).map_err(range)?;
        let power = BoxedMontyForm::new(base, &self.params).pow(&exponent);
        Ok(power.retrieve().to_be_bytes().into_vec())
    }
}

impl fmt::Debug for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Field({} bits)", self.bits)
    }
}

/// Without leading zeros.
fn magnitude(bytes: &[u8]) -> &[u8] {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    bytes.get(zeros..).unwrap_or_default()
}

fn unhex(text: &str) -> Vec<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok()).unwrap_or_default();
    let pair = |pair: &[u8]| pair.iter().fold(0, |value, byte| (value << 4) | digit(*byte));
    text.as_bytes().chunks(2).map(pair).collect()
}

/// Our exponent and what we send of it.
struct Ephemeral {
    exponent: [u8; EXPONENT],
    public: Vec<u8>,
}

impl Ephemeral {
    fn draw(field: &Field, exponent: [u8; EXPONENT]) -> Result<Self, KexFault> {
        Ok(Self { exponent, public: field.power(&field.generator, &exponent)? })
    }

    fn write(&self, number: u8, out: &mut Vec<u8>) {
        Writer::new(out).u8(number).mpint(&self.public);
    }

    /// K with the server's f.
    fn agree(&self, field: &Field, theirs: &[u8]) -> Result<SharedSecret, KexFault> {
        if !field.contains(theirs) {
            return Err(KexFault::PublicKey("is out of range"));
        }
        let secret = field.power(theirs, &self.exponent)?;
        if magnitude(&secret).len() <= 1 {
            return Err(KexFault::PublicKey("gives nothing secret"));
        }
        Ok(SharedSecret::mpint(&secret))
    }
}

impl fmt::Debug for Ephemeral {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ephemeral(..)")
    }
}

fn draw_exponent(randomness: &mut Randomness) -> [u8; EXPONENT] {
    let mut exponent = [0; EXPONENT];
    randomness.fill(&mut exponent);
    exponent
}

/// K_S, f and the signature of a reply.
fn reply(payload: &[u8], number: u8) -> Result<[&[u8]; 3], KexFault> {
    let layout = |fault: ReadError| KexFault::Layout { number, fault };
    let mut reader = Reader::new(payload);
    let found = reader.u8().map_err(layout)?;
    if found != number {
        return Err(KexFault::Unexpected { number: found });
    }
    let host_key = reader.string().map_err(layout)?;
    let theirs = positive(reader.string().map_err(layout)?)?;
    let signature = reader.string().map_err(layout)?;
    reader.end().map_err(layout)?;
    Ok([host_key, theirs, signature])
}

/// An mpint's magnitude; none of these numbers may be negative.
fn positive(mpint: &[u8]) -> Result<&[u8], KexFault> {
    if mpint.first().is_some_and(|top| top & 0x80 != 0) {
        return Err(KexFault::PublicKey("is negative"));
    }
    Ok(magnitude(mpint))
}

/// A client's exchange over a fixed group.
#[derive(Debug)]
struct Fixed {
    field: Field,
    hash: &'static digest::Algorithm,
    ephemeral: Ephemeral,
}

/// A client's exchange over a fixed group with a fresh exponent.
///
/// # Errors
/// Never in practice: the groups are sound.
pub fn begin(
    group: &'static Group,
    hash: &'static digest::Algorithm,
    randomness: &mut Randomness,
) -> Result<Box<dyn Exchange>, KexFault> {
    let field = Field::fixed(group)?;
    let ephemeral = Ephemeral::draw(&field, draw_exponent(randomness))?;
    Ok(Box::new(Fixed { field, hash, ephemeral }))
}

impl Exchange for Fixed {
    fn write_first(&mut self, _: &Preface<'_>, out: &mut Vec<u8>) {
        self.ephemeral.write(SSH_MSG_KEXDH_INIT, out);
    }

    fn receive<'p>(&mut self, payload: &'p [u8], preface: &Preface<'_>) -> Result<Progress<'p>, KexFault> {
        let [host_key, theirs, signature] = reply(payload, SSH_MSG_KEXDH_REPLY)?;
        let secret = self.ephemeral.agree(&self.field, theirs)?;
        let mut transcript = Transcript::new(self.hash, preface, host_key);
        transcript.mpint(&self.ephemeral.public);
        transcript.mpint(theirs);
        Ok(done(host_key, signature, transcript, secret, &self.field))
    }
}

fn done<'p>(
    host_key: &'p [u8],
    signature: &'p [u8],
    transcript: Transcript,
    secret: SharedSecret,
    field: &Field,
) -> Progress<'p> {
    let hash = transcript.finish(&secret);
    Progress::Done(Exchanged { host_key, signature, hash, secret, dh_bits: Some(field.bits) })
}

/// What was asked for, as it enters the exchange hash.
#[derive(Debug, Clone, Copy)]
enum Request {
    /// min, n, max
    Range([u32; 3]),
    /// n alone: the draft that OpenSSH 2 and ssh.com 3.0 implemented.
    Old(u32),
}

impl Request {
    fn for_server(v_s: &[u8]) -> Self {
        let software = v_s.splitn(3, |byte| *byte == b'-').nth(2).unwrap_or_default();
        if [&b"OpenSSH_2."[..], b"3.0."].iter().any(|old| software.starts_with(old)) {
            return Request::Old(GEX_PREFERRED);
        }
        let max = if software.starts_with(b"Cisco-1.") { GEX_MAX_CISCO } else { GEX_MAX };
        Request::Range([GEX_MIN, GEX_PREFERRED, max])
    }

    fn sizes(&self) -> &[u32] {
        match self {
            Request::Range(sizes) => sizes,
            Request::Old(size) => std::slice::from_ref(size),
        }
    }
}

/// A client's group exchange.
#[derive(Debug)]
struct GroupExchange {
    hash: &'static digest::Algorithm,
    exponent: [u8; EXPONENT],
    request: Request,
    chosen: Option<(Field, Ephemeral)>,
}

/// A client's group exchange with a fresh exponent.
///
/// # Errors
/// Never.
pub fn begin_group_exchange(
    hash: &'static digest::Algorithm,
    randomness: &mut Randomness,
) -> Result<Box<dyn Exchange>, KexFault> {
    let request = Request::Range([GEX_MIN, GEX_PREFERRED, GEX_MAX]);
    Ok(Box::new(GroupExchange { hash, exponent: draw_exponent(randomness), request, chosen: None }))
}

impl Exchange for GroupExchange {
    fn write_first(&mut self, preface: &Preface<'_>, out: &mut Vec<u8>) {
        self.request = Request::for_server(preface.v_s);
        let mut writer = Writer::new(out);
        writer.u8(match self.request {
            Request::Range(_) => SSH_MSG_KEX_DH_GEX_REQUEST,
            Request::Old(_) => SSH_MSG_KEX_DH_GEX_REQUEST_OLD,
        });
        for size in self.request.sizes() {
            writer.u32(*size);
        }
    }

    fn receive<'p>(&mut self, payload: &'p [u8], preface: &Preface<'_>) -> Result<Progress<'p>, KexFault> {
        let Some((field, ephemeral)) = &self.chosen else {
            let number = SSH_MSG_KEX_DH_GEX_GROUP;
            let layout = |fault: ReadError| KexFault::Layout { number, fault };
            let mut reader = Reader::new(payload);
            let found = reader.u8().map_err(layout)?;
            if found != number {
                return Err(KexFault::Unexpected { number: found });
            }
            let prime = positive(reader.string().map_err(layout)?)?;
            let generator = positive(reader.string().map_err(layout)?)?;
            reader.end().map_err(layout)?;
            let field = Field::new(prime, generator)?;
            let ephemeral = Ephemeral::draw(&field, self.exponent)?;
            let mut message = Vec::new();
            ephemeral.write(SSH_MSG_KEX_DH_GEX_INIT, &mut message);
            self.chosen = Some((field, ephemeral));
            return Ok(Progress::Send(message));
        };
        let [host_key, theirs, signature] = reply(payload, SSH_MSG_KEX_DH_GEX_REPLY)?;
        let secret = ephemeral.agree(field, theirs)?;
        let mut transcript = Transcript::new(self.hash, preface, host_key);
        for size in self.request.sizes() {
            transcript.encoded(&size.to_be_bytes());
        }
        for number in [&field.prime[..], &field.generator, &ephemeral.public, theirs] {
            transcript.mpint(number);
        }
        Ok(done(host_key, signature, transcript, secret, field))
    }
}

/// A message of one number from the client.
fn number(payload: &[u8], number: u8) -> Result<&[u8], KexFault> {
    let layout = |fault: ReadError| KexFault::Layout { number, fault };
    let mut reader = Reader::new(payload);
    let found = reader.u8().map_err(layout)?;
    if found != number {
        return Err(KexFault::Unexpected { number: found });
    }
    let value = positive(reader.string().map_err(layout)?)?;
    reader.end().map_err(layout)?;
    Ok(value)
}

impl Ephemeral {
    /// The server's reply to the client's e, once the transcript holds what came before it.
    fn answer(
        &self,
        field: &Field,
        e: &[u8],
        number: u8,
        mut transcript: Transcript,
        signer: &Signer<'_>,
    ) -> Result<Served, KexFault> {
        let secret = self.agree(field, e)?;
        transcript.mpint(e);
        transcript.mpint(&self.public);
        let hash = transcript.finish(&secret);
        let mut payload = vec![number];
        Writer::new(&mut payload).string(signer.host_key).mpint(&self.public).string(&(signer.sign)(hash.bytes()));
        Ok(Served::Done(Box::new(Answer { payload, hash, secret })))
    }
}

/// A server's exchange over a fixed group with a fresh exponent.
///
/// # Errors
/// Never in practice: the groups are sound.
pub fn serve(
    group: &'static Group,
    hash: &'static digest::Algorithm,
    randomness: &mut Randomness,
) -> Result<Box<dyn Serve>, KexFault> {
    let field = Field::fixed(group)?;
    let ephemeral = Ephemeral::draw(&field, draw_exponent(randomness))?;
    Ok(Box::new(Fixed { field, hash, ephemeral }))
}

impl Serve for Fixed {
    fn receive(&mut self, payload: &[u8], preface: &Preface<'_>, signer: &Signer<'_>) -> Result<Served, KexFault> {
        let e = number(payload, SSH_MSG_KEXDH_INIT)?;
        let transcript = Transcript::new(self.hash, preface, signer.host_key);
        self.ephemeral.answer(&self.field, e, SSH_MSG_KEXDH_REPLY, transcript, signer)
    }
}

/// A server's group exchange.
#[derive(Debug)]
struct GroupExchangeServer {
    hash: &'static digest::Algorithm,
    exponent: [u8; EXPONENT],
    chosen: Option<(Request, Field, Ephemeral)>,
}

/// A server's group exchange with a fresh exponent. It chooses the smallest of the fixed groups that has the preferred
/// size, and the largest if none has.
///
/// # Errors
/// Never.
pub fn serve_group_exchange(
    hash: &'static digest::Algorithm,
    randomness: &mut Randomness,
) -> Result<Box<dyn Serve>, KexFault> {
    Ok(Box::new(GroupExchangeServer { hash, exponent: draw_exponent(randomness), chosen: None }))
}

impl Request {
    fn parse(payload: &[u8]) -> Result<Self, KexFault> {
        let number = payload.first().copied().unwrap_or_default();
        let layout = |fault: ReadError| KexFault::Layout { number, fault };
        let mut reader = Reader::new(payload);
        let request = match reader.u8().map_err(layout)? {
            SSH_MSG_KEX_DH_GEX_REQUEST => {
                let mut sizes = [0; 3];
                for size in &mut sizes {
                    *size = reader.u32().map_err(layout)?;
                }
                Request::Range(sizes)
            }
            SSH_MSG_KEX_DH_GEX_REQUEST_OLD => Request::Old(reader.u32().map_err(layout)?),
            number => return Err(KexFault::Unexpected { number }),
        };
        reader.end().map_err(layout)?;
        Ok(request)
    }

    fn group(&self) -> &'static Group {
        let preferred = match self {
            Request::Range([_, preferred, _]) | Request::Old(preferred) => *preferred,
        };
        let groups = [(1024, &GROUP1), (2048, &GROUP14), (3072, &GROUP15), (4096, &GROUP16), (6144, &GROUP17)];
        groups.into_iter().find(|(bits, _)| *bits >= preferred).map_or(&GROUP18, |(_, group)| group)
    }
}

impl Serve for GroupExchangeServer {
    fn receive(&mut self, payload: &[u8], preface: &Preface<'_>, signer: &Signer<'_>) -> Result<Served, KexFault> {
        let Some((request, field, ephemeral)) = &self.chosen else {
            let request = Request::parse(payload)?;
            let field = Field::fixed(request.group())?;
            let ephemeral = Ephemeral::draw(&field, self.exponent)?;
            let mut message = vec![SSH_MSG_KEX_DH_GEX_GROUP];
            Writer::new(&mut message).mpint(&field.prime).mpint(&field.generator);
            self.chosen = Some((request, field, ephemeral));
            return Ok(Served::Send(message));
        };
        let e = number(payload, SSH_MSG_KEX_DH_GEX_INIT)?;
        let mut transcript = Transcript::new(self.hash, preface, signer.host_key);
        for size in request.sizes() {
            transcript.encoded(&size.to_be_bytes());
        }
        transcript.mpint(&field.prime);
        transcript.mpint(&field.generator);
        ephemeral.answer(field, e, SSH_MSG_KEX_DH_GEX_REPLY, transcript, signer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Seed;
    use crypto_bigint::Resize;

    /// floor(pi * 2^bits), by Machin's formula in plain integer arithmetic.
    fn pi(bits: u32) -> BoxedUint {
        let precision = (bits + 128).next_multiple_of(64);
        let uint = |value: u64| BoxedUint::from(value).resize(precision);
        let divide = |value: &BoxedUint, by: u64| value / &crypto_bigint::NonZero::new(uint(by)).unwrap();
        let arctan_of_inverse = |x: u64| {
            let one = uint(1).shl(bits + 64);
            let (mut term, mut sum, mut k) = (divide(&one, x), divide(&one, x), 1u64);
            while !bool::from(term.is_zero()) {
                term = divide(&term, x * x);
                k += 2;
                let part = divide(&term, k);
                sum = if k % 4 == 3 { sum.wrapping_sub(&part) } else { sum.wrapping_add(&part) };
            }
            sum
        };
        let quarter = arctan_of_inverse(5).shl(2).wrapping_sub(arctan_of_inverse(239));
        quarter.shl(2).shr(64)
    }

    #[test]
    fn the_groups_are_what_the_rfcs_define() {
        let groups = [
            (&GROUP1, 1024, 129_093),
            (&GROUP14, 2048, 124_476),
            (&GROUP15, 3072, 1_690_314),
            (&GROUP16, 4096, 240_904),
            (&GROUP17, 6144, 929_484),
            (&GROUP18, 8192, 4_743_158u64),
        ];
        for (group, n, c) in groups {
            let precision = n + 128;
            let power = |bits: u32| BoxedUint::one_with_precision(precision).shl(bits);
            let middle = pi(n - 130).resize(precision).wrapping_add(BoxedUint::from(c).resize(precision));
            let prime = power(n).wrapping_sub(power(n - 64)).wrapping_sub(power(0)).wrapping_add(middle.shl(64));
            assert_eq!(magnitude(&prime.to_be_bytes()), unhex(group.prime), "{n} bits");
            assert_eq!(Field::fixed(group).unwrap().bits, n);
        }
    }

    #[test]
    fn both_ends_agree_and_senseless_numbers_are_refused() {
        let field = Field::fixed(&GROUP14).unwrap();
        let mut randomness = Randomness::new(Seed([9; 32]));
        let ours = Ephemeral::draw(&field, draw_exponent(&mut randomness)).unwrap();
        let theirs = Ephemeral::draw(&field, draw_exponent(&mut randomness)).unwrap();
        let secret = ours.agree(&field, &theirs.public).unwrap();
        assert_eq!(secret.encoded(), theirs.agree(&field, &ours.public).unwrap().encoded());
        let mut last = field.prime.clone();
        *last.last_mut().unwrap() &= !1;
        for senseless in [&b""[..], &[0], &[1], &[0, 1], &last, &field.prime, &[&[1], &field.prime[..]].concat()] {
            assert!(ours.agree(&field, senseless).is_err(), "{senseless:?}");
        }
    }

    #[test]
    fn chosen_groups_are_checked() {
        let fault = |prime: &[u8], generator: &[u8]| Field::new(prime, generator).err().map(|fault| fault.to_string());
        let prime = unhex(modp::GROUP14);
        assert_eq!(fault(&prime, &[2]), None);
        assert_eq!(fault(&[0xff; 8], &[2]).unwrap(), "the server's group has a size that no sound group has");
        assert_eq!(fault(&[0xff; 2000], &[2]).unwrap(), "the server's group has a size that no sound group has");
        assert_eq!(fault(&[0xfe; 256], &[2]).unwrap(), "the server's group is even");
        for generator in [&[][..], &[0], &[1], &prime] {
            assert_eq!(fault(&prime, generator).unwrap(), "the server's group has a generator out of range");
        }
    }

    #[test]
    fn group_exchange_asks_each_server_for_what_it_can_take() {
        let ask = |v_s: &[u8]| {
            let mut exchange = begin_group_exchange(&digest::SHA256, &mut Randomness::new(Seed([1; 32]))).unwrap();
            exchange.first(&Preface { v_c: b"", v_s, i_c: [b"", b""], i_s: b"" })
        };
        let range = |sizes: [u32; 3]| [vec![34], sizes.map(u32::to_be_bytes).concat()].concat();
        assert_eq!(ask(b"SSH-2.0-OpenSSH_9.2p1"), range([1024, 2048, 8192]));
        assert_eq!(ask(b"SSH-2.0-Cisco-1.25"), range([1024, 2048, 4096]));
        assert_eq!(ask(b"SSH-1.99-Cisco-1.25"), range([1024, 2048, 4096]));
        assert_eq!(ask(b"SSH-1.99-OpenSSH_2.5.2p2"), [vec![30], 2048u32.to_be_bytes().to_vec()].concat());
    }
}
