//! Comma-separated values (RFC 4180), safe to open in a spreadsheet.

use std::io;

use sshprobe_probes::record::Record;

use crate::report::columns::Column;
use crate::report::format::{Encoder, Look};

struct Csv {
    columns: Vec<&'static Column>,
}

/// A fresh encoder; a program reads it, so how wide the place is does not matter.
pub(super) fn encoder(look: Look) -> Box<dyn Encoder> {
    let columns = look.columns.map_or_else(|| Column::of_csv().collect(), |chosen| chosen.0);
    Box::new(Csv { columns })
}

impl Encoder for Csv {
    fn begin(&mut self, out: &mut Vec<u8>) {
        self.line(out, |column| column.name.to_owned());
    }

    fn record(&mut self, record: &Record, out: &mut Vec<u8>) -> io::Result<()> {
        self.line(out, |column| (column.value)(record));
        Ok(())
    }
}

impl Csv {
    fn line(&self, out: &mut Vec<u8>, cell: impl Fn(&Column) -> String) {
        for (at, column) in self.columns.iter().enumerate() {
            if at > 0 {
                out.push(b',');
            }
            field(out, &cell(column));
        }
        out.extend_from_slice(b"\r\n");
    }
}

/// Writes one field. What a spreadsheet would take for a formula gets an apostrophe before it: a server's identification
/// must not run anything on the machine of whoever opens the file.
fn field(out: &mut Vec<u8>, text: &str) {
    // The fullwidth forms are taken for the same by spreadsheets of East Asian locales.
    let begins_formula = |c| matches!(c, '=' | '+' | '-' | '@' | '\t' | '\r' | '\n' | '＝' | '＋' | '－' | '＠');
    let formula = text.starts_with(begins_formula);
    if !formula && !text.contains(['"', ',', '\r', '\n', ';']) {
        return out.extend_from_slice(text.as_bytes());
    }
    out.push(b'"');
    if formula {
        out.push(b'\'');
    }
    out.extend_from_slice(text.replace('"', "\"\"").as_bytes());
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::report::columns::{COLUMNS, Columns};
    use crate::report::samples::{healthy, hostile};

    fn written(text: &str) -> String {
        let mut out = Vec::new();
        field(&mut out, text);
        String::from_utf8(out).expect("UTF-8")
    }

    /// Reads a text as RFC 4180 has it.
    fn parse(text: &str) -> Vec<Vec<String>> {
        let (mut rows, mut row, mut cell, mut quoted) = (Vec::new(), Vec::new(), String::new(), false);
        let mut chars = text.chars().peekable();
        while let Some(c) = chars.next() {
            match c {
                '"' if quoted && chars.peek() == Some(&'"') => cell.extend(chars.next()),
                '"' => quoted = !quoted,
                ',' if !quoted => row.push(std::mem::take(&mut cell)),
                '\r' if !quoted => {
                    assert_eq!(chars.next(), Some('\n'));
                    row.push(std::mem::take(&mut cell));
                    rows.push(std::mem::take(&mut row));
                }
                c => cell.push(c),
            }
        }
        assert!(row.is_empty() && cell.is_empty() && !quoted, "the last line is whole");
        rows
    }

    #[test]
    fn a_formula_is_defused_and_the_rest_is_quoted_only_where_needed() {
        for (text, field) in [
            ("plain text", "plain text"),
            ("", ""),
            ("a,b", "\"a,b\""),
            ("say \"hi\"", "\"say \"\"hi\"\"\""),
            ("=HYPERLINK(\"x\")", "\"'=HYPERLINK(\"\"x\"\")\""),
            ("+1", "\"'+1\""),
            ("-1", "\"'-1\""),
            ("@SUM(A1)", "\"'@SUM(A1)\""),
            ("\tx", "\"'\tx\""),
            ("\r=x", "\"'\r=x\""),
            ("\u{ff1d}1", "\"'\u{ff1d}1\""),
            ("1=1", "1=1"),
            ("two\r\nlines", "\"two\r\nlines\""),
        ] {
            assert_eq!(written(text), field, "{text:?}");
        }
    }

    #[test]
    fn every_record_is_one_row_whatever_servers_send() {
        let mut evil = healthy("a");
        if let Some(ident) = evil.ident.as_mut().map(Arc::make_mut) {
            ident.software = String::from("=cmd|' /C calc'!A0,\"x\"\r\n=1+1");
        }
        let records: Vec<Record> = [healthy("b"), evil].into_iter().chain(hostile()).collect();
        for columns in [None, Some(Columns(COLUMNS.iter().collect()))] {
            let wide = columns.as_ref().map_or_else(|| Column::of_csv().count(), |columns| columns.0.len());
            let mut csv = encoder(Look { columns, ..Look::default() });
            let mut out = Vec::new();
            csv.begin(&mut out);
            for record in &records {
                csv.record(record, &mut out).expect("no error");
            }
            let text = String::from_utf8(out).expect("UTF-8");
            assert!(!text.replace("\r\n", "").chars().any(sshprobe_probes::escape::is_unsafe), "{text:?}");
            assert_eq!(text.lines().count(), records.len() + 1);
            let rows = parse(&text);
            assert_eq!(rows.len(), records.len() + 1);
            assert!(rows.iter().all(|row| row.len() == wide));
            let formula = |cell: &String| cell.starts_with(['=', '+', '-', '@', '\t', '\r']);
            assert!(!rows.iter().flatten().any(formula), "{rows:?}");
            let software = rows[0].iter().position(|name| name == "software").expect("a column");
            assert_eq!(rows[1][software], "OpenSSH_9.2p1");
            assert_eq!(rows[2][software], "'=cmd|' /C calc'!A0,\"x\"\\r\\n=1+1");
        }
    }

    #[test]
    fn the_heading_names_the_columns_and_comes_without_any_record() {
        let mut out = Vec::new();
        encoder(Look::default()).begin(&mut out);
        assert_eq!(
            String::from_utf8(out).expect("UTF-8"),
            "status,code,arg,stage,host,addr,port,time_ms,software,key_type,key_bits,fingerprint,signature,trust,trust_source,methods,\
             detail,findings,target,index,started\r\n"
        );
    }
}
