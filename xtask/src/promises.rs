//! The page of what may be relied upon names tests: each of them has to be there.

use std::fs;
use std::path::Path;

fn repository() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// All sources below a folder.
fn sources(folder: &Path, all: &mut String) {
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        let is_source = path.extension().is_some_and(|end| end == "rs" || end == "py");
        match entry.file_type().unwrap().is_dir() {
            true if entry.file_name() != "target" => sources(&path, all),
            false if is_source => all.push_str(&fs::read_to_string(&path).unwrap()),
            _ => {}
        }
    }
}

/// Words in backticks that are names of functions: of three parts at least, so that no setting is taken for one.
fn named(page: &str) -> Vec<&str> {
    let is_name = |word: &&str| {
        let is_plain =
            word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_:".contains(&byte));
        is_plain && (word.starts_with("test_") || word.matches('_').count() >= 3)
    };
    page.split('`').skip(1).step_by(2).filter(is_name).filter_map(|word| word.rsplit("::").next()).collect()
}

#[test]
fn every_test_that_the_page_names_is_there() {
    let page = fs::read_to_string(repository().join("docs/reliability.md")).unwrap();
    let mut all = String::new();
    for folder in ["crates", "conformance"] {
        sources(&repository().join(folder), &mut all);
    }
    let names = named(&page);
    assert!(names.len() > 100, "{} names", names.len());
    for name in names {
        assert!(
            all.contains(&format!("fn {name}(")) || all.contains(&format!("def {name}(")),
            "docs/reliability.md names the test {name}, which is not there"
        );
    }
}
