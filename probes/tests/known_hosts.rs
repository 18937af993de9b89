//! known_hosts against the tables in `known_hosts/`, whose answers are ssh's. `tests/known_hosts.rs` of the workspace asks
//! ssh again, wherever it is there, and writes them anew.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
#![allow(clippy::unimplemented, missing_docs)]

#[path = "known_hosts/table.rs"]
mod table;

#[test]
fn answers_are_those_that_ssh_gave() {
    let keys = table::Keys::kept();
    let (mut rows, mut wrong) = (0, Vec::new());
    for name in table::tables() {
        let text = std::fs::read_to_string(table::folder().join(&name)).unwrap();
        for block in table::read(&text) {
            for question in &block.questions {
                rows += 1;
                let answers = block.answers(&keys, question);
                if answers != question.answers {
                    let (title, host, port, key) = (&block.title, &question.host, question.port, &question.key);
                    let said = &question.answers;
                    wrong.push(format!("{name}: {title}: {host} {port} {key}\n  ssh:  {said}\n  here: {answers}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {rows} rows\n{}", wrong.len(), wrong.join("\n"));
    assert!(rows >= 300, "only {rows} rows");
}
