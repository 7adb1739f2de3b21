//! Files of a snapshot, each a link to its blob.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::Repository;
use crate::checksum::Checksum;
use crate::error::{HubError, disk};

/// Puts a blob into a snapshot under its name. Whoever looks sees the file whole or not at all.
pub(crate) fn place(
    repository: &Repository,
    commit: &str,
    name: &str,
    checksum: &Checksum,
    without_links: bool,
) -> Result<(), HubError> {
    let blob = repository.blob(checksum);
    let path = repository.snapshot(commit).join(name);
    let folder = path.parent().unwrap_or(&path);
    fs::create_dir_all(folder).map_err(disk(folder, "make the folder"))?;
    let target = relative(name, checksum.digits());
    if fs::read_link(&path).is_ok_and(|known| known == target) {
        return Ok(());
    }
    let beside = folder.join(format!(".link.{:016x}", fastrand::u64(..)));
    let made = make(&blob, &target, &beside, without_links).and_then(|()| fs::rename(&beside, &path));
    // It is still there after a failure, and where both are names of one file already: then nothing was renamed.
    let _: io::Result<()> = fs::remove_file(&beside);
    made.map_err(disk(&path, "put the file there"))
}

/// A symbolic link, as Python makes them; where there can be none, a second name for the blob; where there can be
/// none either, a copy.
fn make(blob: &Path, target: &Path, path: &Path, without_links: bool) -> io::Result<()> {
    if !without_links && symbolic(target, path).is_ok() {
        return Ok(());
    }
    fs::hard_link(blob, path).or_else(|_| fs::copy(blob, path).map(|_| ()))
}

/// From a file of a snapshot up to the repository and down to the blob.
fn relative(name: &str, blob: &str) -> PathBuf {
    let mut path = PathBuf::from("../..");
    for _ in 0..name.matches('/').count() {
        path.push("..");
    }
    path.join("blobs").join(blob)
}

#[cfg(unix)]
fn symbolic(target: &Path, path: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(target, path)
}

#[cfg(windows)]
fn symbolic(target: &Path, path: &Path) -> io::Result<()> {
    std::os::windows::fs::symlink_file(target, path)
}

#[cfg(not(any(unix, windows)))]
fn symbolic(_target: &Path, _path: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_lead_to_the_blob_from_any_depth() {
        let cache = tempfile::tempdir().unwrap();
        let repository = Repository::in_folder(cache.path(), "models--a--b");
        repository.prepare().unwrap();
        let checksum = Checksum::Git("ab".repeat(20));
        fs::write(repository.blob(&checksum), "content").unwrap();
        for (name, without_links) in [("config.json", false), ("onnx/x/model.onnx", false), ("plain.json", true)] {
            for _ in 0..2 {
                place(&repository, "c0", name, &checksum, without_links).unwrap();
            }
            let path = repository.snapshot("c0").join(name);
            assert_eq!(fs::read_to_string(&path).unwrap(), "content", "{name}");
            assert_eq!(path.is_symlink(), cfg!(unix) && !without_links, "{name}");
        }
        assert_eq!(fs::read_dir(repository.snapshot("c0")).unwrap().count(), 3);
    }
}
