//! ssh_config against the tables in `ssh_config/`, whose answers are ssh's. `tests/ssh_config.rs` of the workspace asks ssh
//! again, wherever it is there, and writes them anew.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
#![allow(missing_docs)]

#[path = "ssh_config/table.rs"]
mod table;

#[test]
fn answers_are_those_that_ssh_gave() {
    let facts = table::Facts::placeholders();
    let (mut rows, mut wrong) = (0, Vec::new());
    for name in table::tables() {
        let text = std::fs::read_to_string(table::folder().join(&name)).unwrap();
        for block in table::read(&text) {
            for question in &block.questions {
                rows += 1;
                let said = block.answer(question, &facts);
                if !table::Block::same(&question.answer, &said) {
                    let (kept, said) = (question.answer.join("\n    "), said.join("\n    "));
                    let (title, arguments) = (&block.title, &question.arguments);
                    wrong.push(format!("{name}: {title}: {arguments}\n  ssh:\n    {kept}\n  here:\n    {said}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {rows} rows\n{}", wrong.len(), wrong.join("\n"));
    assert!(rows >= 300, "only {rows} rows");
}
