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

#[test]
fn fuzzing_seeds_are_written_on_request() {
    if std::env::var_os("SSHPROBE_WRITE_SEEDS").is_none() {
        return;
    }
    let keys = table::Keys::kept();
    // The naive reader knows Ed25519 keys only: it gets the same files with such in all places.
    let mut only_ed25519 = keys.clone();
    for (at, key) in only_ed25519.0.values_mut().enumerate() {
        *key = keys.0[["ed1", "ed2", "ed3"][at % 3]].clone();
    }
    for name in table::tables() {
        let text = std::fs::read_to_string(table::folder().join(&name)).unwrap();
        for block in table::read(&text).iter().step_by(4) {
            let (title, question) =
                (block.title.replace(|c: char| !c.is_ascii_alphanumeric(), "-"), &block.questions[0]);
            let file = format!("{}-{}", name.trim_end_matches(".txt"), title.to_lowercase());
            for (target, keys) in [("known_hosts", &keys), ("known_hosts_naive", &only_ed25519)] {
                let head = format!("{} {}\n", question.host, question.port).into_bytes();
                let seed = [head, block.content(keys)].concat();
                let folder = table::folder().join("../../../fuzz/seeds").join(target);
                std::fs::create_dir_all(&folder).unwrap();
                if seed.len() <= 4096 {
                    std::fs::write(folder.join(&file), seed).unwrap();
                }
            }
        }
    }
}
