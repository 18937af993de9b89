//! A plain table for people: rows as they arrive, fitted to the terminal.

use std::io;

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
        self.row(out, |column| (column.cell)(record), color(record));
        Ok(())
    }
}

impl Table {
    /// One line. The first cell carries the colour.
    fn row(&self, out: &mut Vec<u8>, cell: impl Fn(&Column) -> String, sgr: &str) {
        let mut line = String::new();
        // What a cell that must stay whole takes beyond its column, the cells after it give back.
        let mut debt = 0;
        for (at, (column, wide)) in self.columns.iter().enumerate() {
            let mut text = cell(column);
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
