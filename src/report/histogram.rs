//! A small histogram of durations: a row for each span of time, with a bar.

use std::time::Duration;

use hdrhistogram::Histogram;

use crate::report::span::show;

/// Fewer samples than this are better read from the percentiles.
const FEWEST: u64 = 10;

/// More rows than this are too many to take in: then the spans are decades.
const ROWS: usize = 8;

/// The longest bar, in terminal cells.
const BAR: u64 = 32;

/// One row: the span, how many samples fell into it, and their bar.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) span: String,
    pub(super) count: u64,
    pub(super) bar: String,
}

/// The rows, shortest span first, from the first that holds anything to the last; none where one row would hold it all.
/// The bars are of blocks, or of `#` where only `ascii` can be shown.
pub(super) fn rows(histogram: &Histogram<u64>, ascii: bool) -> Vec<Row> {
    if histogram.len() < FEWEST {
        return Vec::new();
    }
    let mut counts = gather(histogram, &[1, 2, 5]);
    if counts.len() > ROWS {
        counts = gather(histogram, &[1]);
    }
    if counts.len() < 2 {
        return Vec::new();
    }
    let most = counts.iter().map(|(_, _, count)| *count).max().unwrap_or(1).max(1);
    let text = |micros| show(Duration::from_micros(micros));
    counts
        .into_iter()
        .map(|(from, to, count)| Row {
            span: format!("{} to {}", text(from), text(to)),
            count,
            bar: bar(count, most, ascii),
        })
        .collect()
}

/// Counts by spans that begin at `steps` times a power of ten microseconds.
fn gather(histogram: &Histogram<u64>, steps: &[u64]) -> Vec<(u64, u64, u64)> {
    // Up to the hour that the histogram reaches.
    let edges = || (0..10).flat_map(|power| steps.iter().map(move |step| step * 10_u64.pow(power)));
    let mut spans: Vec<(u64, u64, u64)> = edges().zip(edges().skip(1)).map(|(from, to)| (from, to, 0)).collect();
    for sample in histogram.iter_recorded() {
        let value = sample.value_iterated_to();
        // Values are known to two digits, upper ends: what lies on an edge belongs below it or above it, it is all one.
        if let Some((_, _, count)) = spans.iter_mut().rev().find(|(from, _, _)| *from <= value) {
            *count += sample.count_since_last_iteration();
        }
    }
    let first = spans.iter().position(|(_, _, count)| *count > 0).unwrap_or_default();
    let last = spans.iter().rposition(|(_, _, count)| *count > 0).unwrap_or_default();
    spans[first..=last].to_vec()
}

/// A bar whose length tells `count` of `most`; what is there at all can be seen.
fn bar(count: u64, most: u64, ascii: bool) -> String {
    if count == 0 {
        return String::new();
    }
    if ascii {
        return "#".repeat(usize::try_from((count * BAR).div_ceil(most)).unwrap_or_default());
    }
    let eighths = (count * BAR * 8).div_ceil(most);
    let mut out = "\u{2588}".repeat(usize::try_from(eighths / 8).unwrap_or_default());
    // U+2589 is seven eighths of a block, U+258F one.
    out.extend(u32::try_from(eighths % 8).ok().filter(|rest| *rest > 0).and_then(|rest| char::from_u32(0x2590 - rest)));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(samples: &[(u64, u64)]) -> Histogram<u64> {
        let mut histogram = Histogram::new_with_bounds(1, 3_600_000_000, 2).expect("bounds");
        samples.iter().for_each(|(micros, count)| histogram.saturating_record_n(*micros, *count));
        histogram
    }

    fn shown(samples: &[(u64, u64)], ascii: bool) -> Vec<(String, u64, String)> {
        rows(&of(samples), ascii).into_iter().map(|row| (row.span, row.count, row.bar)).collect()
    }

    #[test]
    fn rows_span_what_there_is_without_holes() {
        let rows = shown(&[(12_000, 64), (15_000, 64), (33_000, 32), (150_000, 1)], true);
        assert_eq!(
            rows,
            [
                ("10ms to 20ms".into(), 128, "#".repeat(32)),
                ("20ms to 50ms".into(), 32, "#".repeat(8)),
                ("50ms to 100ms".into(), 0, String::new()),
                ("100ms to 200ms".into(), 1, "#".into()),
            ]
        );
    }

    #[test]
    fn blocks_are_finer() {
        let bars: Vec<String> =
            shown(&[(12_000, 256), (33_000, 129), (60_000, 1)], false).into_iter().map(|row| row.2).collect();
        assert_eq!(bars, ["\u{2588}".repeat(32), format!("{}\u{258f}", "\u{2588}".repeat(16)), "\u{258f}".into()]);
    }

    #[test]
    fn wide_spreads_are_told_in_decades_and_little_not_at_all() {
        let rows = shown(&[(150, 5), (20_000_000, 5)], true);
        assert_eq!(rows.len(), 6);
        assert_eq!((rows[0].0.as_str(), rows[5].0.as_str()), ("100us to 1ms", "10s to 1m40s"));
        assert_eq!(shown(&[(12_000, 5), (150_000, 4)], true), []);
        assert_eq!(shown(&[(12_000, 500)], true), []);
    }

    #[test]
    fn every_sample_is_in_one_row() {
        let samples: Vec<(u64, u64)> = (0..36).map(|power| (2_u64.pow(power).min(3_600_000_000), 3)).collect();
        let total: u64 = shown(&samples, true).iter().map(|row| row.1).sum();
        assert_eq!(total, 36 * 3);
    }
}
