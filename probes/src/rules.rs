//! Loading the tables in `rules/`, which are part of the program: read once, at first use, and proven whole by the tests.

use std::borrow::Cow;

use toml_span::value::{Value, ValueInner};
use toml_span::{DeserError, Deserialize, Error, ErrorKind};

/// A string of a table as it stands in the program's text, so that what a rule says is never copied.
///
/// Escapes would need a copy: a table that uses one is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Text(pub(crate) &'static str);

impl Deserialize<'static> for Text {
    fn deserialize(value: &mut Value<'static>) -> Result<Self, DeserError> {
        match value.take_string(None)? {
            Cow::Borrowed(text) => Ok(Self(text)),
            Cow::Owned(_) => Err(malformed(value, "no escapes in a table").into()),
        }
    }
}

/// One string or a list of them.
#[derive(Debug, Default)]
pub(crate) struct Texts(pub(crate) Vec<&'static str>);

impl Deserialize<'static> for Texts {
    fn deserialize(value: &mut Value<'static>) -> Result<Self, DeserError> {
        match value.take() {
            ValueInner::String(Cow::Borrowed(text)) => Ok(Self(vec![text])),
            ValueInner::Array(mut items) => {
                let texts = items.iter_mut().map(|item| Text::deserialize(item).map(|text| text.0));
                Ok(Self(texts.collect::<Result<_, _>>()?))
            }
            _ => Err(malformed(value, "a string without escapes, or a list of such, is wanted").into()),
        }
    }
}

/// An error at `value`'s place in the table.
pub(crate) fn malformed(value: &Value<'_>, what: impl Into<Cow<'static, str>>) -> Error {
    Error { kind: ErrorKind::Custom(what.into()), span: value.span, line_info: None }
}

/// Reads a whole table. The error names the line and what is wrong there; only a test can ever see one.
pub(crate) fn load<T: Deserialize<'static>>(table: &'static str) -> Result<T, String> {
    let place =
        |span: toml_span::Span| table.get(..span.start).unwrap_or_default().matches('\n').count().saturating_add(1);
    let mut value = toml_span::parse(table).map_err(|error| format!("line {}: {error}", place(error.span)))?;
    T::deserialize(&mut value).map_err(|errors| {
        let errors = errors.errors.iter().map(|error| format!("line {}: {error}", place(error.span)));
        errors.collect::<Vec<_>>().join("; ")
    })
}

/// What stands before and behind the first `needle`.
pub(crate) fn split_at_first<'l>(text: &'l [u8], needle: &[u8]) -> Option<(&'l [u8], &'l [u8])> {
    let first = *needle.first()?;
    let mut from = 0usize;
    loop {
        let found = text.get(from..)?.iter().position(|byte| *byte == first)?;
        let (before, behind) = text.split_at_checked(from.saturating_add(found))?;
        if let Some(behind) = behind.strip_prefix(needle) {
            return Some((before, behind));
        }
        from = before.len().saturating_add(1);
    }
}
