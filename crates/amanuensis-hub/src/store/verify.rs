//! Whether what is here is still what was fetched.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::scan::commits;
use super::{INCOMPLETE, Repository, lock};
use crate::checksum::Checksum;
use crate::error::{HubError, disk};
use crate::{Event, Watch};
use amanuensis::model::hub::files_in;

/// A file that was looked at.
#[derive(Debug, Clone, Serialize)]
pub struct Verified {
    /// Its name in the repository; the name of the blob where no snapshot has it.
    pub file: String,
    /// Where its content lies.
    pub path: PathBuf,
    /// Bytes.
    pub bytes: u64,
    /// How it is.
    #[serde(flatten)]
    pub health: Health,
}

/// How a file is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "health", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Health {
    /// The content is what its checksum says.
    Sound,
    /// It is a copy, and its checksum is not known here.
    Unproven,
    /// The content is another one.
    Damaged {
        /// The checksum it must have.
        expected: String,
        /// The checksum it has.
        found: String,
    },
    /// It leads to no file.
    Broken,
    /// It was not fetched to its end.
    Partial,
    /// The system does not let it be read.
    Unreadable {
        /// The system's reason.
        reason: String,
    },
}

impl Health {
    /// Whether the file cannot be used.
    pub fn is_bad(&self) -> bool {
        matches!(self, Self::Damaged { .. } | Self::Broken | Self::Unreadable { .. })
    }
}

/// Looks at every file of a repository, or of one commit of it.
pub(crate) fn verify(
    repository: &Repository,
    commit: Option<&str>,
    watch: &mut Watch<'_>,
) -> Result<Vec<Verified>, HubError> {
    let mut seen = Vec::new();
    // Blobs and the name that each has in a snapshot.
    let mut blobs: BTreeMap<PathBuf, String> = BTreeMap::new();
    let mut copies: Vec<(String, PathBuf)> = Vec::new();
    for of in commits(repository).iter().filter(|name| commit.is_none_or(|wanted| wanted == *name)) {
        let snapshot = repository.snapshot(of);
        for (name, path) in entries(&snapshot) {
            match fs::read_link(&path) {
                Ok(_) if !path.exists() => {
                    seen.push(Verified { file: name, path, bytes: 0, health: Health::Broken });
                }
                Ok(target) => {
                    let blob = repository.blobs().join(target.file_name().unwrap_or_default());
                    blobs.entry(blob).or_insert(name);
                }
                Err(_) => copies.push((name, path)),
            }
        }
    }
    for path in files_in(&repository.blobs()).iter().map(|name| repository.blobs().join(name)) {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.ends_with(INCOMPLETE) {
            let bytes = path.metadata().map(|file| file.len()).unwrap_or(0);
            seen.push(Verified { file: name, path, bytes, health: Health::Partial });
        } else if commit.is_none() {
            blobs.entry(path).or_insert(name);
        }
    }
    let size_of = |path: &Path| path.metadata().map_or(0, |file| file.len());
    let total =
        blobs.keys().map(|path| size_of(path)).sum::<u64>() + copies.iter().map(|(_, path)| size_of(path)).sum::<u64>();
    let mut done = 0;
    for (path, name) in blobs {
        let checksum = Checksum::from_tag(&path.file_name().unwrap_or_default().to_string_lossy());
        let bytes = size_of(&path);
        let health = match checksum {
            Some(checksum) => judge(&path, &checksum, bytes, &name, (&mut done, total), watch)?,
            None => Health::Unproven,
        };
        seen.push(Verified { file: name, path, bytes, health });
    }
    for (name, path) in copies {
        let bytes = size_of(&path);
        let health = judge_copy(repository, &path, bytes, &name, (&mut done, total), watch)?;
        seen.push(Verified { file: name, path, bytes, health });
    }
    seen.sort_by(|one, other| one.file.cmp(&other.file));
    Ok(seen)
}

fn judge(
    path: &Path,
    checksum: &Checksum,
    bytes: u64,
    name: &str,
    progress: (&mut u64, u64),
    watch: &mut Watch<'_>,
) -> Result<Health, HubError> {
    Ok(match sum(path, checksum, bytes, name, progress, watch)? {
        Err(reason) => Health::Unreadable { reason },
        Ok(found) if found == checksum.digits() => Health::Sound,
        Ok(found) => Health::Damaged { expected: checksum.digits().to_owned(), found },
    })
}

/// A copy is sound if there is a blob of the same content.
fn judge_copy(
    repository: &Repository,
    path: &Path,
    bytes: u64,
    name: &str,
    progress: (&mut u64, u64),
    watch: &mut Watch<'_>,
) -> Result<Health, HubError> {
    let (done, total) = progress;
    let before = *done;
    for kind in [Checksum::Sha256(String::new()), Checksum::Git(String::new())] {
        *done = before;
        match sum(path, &kind, bytes, name, (&mut *done, total), watch)? {
            Err(reason) => return Ok(Health::Unreadable { reason }),
            Ok(found) if repository.blobs().join(&found).is_file() => return Ok(Health::Sound),
            Ok(_) => {}
        }
    }
    Ok(Health::Unproven)
}

/// What a file adds up to, or why the system does not let it be read.
fn sum(
    path: &Path,
    checksum: &Checksum,
    bytes: u64,
    name: &str,
    (done, total): (&mut u64, u64),
    watch: &mut Watch<'_>,
) -> Result<Result<String, String>, HubError> {
    let mut look = |read: u64| {
        *done += read;
        watch(Event::Progress { file: name, done: *done, total }).is_continue()
    };
    let summed = File::open(path).and_then(|mut file| checksum.of_file(&mut file, bytes, &mut look));
    match summed {
        Ok(Some(found)) => Ok(Ok(found)),
        Ok(None) => Err(HubError::Cancelled),
        Err(error) => Ok(Err(error.to_string())),
    }
}

/// Everything below a folder that is not a folder, broken links too.
fn entries(folder: &Path) -> Vec<(String, PathBuf)> {
    fn collect(folder: &Path, before: &str, depth: usize, found: &mut Vec<(String, PathBuf)>) {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let name = format!("{before}{}", entry.file_name().to_string_lossy());
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                if depth > 0 {
                    collect(&entry.path(), &format!("{name}/"), depth - 1, found);
                }
            } else {
                found.push((name, entry.path()));
            }
        }
    }
    let mut found = Vec::new();
    collect(folder, "", 8, &mut found);
    found
}

/// Removes what is damaged, broken or partial and not being fetched, so that the next `pull` fetches it anew; says what
/// it removed.
pub(crate) fn clean(repository: &Repository, seen: &[Verified]) -> Result<Vec<PathBuf>, HubError> {
    let mut removed = Vec::new();
    for verified in seen.iter().filter(|verified| verified.health.is_bad() || verified.health == Health::Partial) {
        let name = verified.path.file_name().unwrap_or_default().to_string_lossy();
        let blob = name.split('.').next().unwrap_or_default();
        let _held = match Checksum::from_tag(blob) {
            Some(_) => match lock::try_take(&repository.lock(blob))? {
                Some(held) => Some(held),
                None => continue,
            },
            None => None,
        };
        fs::remove_file(&verified.path).map_err(disk(&verified.path, "remove it"))?;
        removed.push(verified.path.clone());
    }
    // Links to what is gone now.
    for commit in commits(repository) {
        for (_, path) in entries(&repository.snapshot(&commit)) {
            if path.is_symlink() && !path.exists() {
                fs::remove_file(&path).map_err(disk(&path, "remove it"))?;
            }
        }
    }
    Ok(removed)
}
