//! Sound flows one way: a module of the engine uses only the modules before it.

use std::fs;
use std::path::{Path, PathBuf};

/// The modules in the order of the line. `lib.rs` and the files beside it stand above all of them.
const LINE: [&str; 12] = [
    "crew",
    "audio",
    "speech",
    "mel",
    "tokens",
    "model",
    "backend",
    "decoding",
    "segments",
    "transcription",
    "text",
    "live",
];

/// What a module may not use although it stands before it: audio and tokens know nothing of each other's world. (A model
/// uses the mel filters, which whisper.cpp's files hold.)
const APART: [(&str, &str); 7] = [
    ("text", "transcription"),
    ("mel", "speech"),
    ("tokens", "audio"),
    ("tokens", "speech"),
    ("tokens", "mel"),
    ("model", "audio"),
    ("model", "speech"),
];

#[test]
fn modules_use_only_what_stands_before_them() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut backwards = Vec::new();
    for (place, module) in LINE.iter().enumerate() {
        for file in rust_files(&source.join(module)) {
            let text = fs::read_to_string(&file).expect("a source file is readable");
            for used in used_modules(&text) {
                let before = LINE.iter().position(|name| *name == used).is_some_and(|other| other <= place);
                if !before || APART.contains(&(module, used)) {
                    backwards.push(format!("{} uses crate::{used}", file.display()));
                }
            }
        }
    }
    assert!(backwards.is_empty(), "sound flows one way ({}):\n{}", LINE.join(" -> "), backwards.join("\n"));
}

#[test]
fn every_folder_has_its_place_in_the_line() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for entry in fs::read_dir(source).expect("the source folder is readable") {
        let path = entry.expect("an entry of the source folder").path();
        let name = path.file_name().and_then(|name| name.to_str()).expect("a name in ASCII").to_owned();
        assert!(!path.is_dir() || LINE.contains(&name.as_str()), "{name} has no place in the line");
    }
}

/// The files of a module: those of its folder, or the one that it is.
fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let alone = folder.with_extension("rs");
    if alone.is_file() {
        return vec![alone];
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).expect("a module is a folder") {
        let path = entry.expect("an entry of a module").path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

/// The first name behind every `crate::` outside comments.
fn used_modules(text: &str) -> impl Iterator<Item = &str> {
    let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    code.flat_map(|line| {
        line.match_indices("crate::").map(|(at, found)| {
            let rest = &line[at + found.len()..];
            rest.split(|c: char| !(c.is_alphanumeric() || c == '_')).next().unwrap_or_default()
        })
    })
}
