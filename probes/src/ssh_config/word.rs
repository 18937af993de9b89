//! How a line falls into words. ssh has two ways: one for keywords and Match criteria, one for arguments.

/// What ssh takes for blank.
pub(super) const BLANK: [char; 4] = [' ', '\t', '\r', '\n'];

/// The next word as keywords and Match criteria are read: blanks or one `=` end it, double quotes hold it together.
///
/// A quote that is not closed swallows the line: `None`, and nothing is left. So ssh has it.
pub(super) fn delimited(rest: &mut Option<&str>) -> Option<String> {
    let text = rest.take()?;
    let Some((head, tail)) = text.find([' ', '\t', '\r', '\n', '"', '=']).and_then(|at| text.split_at_checked(at))
    else {
        return Some(text.to_owned());
    };
    if let Some(quoted) = tail.strip_prefix('"') {
        let (inside, behind) = quoted.split_once('"')?;
        *rest = Some(behind.trim_start_matches(BLANK));
        return Some(format!("{head}{inside}"));
    }
    let equals = tail.starts_with('=');
    let mut behind = tail.strip_prefix(|_| true).unwrap_or_default().trim_start_matches(BLANK);
    if !equals && let Some(more) = behind.strip_prefix('=') {
        behind = more.trim_start_matches(BLANK);
    }
    *rest = Some(behind);
    Some(head.to_owned())
}

/// All words of an argument list: blank or tab between them, single or double quotes around them or within, `\` before a
/// quote, a backslash or (outside of quotes) a blank; `#` at the start of a word begins a comment.
///
/// `None` if a quote is not closed.
pub(super) fn arguments(text: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut rest = text.chars().peekable();
    loop {
        while rest.next_if(|next| matches!(next, ' ' | '\t')).is_some() {}
        if matches!(rest.peek(), None | Some('#')) {
            return Some(words);
        }
        let (mut word, mut quote) = (String::new(), None);
        while let Some(next) = rest.next() {
            match (next, quote) {
                ('\\', _) => {
                    let taken = rest.next_if(|&escaped| {
                        matches!(escaped, '\'' | '"' | '\\') || (quote.is_none() && escaped == ' ')
                    });
                    word.push(taken.unwrap_or('\\'));
                }
                (' ' | '\t', None) => break,
                ('"' | '\'', None) => quote = Some(next),
                (_, Some(open)) if open == next => quote = None,
                _ => word.push(next),
            }
        }
        if quote.is_some() {
            return None;
        }
        words.push(word);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_a_keyword_line_end_at_blanks_and_one_equals_sign() {
        let all = |text: &str| {
            let (mut rest, mut words) = (Some(text), Vec::new());
            while rest.is_some() {
                words.push(delimited(&mut rest));
            }
            words.into_iter().map(|word| word.unwrap_or_else(|| "(none)".into())).collect::<Vec<_>>()
        };
        assert_eq!(all("port 22"), ["port", "22"]);
        assert_eq!(all("port = 22"), ["port", "22"]);
        assert_eq!(all("port=22"), ["port", "22"]);
        assert_eq!(all("port==22"), ["port", "", "22"]);
        assert_eq!(all("  port"), ["", "port"]);
        assert_eq!(all("a\"b c\" d"), ["ab c", "d"]);
        assert_eq!(all("a \"b"), ["a", "(none)"]);
        assert_eq!(all(""), [""]);
    }

    #[test]
    fn arguments_have_quotes_escapes_and_comments() {
        let all = |text: &str| arguments(text).map(|words| words.join("|"));
        assert_eq!(all(" a  b\tc ").as_deref(), Some("a|b|c"));
        assert_eq!(all(r#""a b" 'c "d' e"f g"h"#).as_deref(), Some(r#"a b|c "d|ef gh"#));
        assert_eq!(all(r#"a\ b \"c \d "e\ f" \\"#).as_deref(), Some(r#"a b|"c|\d|e\ f|\"#));
        assert_eq!(all("a#b # c \"").as_deref(), Some("a#b"));
        assert_eq!(all("# a").as_deref(), Some(""));
        assert_eq!(all(r#""""#).as_deref(), Some(""));
        assert_eq!(all(r#"a "b"#), None);
        assert_eq!(all(r"a\").as_deref(), Some(r"a\"));
    }
}
