//! The YAML format: groups as mappings of `hosts`, `vars` and `children`.

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use saphyr_parser::{Event, Parser, ScalarStyle};

use super::tree::{Tree, is_known};
use crate::trust::Source;

/// How deep mappings may lie in each other.
const DEEPEST: usize = 64;

/// How many nodes are looked at beyond two for each byte: aliases of aliases make a short file a huge tree.
const MORE_NODES: usize = 1 << 16;

#[derive(Debug)]
struct Node {
    line: u32,
    value: Value,
}

#[derive(Debug)]
enum Value {
    /// Nothing, `~` or `null`.
    Null,
    Text(String),
    List(Vec<Rc<Node>>),
    Map(Vec<(Rc<Node>, Rc<Node>)>),
}

impl Node {
    fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }
}

/// Where a file is wrong, and how.
type Wrong = (u32, String);

/// Whether a text is a mapping: a file without a suffix may be either format.
pub(super) fn is_mapping(content: &str) -> bool {
    parse(content).is_ok_and(|root| root.is_some_and(|root| matches!(root.value, Value::Map(_))))
}

/// Reads the file into the tree.
pub(super) fn read(file: &Arc<str>, content: &str, tree: &mut Tree) {
    let root = match parse(content) {
        Ok(root) => root,
        Err((line, what)) => return tree.problem(&Source { file: Arc::clone(file), line: Some(line) }, what),
    };
    let left = content.len().saturating_mul(2).saturating_add(MORE_NODES);
    let mut walk = Walk { file, tree, left };
    match root.as_deref() {
        Some(Node { value: Value::Null, .. }) | None => {}
        Some(root @ Node { value: Value::Map(_), .. }) => {
            for (name, group) in entries(root) {
                if let Some(name) = walk.name(&name) {
                    walk.group(&name, &group, 0);
                }
            }
        }
        Some(other) => walk.problem(other, "an inventory is a mapping of groups"),
    }
}

struct Walk<'a> {
    file: &'a Arc<str>,
    tree: &'a mut Tree,
    left: usize,
}

impl Walk<'_> {
    fn at(&self, node: &Node) -> Source {
        Source { file: Arc::clone(self.file), line: Some(node.line) }
    }

    fn problem(&mut self, node: &Node, what: impl AsRef<str>) {
        let at = self.at(node);
        self.tree.problem(&at, what);
    }

    /// Whether there is still room for what a node holds; told once.
    fn room(&mut self, node: &Node) -> bool {
        if self.left == 1 {
            self.problem(node, "the inventory is too big: aliases of aliases?");
        }
        self.left = self.left.saturating_sub(1);
        self.left > 0
    }

    fn name(&mut self, node: &Node) -> Option<String> {
        let name = node.text().filter(|name| !name.is_empty()).map(str::to_owned);
        if name.is_none() {
            self.problem(node, "a name is to stand here");
        }
        name
    }

    fn group(&mut self, name: &str, node: &Node, depth: usize) {
        if !self.room(node) {
            return;
        }
        if depth > DEEPEST {
            return self.problem(node, "the groups lie too deep in each other");
        }
        self.tree.add_group(name);
        match &node.value {
            Value::Null => return,
            Value::Map(_) => {}
            _ => return self.problem(node, format!("the group {name} is to be a mapping of hosts, vars and children")),
        }
        for (key, section) in entries(node) {
            match key.text() {
                Some("hosts") => self.hosts(name, &section),
                Some("vars") => self.variables(name, &section),
                Some("children") => self.children(name, &section, depth),
                other => {
                    let at = self.at(&key);
                    let what =
                        format!("\"{}\" in the group {name} is neither hosts, vars nor children", other.unwrap_or("?"));
                    self.tree.warn(&at, what);
                }
            }
        }
    }

    fn children(&mut self, group: &str, node: &Node, depth: usize) {
        for (key, child) in self.section(node, "children") {
            let Some(name) = self.name(&key) else { continue };
            self.tree.add_child(group, &name);
            self.group(&name, &child, depth.saturating_add(1));
        }
    }

    fn variables(&mut self, group: &str, node: &Node) {
        for (key, value) in self.section(node, "vars") {
            if let (Some(name), Some(text), true) = (key.text(), value.text(), self.room(&key)) {
                let at = self.at(&value);
                self.tree.set_group(group, name, text, &at);
            }
        }
    }

    fn hosts(&mut self, group: &str, node: &Node) {
        for (key, variables) in self.section(node, "hosts") {
            let Some(word) = self.name(&key) else { continue };
            if !self.room(&key) {
                return;
            }
            let at = self.at(&key);
            let hosts = self.tree.add_hosts(group, &word, &at);
            match &variables.value {
                Value::Null => continue,
                Value::Map(_) => {}
                _ => {
                    self.problem(&variables, format!("the variables of {word} are to be a mapping"));
                    continue;
                }
            }
            for (name, value) in entries(&variables) {
                if !self.room(&name) {
                    return;
                }
                if let (Some(name), Some(text)) = (name.text().filter(|name| is_known(name)), value.text()) {
                    let at = self.at(&value);
                    for host in &hosts {
                        self.tree.set_host(*host, name, text, &at);
                    }
                }
            }
        }
    }

    /// What a section of a group holds: a mapping, nothing, or one name.
    fn section(&mut self, node: &Node, section: &str) -> Vec<(Rc<Node>, Rc<Node>)> {
        match &node.value {
            Value::Map(_) => entries(node),
            Value::Null => Vec::new(),
            Value::Text(text) => {
                let name = Node { line: node.line, value: Value::Text(text.clone()) };
                vec![(Rc::new(name), Rc::new(Node { line: node.line, value: Value::Null }))]
            }
            Value::List(_) => {
                self.problem(
                    node,
                    format!("{section} is to be a mapping, each name with a colon behind it, not a list"),
                );
                Vec::new()
            }
        }
    }
}

/// The entries of a mapping; of equal keys the later one, and what `<<` merges only where it has no such key itself.
fn entries(node: &Node) -> Vec<(Rc<Node>, Rc<Node>)> {
    let mut found: Vec<(Rc<Node>, Rc<Node>)> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut merged = Vec::new();
    let Value::Map(pairs) = &node.value else { return found };
    for (key, value) in pairs {
        match key.text() {
            Some("<<") => match &value.value {
                Value::List(list) => merged.extend(list.iter().cloned()),
                _ => merged.push(Rc::clone(value)),
            },
            Some(name) => match places.get(name).and_then(|place| found.get_mut(*place)) {
                Some(entry) => *entry = (Rc::clone(key), Rc::clone(value)),
                None => {
                    places.insert(name.to_owned(), found.len());
                    found.push((Rc::clone(key), Rc::clone(value)));
                }
            },
            None => found.push((Rc::clone(key), Rc::clone(value))),
        }
    }
    // One level: a merge within what is merged is beyond what inventories do.
    for more in merged {
        let Value::Map(pairs) = &more.value else { continue };
        for (key, value) in pairs {
            if let Some(name) = key.text().filter(|name| *name != "<<" && !places.contains_key(*name)) {
                places.insert(name.to_owned(), found.len());
                found.push((Rc::clone(key), Rc::clone(value)));
            }
        }
    }
    found
}

/// A list or mapping that is not whole yet.
struct Open {
    line: u32,
    anchor: usize,
    is_map: bool,
    nodes: Vec<Rc<Node>>,
}

/// The one document of a file; `None` if it is empty.
fn parse(content: &str) -> Result<Option<Rc<Node>>, Wrong> {
    let (mut open, mut anchors): (Vec<Open>, HashMap<usize, Rc<Node>>) = (Vec::new(), HashMap::new());
    let mut root = None;
    for event in Parser::new_from_str(content) {
        let (event, span) = event.map_err(|error| {
            let line = u32::try_from(error.marker().line()).unwrap_or(u32::MAX);
            (line, format!("this is no YAML: {}", error.info()))
        })?;
        let line = u32::try_from(span.start.line()).unwrap_or(u32::MAX);
        let done = match event {
            Event::SequenceStart(anchor, _) | Event::MappingStart(anchor, _) => {
                let is_map = matches!(event, Event::MappingStart(..));
                if open.len() >= DEEPEST.saturating_mul(4) {
                    return Err((line, String::from("this lies too deep in each other")));
                }
                open.push(Open { line, anchor, is_map, nodes: Vec::new() });
                continue;
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let Some(whole) = open.pop() else { continue };
                let value = if whole.is_map { Value::Map(pairs(whole.nodes)) } else { Value::List(whole.nodes) };
                (Rc::new(Node { line: whole.line, value }), whole.anchor)
            }
            Event::Scalar(text, style, anchor, _) => {
                let plain = style == ScalarStyle::Plain;
                let null = plain && matches!(&*text, "" | "~" | "null" | "Null" | "NULL");
                let value = if null { Value::Null } else { Value::Text(text.into_owned()) };
                (Rc::new(Node { line, value }), anchor)
            }
            Event::Alias(anchor) => match anchors.get(&anchor) {
                Some(node) => (Rc::clone(node), 0),
                None => return Err((line, String::from("an alias of what is not there, or not whole yet"))),
            },
            Event::DocumentStart(_) if root.is_some() => {
                return Err((line, String::from("a second document begins; an inventory is one")));
            }
            _ => continue,
        };
        let (node, anchor) = done;
        // Anchors are counted from 1.
        if anchor > 0 {
            anchors.insert(anchor, Rc::clone(&node));
        }
        match open.last_mut() {
            Some(parent) => parent.nodes.push(node),
            None => root = Some(node),
        }
    }
    Ok(root)
}

fn pairs(nodes: Vec<Rc<Node>>) -> Vec<(Rc<Node>, Rc<Node>)> {
    let mut pairs = Vec::with_capacity(nodes.len() / 2);
    let mut nodes = nodes.into_iter();
    while let (Some(key), Some(value)) = (nodes.next(), nodes.next()) {
        pairs.push((key, value));
    }
    pairs
}
