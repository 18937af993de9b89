//! The papers tell the truth: paths exist, tables are whole, limits hold.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use sshprobe_probes::diagnose::DIAGNOSES;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(name: &str) -> String {
    std::fs::read_to_string(root().join(name)).unwrap_or_else(|fault| panic!("{name}: {fault}"))
}

/// What stands between backticks and looks like a path of this tree.
fn paths(text: &str) -> BTreeSet<&str> {
    let spans = text.split('`').skip(1).step_by(2);
    let folders = ["src/", "probes/", "tests/", "benches/", "fuzz/", "scripts/", "docs/", "examples/"];
    spans.filter(|span| folders.iter().any(|folder| span.starts_with(folder)) && !span.contains(' ')).collect()
}

#[test]
fn paths_in_the_papers_exist() {
    for paper in ["ARCHITECTURE.md", "CONTRIBUTING.md", "README.md"] {
        let text = read(paper);
        let named = paths(&text);
        for path in &named {
            assert!(root().join(path).exists(), "{paper} names `{path}`, which is not there");
        }
        assert!(paper == "README.md" || named.len() > 5, "{paper}: the paths were not found");
    }
}

#[test]
fn the_readme_lists_every_outcome_with_its_status() {
    let readme = read("README.md");
    for diagnosis in DIAGNOSES {
        let status = format!("| `{}` |", diagnosis.code.status().name());
        let row = readme.lines().find(|line| line.starts_with(&status));
        let row = row.unwrap_or_else(|| panic!("README.md has no row for {status}"));
        let code = format!("`{}`", diagnosis.code.name());
        assert!(row.contains(&code), "README.md: {code} is missing from the row of {status}");
    }
}

fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.ends_with("target") {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn unsafe_code_stands_in_sys_alone() {
    let mut files = Vec::new();
    for folder in ["src", "probes/src"] {
        rust_files(&root().join(folder), &mut files);
    }
    assert!(files.len() > 40);
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let unsafe_code = text.lines().any(|line| {
            let code = line.split("//").next().unwrap_or_default();
            code.contains("unsafe {") || code.contains("unsafe fn") || code.contains("unsafe impl")
        });
        assert!(!unsafe_code || file.starts_with(root().join("src/sys")), "unsafe code in {}", file.display());
    }
}
