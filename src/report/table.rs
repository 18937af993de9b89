//! A plain table for people: rows as they arrive, fitted to the terminal.

use std::io;

use sshprobe_probes::escape::escape;
use sshprobe_probes::record::Record;

use crate::report::columns::{COLUMNS, Column, color};
use crate::report::format::{Encoder, Look};
use crate::report::layout::{GAP, Wish, cut, fit, width};

struct Table {
    look: Look,
    /// The columns that stand and their widths.
    columns: Vec<(&'static Column, usize)>,
    headed: bool,
}

/// A fresh encoder.
pub(super) fn encoder(look: Look) -> Box<dyn Encoder> {
    let wishes: Vec<Wish> = COLUMNS.iter().map(|column| column.wish).collect();
    let widths = fit(&wishes, look.width);
    let columns = COLUMNS.iter().zip(widths).filter_map(|(column, width)| Some((column, width?))).collect();
    Box::new(Table { look, columns, headed: false })
}

impl Encoder for Table {
    fn record(&mut self, record: &Record, out: &mut Vec<u8>) -> io::Result<()> {
        if !self.headed {
            self.headed = true;
            self.row(out, |column| column.title.to_owned(), "1");
        }
        self.row(out, |column| self.cell(column, record), color(record));
        Ok(())
    }
}

impl Table {
    /// A cell. Where there is no room to show what a healthy target has to offer, its sentence says it.
    fn cell(&self, column: &Column, record: &Record) -> String {
        let text = (column.cell)(record);
        let all_stand = self.columns.len() == COLUMNS.len();
        if text.is_empty() && column.wish.most.is_none() && !all_stand { escape(&record.detail) } else { text }
    }

    /// One line. The first cell carries the colour.
    fn row(&self, out: &mut Vec<u8>, cell: impl Fn(&Column) -> String, sgr: &str) {
        let mut line = String::new();
        // What a cell that must stay whole takes beyond its column, the cells after it give back.
        let mut debt = 0;
        for (at, (column, wide)) in self.columns.iter().enumerate() {
            let mut text = cell(column);
            // A hole in the middle would shift the rest for whoever cuts rows at blanks.
            if text.is_empty() && at + 1 < self.columns.len() {
                text.push('-');
            }
            let mut room = wide.saturating_sub(debt);
            debt -= wide - room;
            let cells = width(&text);
            if cells > room {
                if column.whole {
                    debt += cells - room;
                    room = cells;
                } else if self.look.width.is_some() {
                    text = cut(&text, room);
                }
            }
            let padding = " ".repeat(room.saturating_sub(width(&text)));
            if at > 0 {
                line.push_str(&" ".repeat(GAP));
            }
            if column.right {
                line.push_str(&padding);
            }
            if at == 0 && self.look.color {
                line.push_str(&format!("\x1b[{sgr}m{text}\x1b[0m"));
            } else {
                line.push_str(&text);
            }
            if !column.right {
                line.push_str(&padding);
            }
        }
        out.extend_from_slice(line.trim_end().as_bytes());
        out.push(b'\n');
    }
}

#[cfg(test)]
mod tests {
    use sshprobe_probes::diagnose::{Code, Finding, FindingId};
    use sshprobe_probes::evidence::Stage;

    use super::*;
    use crate::report::samples::{healthy, record};

    fn render(look: Look, records: &[Record]) -> String {
        let mut table = encoder(look);
        let mut out = Vec::new();
        for record in records {
            table.record(record, &mut out).expect("no error");
        }
        String::from_utf8(out).expect("UTF-8")
    }

    fn fleet() -> Vec<Record> {
        let mut open = healthy("web");
        open.findings.push(Finding::new(FindingId::AuthNoneAccepted, "none was accepted"));
        let mut http =
            record("2001:db8::7", Code::NotSsh, Stage::Ident, "the server speaks HTTP: \"HTTP/1.1 400 Bad Request\"");
        http.timing_us.total = Some(2_100_000);
        vec![
            healthy("10.0.0.5"),
            open,
            http,
            record("10.0.0.6", Code::TimeoutConnect, Stage::Connect, "no answer to the SYN in 5 s"),
        ]
    }

    #[test]
    fn without_a_width_nothing_is_cut() {
        assert_eq!(
            render(Look::default(), &fleet()),
            "\
STATUS             HOST                              TIME  SOFTWARE              HOST KEY                                                    METHODS                                   WHY
ok                 10.0.0.5:22                       12ms  OpenSSH_9.2p1         ed25519 SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU  publickey,password
ok                 web:22                            12ms  OpenSSH_9.2p1         ed25519 SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU  publickey,password                        auth-none-accepted
not-ssh            [2001:db8::7]:22                  2.1s  -                     -                                                           -                                         the server speaks HTTP: \"HTTP/1.1 400 Bad Request\"
timeout            10.0.0.6:22                         0s  -                     -                                                           -                                         timeout-connect: no answer to the SYN in 5 s
"
        );
    }

    #[test]
    fn eighty_columns_hold_what_matters_most() {
        assert_eq!(
            render(Look { width: Some(80), color: false }, &fleet()),
            "\
STATUS          HOST                WHY
ok              10.0.0.5:22         the methods were listed
ok              web:22              auth-none-accepted
not-ssh         [2001:db8::7]:22    the server speaks HTTP: \"HTTP/1.1 400 Bad R…
timeout         10.0.0.6:22         timeout-connect: no answer to the SYN in 5 s
"
        );
    }

    #[test]
    fn an_address_is_never_cut_and_a_row_never_too_long() {
        let long = record(
            "2001:db8:1111:2222:3333:4444:5555:6666",
            Code::Refused,
            Stage::Connect,
            "connection refused by the host itself",
        );
        for width in 80..240 {
            let text = render(Look { width: Some(width), color: false }, std::slice::from_ref(&long));
            assert!(text.contains("[2001:db8:1111:2222:3333:4444:5555:6666]:22"), "{text}");
            let fits = text.lines().all(|line| crate::report::layout::width(line) <= width);
            assert!(fits, "{width}: {text}");
        }
    }

    #[test]
    fn nothing_a_server_sends_reaches_the_terminal_raw() {
        let mut evil = healthy("evil");
        let hostile = "\u{1b}[2J\r\n\t\0\u{9b}31m\u{202e}\u{7f}";
        evil.target.host = hostile.into();
        evil.host_keys[0].kind = hostile.into();
        if let Some(ident) = &mut evil.ident {
            ident.software = hostile.into();
        }
        if let Some(auth) = &mut evil.auth {
            auth.methods = Some(vec![hostile.into(); 3]);
        }
        evil.detail = hostile.into();
        let mut closed = evil.clone();
        closed.code = Code::Disconnected;
        closed.status = Code::Disconnected.status();
        for look in [Look::default(), Look { width: Some(120), color: false }] {
            let text = render(look, &[evil.clone(), closed.clone()]);
            assert_eq!(text.lines().count(), 3, "{text:?}");
            assert!(!text.chars().any(|c| c != '\n' && sshprobe_probes::escape::is_unsafe(c)), "{text:?}");
            assert!(text.contains("\\x1b[2J"), "{text}");
        }
    }

    #[test]
    fn colour_stands_only_around_the_status() {
        let mut silent = record("10.0.0.6", Code::TimeoutConnect, Stage::Connect, "no answer");
        silent.from_range = true;
        let look = Look { width: Some(80), color: true };
        let text = render(
            look,
            &[
                healthy("a"),
                silent,
                record("b", Code::Tarpit, Stage::Ident, "x"),
                record("c", Code::MacError, Stage::Kex, "y"),
            ],
        );
        let starts: Vec<&str> =
            text.lines().filter_map(|line| line.split_once("\x1b[0m")).map(|(start, _)| start).collect();
        assert_eq!(
            starts,
            ["\x1b[1mSTATUS", "\x1b[32mok", "\x1b[2mtimeout", "\x1b[33mtarpit", "\x1b[31mprotocol-error"]
        );
        assert!(text.lines().all(|line| line.matches('\x1b').count() == 2));
    }
}
