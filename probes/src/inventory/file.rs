//! One file, in either format.

use std::sync::Arc;

use super::model::Inventory;
use super::tree::Tree;
use super::{ini, yaml};
use crate::trust::{Effect, Problem, Source};

/// How an inventory is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Sections and lines.
    Ini,
    /// Mappings; JSON is such.
    Yaml,
}

impl Format {
    /// By the name as Ansible decides it: `.yml`, `.yaml` and `.json` are YAML. A file without a suffix is YAML if it can be
    /// read so and is a mapping, everything else INI.
    #[must_use]
    pub fn of(file: &str, content: &str) -> Self {
        let name = file.rsplit('/').next().unwrap_or_default();
        match name.rsplit_once('.').filter(|(stem, _)| !stem.is_empty()).map(|(_, suffix)| suffix) {
            Some("yml" | "yaml" | "json") => Self::Yaml,
            None if yaml::is_mapping(content) => Self::Yaml,
            _ => Self::Ini,
        }
    }
}

/// Reads an inventory; `file` is the name by which messages call it.
///
/// # Errors
/// Everything that is wrong, with file and line: of half a fleet nobody would know that it is half.
pub fn parse(file: &str, content: &[u8]) -> Result<Inventory, Vec<Problem>> {
    let file: Arc<str> = file.into();
    let whole = Source { file: Arc::clone(&file), line: None };
    let Ok(text) = std::str::from_utf8(content) else {
        return Err(vec![Problem {
            effect: Effect::LeftOut,
            at: whole,
            what: String::from("an inventory is UTF-8, and this is not"),
        }]);
    };
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut tree = Tree::default();
    match Format::of(&file, text) {
        Format::Ini => ini::read(&file, text, &mut tree),
        Format::Yaml => yaml::read(&file, text, &mut tree),
    }
    tree.finish(&whole)
}
