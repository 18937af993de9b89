//! A plain table for people: rows as they arrive, fitted to the terminal.

use std::io;

use sshprobe_probes::diagnose::Status;
use sshprobe_probes::escape::escape;
use sshprobe_probes::record::Record;

use crate::report::columns::{Column, color};
use crate::report::format::{Encoder, Look};
use crate::report::layout::{GAP, Wish, ascii, cut, ellipsis, fit, width};

/// A last column with less room than this takes a line of its own: what is left of a sentence there would say nothing.
const CLAUSE: usize = 24;

/// A column that must stay whole grows no further than this for what it has to hold: one long name does not push all the
/// other rows aside.
const GROWN: usize = 30;

struct Table {
    look: Look,
    /// The columns that stand and their widths.
    columns: Vec<(&'static Column, usize)>,
    /// Those that there is no room for.
    left_out: Vec<&'static Column>,
    headed: bool,
}

/// A fresh encoder.
pub(super) fn encoder(look: Look) -> Box<dyn Encoder> {
    let (all, wishes): (Vec<&'static Column>, Vec<Wish>) = match &look.columns {
        // What was asked for stands, whether there is room for it or not.
        Some(chosen) => chosen.0.iter().map(|column| (*column, Wish { leaves: 0, ..column.wish })).unzip(),
        None => Column::of_table().map(|column| (column, column.wish)).unzip(),
    };
    let (mut columns, mut left_out) = (Vec::new(), Vec::new());
    for (column, width) in all.into_iter().zip(fit(&wishes, look.width)) {
        match width {
            Some(width) => columns.push((column, width)),
            None => left_out.push(column),
        }
    }
    // Numbers are missed least.
    left_out.sort_by_key(|column| column.right);
    Box::new(Table { look, columns, left_out, headed: false })
}

impl Encoder for Table {
    fn record(&mut self, record: &Record, out: &mut Vec<u8>) -> io::Result<()> {
        let whole: Vec<String> = self
            .columns
            .iter()
            .map(|(column, _)| if column.whole { self.spell(column.cell(record)) } else { String::new() })
            .collect();
        self.grow(&whole);
        if !self.headed {
            self.headed = true;
            self.row(out, |column, _| column.title.to_owned(), "1");
        }
        self.row(out, |column, room| self.cell(column, record, room), color(record));
        Ok(())
    }
}

impl Table {
    fn cell(&self, column: &Column, record: &Record, room: Option<usize>) -> String {
        let open_ended = column.wish.most.is_none() && column.brief.is_some();
        if open_ended && record.status == Status::Ok && !self.left_out.is_empty() {
            return self.all_in_one(column, record);
        }
        let text = self.spell(column.cell(record));
        if room.is_some_and(|room| width(&text) > room) { self.spell(column.brief(record)) } else { text }
    }

    /// A healthy target has nothing to explain: what there is no column for stands in the one that is left, after what is
    /// to be put right at once.
    fn all_in_one(&self, column: &Column, record: &Record) -> String {
        let grave = column.brief(record);
        let lesser = column.cell(record);
        // The names of lesser findings come last.
        let lesser = lesser.split(' ').filter(|id| !grave.split(' ').any(|told| told == *id)).map(str::to_owned);
        let cells = self.left_out.iter().map(|column| column.brief(record));
        let parts = std::iter::once(grave.clone()).chain(cells).chain(lesser);
        let mut parts: Vec<String> = parts.filter(|part| !part.is_empty()).collect();
        if parts.is_empty() {
            parts.push(escape(&record.detail));
        }
        self.spell(parts.join("  "))
    }

    fn spell(&self, text: String) -> String {
        if self.look.ascii && !text.is_ascii() { ascii(&text) } else { text }
    }

    /// A column that must stay whole grows with what it has to hold, as far as the last one can spare it: the rows to come
    /// will then stand straight.
    fn grow(&mut self, cells: &[String]) {
        let bounded = self.look.width.is_some();
        let Some(((last, rest), columns)) = self.columns.split_last_mut() else { return };
        for ((column, wide), text) in columns.iter_mut().zip(cells) {
            let wanted = width(text).saturating_sub(*wide);
            let grows = column.whole && last.wish.most.is_none() && *wide + wanted <= GROWN;
            let spare = if bounded { rest.saturating_sub(CLAUSE) } else { wanted };
            let more = if grows { wanted.min(spare) } else { 0 };
            *wide += more;
            *rest = rest.saturating_sub(more);
        }
    }

    /// One line, or two. The first cell carries the colour.
    fn row(&self, out: &mut Vec<u8>, cell: impl Fn(&Column, Option<usize>) -> String, sgr: &str) {
        let mark = ellipsis(self.look.ascii);
        let mut line = String::new();
        // What a cell that must stay whole takes beyond its column, the cells after it give back.
        let mut debt: usize = 0;
        let last = self.columns.len().saturating_sub(1);
        let rest = self.columns.last().map_or(0, |(_, wide)| *wide);
        for (at, (column, wide)) in self.columns.iter().enumerate() {
            let mut room = *wide;
            let mut text = cell(column, self.look.width.map(|_| room));
            // The blanks are given first; what stands there only if the last column cannot pay for it.
            let blanks = room.saturating_sub(width(&text).max(1));
            let dire = debt.saturating_sub(rest);
            let paid = if at == last { debt } else { debt.min(blanks.max(dire)) }.min(room);
            room -= paid;
            debt -= paid;
            if paid > 0 {
                text = cell(column, self.look.width.map(|_| room));
            }
            // A hole in the middle would shift the rest for whoever cuts rows at blanks.
            if text.is_empty() && at < last {
                text.push('-');
            }
            let cells = width(&text);
            if cells > room {
                if column.whole {
                    debt += cells - room;
                    room = cells;
                } else if let Some(total) = self.look.width {
                    if at == last && room < CLAUSE && column.wish.most.is_none() {
                        line.truncate(line.trim_end().len());
                        line.push_str("\n    ");
                        text = cut(&text, total.saturating_sub(4), mark);
                    } else {
                        text = cut(&text, room, mark);
                    }
                }
            }
            let padding = " ".repeat(room.saturating_sub(width(&text)));
            if at > 0 && !line.ends_with("\n    ") {
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
    use std::sync::Arc;

    use sshprobe_probes::diagnose::{Code, Finding, FindingId};
    use sshprobe_probes::evidence::Stage;

    use super::*;
    use crate::report::columns::{COLUMNS, Columns};
    use crate::report::samples::{healthy, hostile, record};

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
STATUS          HOST                  TIME  SOFTWARE              HOST KEY                                                            METHODS                                   WHY
ok              10.0.0.5:22           12ms  OpenSSH_9.2p1         ed25519 SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU match    publickey,password
ok              web:22                12ms  OpenSSH_9.2p1         ed25519 SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU match    publickey,password                        auth-none-accepted
not-ssh         [2001:db8::7]:22      2.1s  -                     -                                                                   -                                         the server speaks HTTP: \"HTTP/1.1 400 Bad Request\"
timeout         10.0.0.6:22             0s  -                     -                                                                   -                                         timeout-connect: no answer to the SYN in 5 s
"
        );
    }

    #[test]
    fn eighty_columns_hold_what_matters_most() {
        assert_eq!(
            render(Look { width: Some(80), ..Look::default() }, &fleet()),
            "\
STATUS          HOST                WHY
ok              10.0.0.5:22         OpenSSH_9.2p1  ed25519 match  pubkey,passwo…
ok              web:22              auth-none-accepted  OpenSSH_9.2p1  ed25519 …
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
            let text = render(Look { width: Some(width), ..Look::default() }, std::slice::from_ref(&long));
            assert!(text.contains("[2001:db8:1111:2222:3333:4444:5555:6666]:22"), "{text}");
            let fits = text.lines().all(|line| crate::report::layout::width(line) <= width);
            assert!(fits, "{width}: {text}");
        }
    }

    #[test]
    fn a_reason_without_room_gets_a_line_of_its_own() {
        let long = [
            record(
                "2001:db8:1111:2222:3333:4444:5555:6666",
                Code::Refused,
                Stage::Connect,
                "connection refused by the host",
            ),
            healthy(&"long-name.".repeat(20)),
        ];
        let text = render(Look { width: Some(80), ..Look::default() }, &long);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[1], "refused         [2001:db8:1111:2222:3333:4444:5555:6666]:22");
        assert_eq!(lines[2], "    connection refused by the host");
        assert_eq!(lines[4], "    OpenSSH_9.2p1  ed25519 match  pubkey,password  12ms");
    }

    #[test]
    fn what_was_asked_for_stands_in_the_order_given() {
        let columns = Columns(
            ["why", "host", "code", "kex"].map(|name| COLUMNS.iter().find(|c| c.name == name).expect(name)).into(),
        );
        let text = render(Look { width: Some(80), columns: Some(columns), ..Look::default() }, &fleet());
        assert!(text.starts_with("WHY "), "{text}");
        let row = text.lines().last().expect("a row");
        let words: Vec<&str> = row.rsplit("  ").map(str::trim).filter(|word| !word.is_empty()).collect();
        assert_eq!(words[..2], ["timeout-connect", "10.0.0.6:22"], "{text}");
        assert!(row.starts_with("timeout-connect: no answer"), "{text}");
    }

    #[test]
    fn a_place_of_ascii_gets_ascii() {
        let mut record = healthy("10.0.0.5");
        Arc::make_mut(record.ident.as_mut().expect("there")).software = String::from("\u{6c1b}\u{6c1b}").repeat(9);
        for width in [None, Some(80), Some(200)] {
            let text = render(Look { width, ascii: true, ..Look::default() }, std::slice::from_ref(&record));
            assert!(text.is_ascii() && text.contains("\\u{6c1b}"), "{text}");
        }
    }

    #[test]
    fn nothing_a_server_sends_reaches_the_terminal_raw() {
        let evil = hostile();
        for width in [None, Some(80), Some(120), Some(200)] {
            let text = render(Look { width, ..Look::default() }, &evil);
            assert!(text.lines().skip(1).filter(|line| !line.starts_with(' ')).count() == evil.len(), "{text:?}");
            assert!(!text.chars().any(|c| c != '\n' && sshprobe_probes::escape::is_unsafe(c)), "{text:?}");
            assert!(text.contains("\\x1b[2J"), "{text}");
        }
    }

    #[test]
    fn colour_stands_only_around_the_status() {
        let mut silent = record("10.0.0.6", Code::TimeoutConnect, Stage::Connect, "no answer");
        silent.from_range = true;
        let look = Look { width: Some(80), color: true, ..Look::default() };
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
