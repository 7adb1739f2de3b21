//! Removing models, and with them the blobs that nothing else uses.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use amanuensis::model::hub::{HubName, files_in};

use super::scan::{commits, revisions};
use super::{INCOMPLETE, Repository, lock};
use crate::error::{HubError, disk};

/// What would be removed, so that a person can be asked first.
#[derive(Debug, Clone)]
pub struct Removal {
    repository: Repository,
    name: String,
    what: What,
    /// Folders of snapshots and files that go.
    pub paths: Vec<PathBuf>,
    /// Bytes that become free.
    pub bytes: u64,
    /// Blobs that go.
    blobs: Vec<PathBuf>,
}

#[derive(Debug, Clone)]
enum What {
    /// The repository and everything in it.
    Repository,
    /// One commit, or one file of it.
    Part { commit: String, file: Option<String> },
}

/// Finds out what goes with a model. A name without a revision and without a file is the whole repository.
pub(crate) fn plan(
    repository: &Repository,
    name: &HubName,
    is_revision_given: bool,
) -> Result<Option<Removal>, HubError> {
    if !repository.folder.is_dir() {
        return Ok(None);
    }
    let shown = name.to_string();
    if name.file.is_none() && !is_revision_given {
        let bytes = size_below(&repository.folder);
        let paths = vec![repository.folder.clone()];
        let removal = Removal {
            repository: repository.clone(),
            name: shown,
            what: What::Repository,
            paths,
            bytes,
            blobs: Vec::new(),
        };
        return Ok(Some(removal));
    }
    let commit = amanuensis::model::hub::commit_named(&repository.folder, &name.revision)
        .unwrap_or_else(|| name.revision.clone());
    let snapshot = repository.snapshot(&commit);
    let going: Vec<PathBuf> = match &name.file {
        Some(file) => vec![snapshot.join(file)],
        None => files_in(&snapshot).iter().map(|file| snapshot.join(file)).collect(),
    };
    if !snapshot.is_dir() || going.iter().any(|path| !path.is_file()) {
        return Ok(None);
    }
    let used_by_others: BTreeSet<OsString> = commits(repository)
        .iter()
        .map(|commit| repository.snapshot(commit))
        .flat_map(|folder| files_in(&folder).into_iter().map(move |file| folder.join(file)))
        .filter(|path| !going.contains(path))
        .filter_map(|path| blob_of(&path))
        .collect();
    let blobs: BTreeSet<OsString> = going.iter().filter_map(|path| blob_of(path)).collect();
    let blobs: Vec<PathBuf> = blobs.difference(&used_by_others).map(|blob| repository.blobs().join(blob)).collect();
    let size = |path: &PathBuf| path.symlink_metadata().map_or(0, |file| file.len());
    // Links count with their blobs, copies for themselves.
    let copies: u64 = going.iter().filter(|path| !path.is_symlink()).map(size).sum();
    let bytes = copies + blobs.iter().map(size).sum::<u64>();
    let paths = if name.file.is_some() { going } else { vec![snapshot] };
    let what = What::Part { commit, file: name.file.clone() };
    Ok(Some(Removal { repository: repository.clone(), name: shown, what, paths, bytes, blobs }))
}

impl Removal {
    /// Removes it, unless another process is fetching into it.
    ///
    /// # Errors
    /// [`HubError::InUse`], and [`HubError::Disk`] for what the system does not let go.
    pub fn perform(self) -> Result<(), HubError> {
        let _held = self.hold()?;
        match &self.what {
            What::Repository => {
                // First what is looked up, so that nobody finds half of it.
                for folder in
                    [self.repository.references(), self.repository.snapshots(), self.repository.folder.clone()]
                {
                    remove_folder(&folder)?;
                }
                // The files of the locks stay: who waits for one would wait for what nobody else sees.
                Ok(())
            }
            What::Part { commit, file } => {
                if file.is_none() {
                    for (name, _) in revisions(&self.repository).iter().filter(|(_, at)| *at == commit) {
                        remove_file(&self.repository.references().join(name))?;
                    }
                }
                for path in &self.paths {
                    if path.is_symlink() || path.is_file() { remove_file(path)? } else { remove_folder(path)? }
                }
                self.blobs.iter().try_for_each(|blob| remove_file(blob))
            }
        }
    }

    /// Holds the locks of all blobs that go or are being fetched.
    fn hold(&self) -> Result<Vec<lock::Lock>, HubError> {
        let names = files_in(&self.repository.blobs()).into_iter();
        let blobs = self.blobs.iter().filter_map(|path| path.file_name()?.to_str().map(str::to_owned));
        let partial = names.filter(|name| name.ends_with(INCOMPLETE));
        let mut held = Vec::new();
        for name in blobs.chain(partial) {
            let blob = name.split('.').next().unwrap_or_default();
            let Some(lock) = lock::try_take(&self.repository.lock(blob))? else {
                return Err(HubError::InUse { name: self.name.clone() });
            };
            held.push(lock);
        }
        Ok(held)
    }
}

/// The blob that a file of a snapshot is a link to.
fn blob_of(path: &Path) -> Option<OsString> {
    fs::read_link(path).ok()?.file_name().map(OsString::from)
}

fn remove_file(path: &Path) -> Result<(), HubError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(disk(path, "remove it")(error)),
        _ => Ok(()),
    }
}

fn remove_folder(path: &Path) -> Result<(), HubError> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(disk(path, "remove it")(error)),
        _ => Ok(()),
    }
}

/// Bytes of all files below a folder, links not followed.
fn size_below(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| match entry.file_type() {
            Ok(kind) if kind.is_dir() => size_below(&entry.path()),
            _ => entry.metadata().map_or(0, |file| file.len()),
        })
        .sum()
}
