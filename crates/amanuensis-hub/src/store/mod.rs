//! The cache on disk, as Python's huggingface_hub has it.
//!
//! ```text
//! CACHEDIR.TAG
//! .locks/models--organisation--name/<checksum>.lock      held while a blob is fetched
//! models--organisation--name/
//!   blobs/<checksum>                                     contents
//!   blobs/<checksum>.incomplete                          what has come of one so far
//!   snapshots/<commit>/config.json                       -> ../../blobs/<checksum>
//!   refs/main                                            <commit>
//! ```

pub(crate) mod link;
pub(crate) mod lock;
pub(crate) mod remove;
pub(crate) mod scan;
pub(crate) mod space;
pub(crate) mod verify;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use amanuensis::model::hub::{Cache, repository_folder};

use crate::checksum::Checksum;
use crate::error::{HubError, disk};

/// The end of the name of what has come of a blob so far.
pub(crate) const INCOMPLETE: &str = ".incomplete";

/// What tells programs that make backups to leave a folder out (https://bford.info/cachedir/).
const TAG: &str =
    "Signature: 8a477f597d28d172789f06886806bc55\n# This file is a cache directory tag created by amanuensis.\n";

/// A repository in the cache.
#[derive(Debug, Clone)]
pub(crate) struct Repository {
    pub(crate) cache: PathBuf,
    pub(crate) folder: PathBuf,
    locks: PathBuf,
}

impl Repository {
    pub(crate) fn in_cache(cache: &Cache, name: &str) -> Result<Self, HubError> {
        let folder = cache.folder().ok_or(HubError::NoPlace { what: "models", variable: "HF_HOME" })?;
        Ok(Self::in_folder(folder, &repository_folder(name)))
    }

    pub(crate) fn in_folder(cache: &Path, name: &str) -> Self {
        Self { cache: cache.to_owned(), folder: cache.join(name), locks: cache.join(".locks").join(name) }
    }

    pub(crate) fn blobs(&self) -> PathBuf {
        self.folder.join("blobs")
    }

    pub(crate) fn blob(&self, checksum: &Checksum) -> PathBuf {
        self.blobs().join(checksum.digits())
    }

    pub(crate) fn partial(&self, checksum: &Checksum) -> PathBuf {
        self.blobs().join(format!("{}{INCOMPLETE}", checksum.digits()))
    }

    pub(crate) fn snapshots(&self) -> PathBuf {
        self.folder.join("snapshots")
    }

    pub(crate) fn snapshot(&self, commit: &str) -> PathBuf {
        self.snapshots().join(commit)
    }

    pub(crate) fn references(&self) -> PathBuf {
        self.folder.join("refs")
    }

    pub(crate) fn lock(&self, blob: &str) -> PathBuf {
        self.locks.join(format!("{blob}.lock"))
    }

    /// Makes the folders in which a snapshot is put.
    pub(crate) fn prepare(&self) -> Result<(), HubError> {
        for folder in [self.blobs(), self.snapshots(), self.references(), self.locks.clone()] {
            fs::create_dir_all(&folder).map_err(disk(&folder, "make the folder"))?;
        }
        // Only a help to others: where it cannot be written, nothing is lost.
        if let Ok(mut tag) = fs::File::create_new(self.cache.join("CACHEDIR.TAG")) {
            let _: std::io::Result<()> = tag.write_all(TAG.as_bytes());
        }
        Ok(())
    }

    /// Says which commit a revision is at. Whoever reads sees the old commit or the new one.
    pub(crate) fn refer(&self, revision: &str, commit: &str) -> Result<(), HubError> {
        let path = self.references().join(revision);
        if fs::read_to_string(&path).is_ok_and(|known| known.trim() == commit) {
            return Ok(());
        }
        write_whole(&path, commit.as_bytes())
    }
}

/// Writes a small file beside its place and puts it there when it is whole.
pub(crate) fn write_whole(path: &Path, content: &[u8]) -> Result<(), HubError> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder).map_err(disk(folder, "make the folder"))?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let beside = folder.join(format!(".{name}.{:016x}", fastrand::u64(..)));
    let written = fs::File::create_new(&beside).and_then(|mut file| {
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(&beside, path)
    });
    written.map_err(|error| {
        let _: std::io::Result<()> = fs::remove_file(&beside);
        disk(path, "write it")(error)
    })
}
