//! `web[01:20]` and `db-[a:f]`: many hosts in one word.

/// No inventory may name hosts more often than this.
pub(super) const MOST_HOSTS: usize = 1 << 20;

/// Why a word with a range names no hosts, in words that go behind the word itself.
pub(super) type Fault = &'static str;

/// All hosts that a word stands for: itself where it has no range.
///
/// # Errors
/// The range is none, or names more than `most` hosts.
pub(super) fn expand(word: &str, most: usize) -> Result<Vec<String>, Fault> {
    let (mut done, mut open) = (Vec::new(), vec![word.to_owned()]);
    while let Some(next) = open.pop() {
        let Some((head, range, tail)) = parts(&next) else {
            done.push(next);
            continue;
        };
        let values = values(range, most)?;
        if done.len().saturating_add(open.len()).saturating_add(values.len()) > most {
            return Err("names too many hosts");
        }
        // Taken from the end, so that the first comes first.
        open.extend(values.into_iter().rev().map(|value| format!("{head}{value}{tail}")));
    }
    Ok(done)
}

/// What stands before, in and behind the first brackets, if they hold a range.
fn parts(word: &str) -> Option<(&str, &str, &str)> {
    let (open, colon, close) = (word.find('[')?, word.find(':')?, word.find(']')?);
    if !(open < colon && colon < close) {
        return None;
    }
    let (head, rest) = word.split_once('[')?;
    let (range, tail) = rest.split_once(']')?;
    Some((head, range, tail))
}

fn values(range: &str, most: usize) -> Result<Vec<String>, Fault> {
    let bounds: Vec<&str> = range.split(':').collect();
    let (first, last, step) = match bounds[..] {
        [first, last] => (first, last, "1"),
        [first, last, step] => (first, last, step),
        _ => return Err("has a range that is not [FIRST:LAST] or [FIRST:LAST:STEP]"),
    };
    let first = if first.is_empty() { "0" } else { first };
    if last.is_empty() {
        return Err("has a range without its last value");
    }
    let width = if first.len() > 1 && first.starts_with('0') { first.len() } else { 0 };
    if width > 0 && last.len() != width {
        return Err("has a range with leading zeros whose ends differ in length");
    }
    let step: usize = step.parse().ok().filter(|step| *step > 0).ok_or("has a range whose step is no number")?;
    let letters: Vec<char> = ('a'..='z').chain('A'..='Z').collect();
    let letter = |text: &str| letters.iter().position(|letter| text.chars().eq([*letter]));
    if let (Some(from), Some(to)) = (letter(first), letter(last)) {
        if from > to {
            return Err("has a range that ends before it begins");
        }
        let taken = letters.iter().take(to.saturating_add(1)).skip(from).step_by(step);
        return Ok(taken.map(|letter| format!("{letter:0>width$}")).collect());
    }
    let number = |text: &str| {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<u64>().ok().filter(|_| digits).ok_or("has a range of neither numbers nor letters")
    };
    let (from, to) = (number(first)?, number(last)?);
    if from > to {
        return Err("has a range that ends before it begins");
    }
    let taken = (from..=to).step_by(step).take(most.saturating_add(1));
    Ok(taken.map(|value| format!("{value:0>width$}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        for (word, hosts) in [
            ("web", "web"),
            ("web[1:3]", "web1 web2 web3"),
            ("web[01:03].x", "web01.x web02.x web03.x"),
            ("web[08:11]", "web08 web09 web10 web11"),
            ("web[:2]", "web0 web1 web2"),
            ("web[0:10:5]", "web0 web5 web10"),
            ("db-[a:c]", "db-a db-b db-c"),
            ("db-[y:B]", "db-y db-z db-A db-B"),
            ("[a:b][1:2]", "a1 a2 b1 b2"),
            ("10.0.[0:1].[7:8]", "10.0.0.7 10.0.0.8 10.0.1.7 10.0.1.8"),
            ("a[1]", "a[1]"),
            ("a:[1]", "a:[1]"),
        ] {
            assert_eq!(expand(word, 100).map(|hosts| hosts.join(" ")).as_deref(), Ok(hosts), "{word}");
        }
    }

    #[test]
    fn what_is_no_range() {
        for word in ["a[1:]", "a[3:1]", "a[01:3]", "a[1:2:0]", "a[1:2:x]", "a[1:2:3:4]", "a[a:1]", "a[c:a]", "a[-1:2]"]
        {
            assert!(expand(word, 100).is_err(), "{word}");
        }
        assert_eq!(expand("a[0:18446744073709551615]", 100), Err("names too many hosts"));
        assert_eq!(expand("[0:9][0:9][0:9]", 100), Err("names too many hosts"));
        assert_eq!(expand("[0:9][0:9]", 100).map(|hosts| hosts.len()), Ok(100));
    }
}
