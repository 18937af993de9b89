//! Which packets a raw socket is to hand over at all, as programs of the kernel's packet filter (BPF): of a machine that is busy
//! with other things too, hardly any. What passes is still held against its cookie by [`super::reply`].

use super::cookie::SourcePorts;

/// One instruction of the classic packet filter (`struct sock_filter`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Instruction {
    /// What to do.
    pub code: u16,
    /// How many instructions to leave out where a comparison holds.
    pub then: u8,
    /// And where it does not.
    pub otherwise: u8,
    /// The operand.
    pub operand: u32,
}

/// Where a packet begins for the filter, and for whoever reads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begins {
    /// At the header of IPv4, as raw sockets of that family have it.
    AtIpv4,
    /// Behind all headers of IPv6, as raw sockets of that one have it.
    BehindIpv6,
}

// linux/filter.h. X is the index register, A the accumulator.
const X_HEADER_LENGTH: u16 = 0xb1;
const X_SET: u16 = 0x01;
const A_BYTE_AT_X: u16 = 0x50;
const A_HALF_AT_X: u16 = 0x48;
const IF_EQUAL: u16 = 0x15;
const IF_GREATER: u16 = 0x25;
const IF_AT_LEAST: u16 = 0x35;
const IF_ANY_BIT: u16 = 0x45;
const RETURN: u16 = 0x06;

const SYN_OR_RST: u32 = 0x06;
const ACK: u32 = 0x10;
const WHOLE: u32 = 0xffff;

const fn plain(code: u16, operand: u32) -> Instruction {
    Instruction { code, then: 0, otherwise: 0, operand }
}

const fn branch(code: u16, operand: u32, then: u8, otherwise: u8) -> Instruction {
    Instruction { code, then, otherwise, operand }
}

impl Begins {
    /// Lets X be where the payload of IP begins.
    const fn find_payload(self) -> Instruction {
        match self {
            Self::AtIpv4 => plain(X_HEADER_LENGTH, 0),
            Self::BehindIpv6 => plain(X_SET, 0),
        }
    }

    /// Segments to one of `ports` that could answer a SYN.
    #[must_use]
    pub const fn segments(self, ports: SourcePorts) -> [Instruction; 9] {
        [
            self.find_payload(),
            plain(A_HALF_AT_X, 2),
            branch(IF_AT_LEAST, ports.first() as u32, 0, 5),
            branch(IF_GREATER, ports.last() as u32, 4, 0),
            plain(A_BYTE_AT_X, 13),
            branch(IF_ANY_BIT, ACK, 0, 2),
            branch(IF_ANY_BIT, SYN_OR_RST, 0, 1),
            plain(RETURN, WHOLE),
            plain(RETURN, 0),
        ]
    }

    /// ICMP errors that could end a connect.
    #[must_use]
    pub const fn errors(self) -> [Instruction; 7] {
        // Unreachable, time exceeded, parameter problem.
        let [one, two, three] = match self {
            Self::AtIpv4 => [3, 11, 12],
            Self::BehindIpv6 => [1, 3, 4],
        };
        [
            self.find_payload(),
            plain(A_BYTE_AT_X, 0),
            branch(IF_EQUAL, one, 2, 0),
            branch(IF_EQUAL, two, 1, 0),
            branch(IF_EQUAL, three, 0, 1),
            plain(RETURN, WHOLE),
            plain(RETURN, 0),
        ]
    }
}

/// The filter that lets nothing through.
pub const NOTHING: [Instruction; 1] = [plain(RETURN, 0)];

#[cfg(test)]
mod tests {
    use super::*;

    /// What the kernel does with a program: whether the packet passes. A load behind the end drops it.
    fn passes(program: &[Instruction], packet: &[u8]) -> bool {
        let (mut a, mut x, mut at) = (0u32, 0usize, 0usize);
        let byte = |at: usize| packet.get(at).copied().map(u32::from);
        loop {
            let Instruction { code, then, otherwise, operand } = program[at];
            let place = operand as usize;
            let load = match code {
                A_BYTE_AT_X => byte(x + place),
                A_HALF_AT_X => byte(x + place).zip(byte(x + place + 1)).map(|(high, low)| high << 8 | low),
                X_HEADER_LENGTH => byte(place),
                _ => Some(0),
            };
            let Some(load) = load else { return false };
            let holds = match code {
                IF_EQUAL => a == operand,
                IF_GREATER => a > operand,
                IF_AT_LEAST => a >= operand,
                IF_ANY_BIT => a & operand != 0,
                _ => false,
            };
            match code {
                A_BYTE_AT_X | A_HALF_AT_X => a = load,
                X_HEADER_LENGTH => x = (load as usize & 0xf) * 4,
                X_SET => x = place,
                RETURN => return operand != 0,
                IF_EQUAL | IF_GREATER | IF_AT_LEAST | IF_ANY_BIT => {
                    at += usize::from(if holds { then } else { otherwise });
                }
                code => panic!("{code:#x}"),
            }
            at += 1;
        }
    }

    fn segment(to: u16, flags: u8) -> Vec<u8> {
        let mut segment = vec![0; 20];
        segment[2..4].copy_from_slice(&to.to_be_bytes());
        segment[13] = flags;
        segment
    }

    /// Behind a header of IPv4 of so many words.
    fn packet(words: u8, payload: &[u8]) -> Vec<u8> {
        let mut packet = vec![0; usize::from(words) * 4];
        packet[0] = 0x40 | words;
        packet.extend(payload);
        packet
    }

    #[test]
    fn answers_to_our_ports_pass_and_other_segments_do_not() {
        let ports = SourcePorts::new(1000, 1999).unwrap();
        let v4 = |to, flags| {
            let program = Begins::AtIpv4.segments(ports);
            let five = passes(&program, &packet(5, &segment(to, flags)));
            assert_eq!(five, passes(&program, &packet(15, &segment(to, flags))), "options of IP change nothing");
            five
        };
        let v6 = |to, flags| passes(&Begins::BehindIpv6.segments(ports), &segment(to, flags));
        for (to, flags, wanted) in [
            (1000, 0x12, true),
            (1999, 0x14, true),
            (1500, 0x52, true),
            (999, 0x12, false),
            (2000, 0x12, false),
            (1500, 0x10, false),
            (1500, 0x02, false),
            (1500, 0x04, false),
            (1500, 0x18, false),
        ] {
            assert_eq!((v4(to, flags), v6(to, flags)), (wanted, wanted), "{to} {flags:#x}");
        }
        assert!(!passes(&Begins::AtIpv4.segments(ports), &packet(5, &[0; 8])), "too short");
        assert!(!passes(&NOTHING, &segment(1500, 0x12)));
    }

    #[test]
    fn errors_pass_and_other_messages_do_not() {
        for (kind, v4, v6) in [
            (0, false, false),
            (1, false, true),
            (3, true, true),
            (4, false, true),
            (11, true, false),
            (12, true, false),
        ] {
            assert_eq!(passes(&Begins::AtIpv4.errors(), &packet(6, &[kind, 1, 0, 0])), v4, "{kind}");
            assert_eq!(passes(&Begins::BehindIpv6.errors(), &[kind, 1, 0, 0]), v6, "{kind}");
        }
    }
}
