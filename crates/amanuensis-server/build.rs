//! Lists the files of the page, so that the program holds them.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

/// What of the folder is not the page.
const NOT_SERVED: [&str; 4] = ["node_modules", "tests", "test-results", "playwright-report"];

fn main() {
    let folder = Path::new(&env::var("CARGO_MANIFEST_DIR").unwrap_or_default()).join("../../ui");
    println!("cargo::rerun-if-changed={}", folder.display());
    let mut files = Vec::new();
    collect(&folder, "", &mut files);
    files.sort();
    let mut list = String::from("/// The files of the page by their paths.\nconst FILES: &[(&str, &[u8])] = &[\n");
    for (name, path) in files {
        let _ = writeln!(list, "    ({name:?}, include_bytes!({:?})),", path.display().to_string());
    }
    list.push_str("];\n");
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default()).join("page.rs");
    fs::write(&out, list).unwrap_or_else(|error| panic!("{}: {error}", out.display()));
}

/// Files that a browser asks for: pages, styles, scripts, pictures.
fn collect(folder: &Path, prefix: &str, files: &mut Vec<(String, PathBuf)>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
        if path.is_dir() {
            if !NOT_SERVED.contains(&name.as_str()) && !name.starts_with('.') {
                collect(&path, &format!("{prefix}{name}/"), files);
            }
            continue;
        }
        let is_served = ["html", "css", "js", "mjs", "svg", "woff2", "png", "webmanifest"]
            .iter()
            .any(|ending| name.ends_with(&format!(".{ending}")));
        if is_served && !(prefix.is_empty() && name.ends_with(".config.js")) {
            let path = fs::canonicalize(&path).unwrap_or(path);
            files.push((format!("{prefix}{name}"), path));
        }
    }
}
