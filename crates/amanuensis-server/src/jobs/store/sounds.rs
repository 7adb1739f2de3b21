//! The sounds of jobs: files that only this user may read, in a folder of their own.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
#[cfg(unix)]
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::{StoreError, at};

pub(super) const FOLDER: &str = "uploads";

/// Bytes of the disk that no sound takes: what comes of the jobs that were accepted has to be kept as well.
const SPARE: u64 = 32 << 20;

pub(super) fn folder(data: &Path) -> PathBuf {
    data.join(FOLDER)
}

pub(super) fn path(data: &Path, id: &str) -> PathBuf {
    folder(data).join(id)
}

pub(super) fn make_folder(path: &Path) -> Result<(), StoreError> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    builder.mode(0o700);
    builder.create(path).map_err(at(path))
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true);
    #[cfg(unix)]
    options.mode(0o600);
    options
}

/// Makes a file if it is not there.
pub(super) fn touch(path: &Path) -> Result<(), StoreError> {
    private().create(true).truncate(false).open(path).map(drop).map_err(at(path))
}

/// Writes a folder's list of names through to the disk.
pub(super) fn sync_folder(path: &Path) -> Result<(), StoreError> {
    File::open(path).and_then(|folder| folder.sync_all()).map_err(at(path))
}

/// Keeps a copy of `sound` as the sound of a job, through to the disk, and adds what is in it to `digest`.
pub(super) fn keep(data: &Path, id: &str, sound: &File, digest: &mut Sha256) -> Result<(), StoreError> {
    let path = path(data, id);
    let written = private().create_new(true).open(&path).and_then(|mut file| {
        read(sound, |bytes| {
            digest.update(bytes);
            file.write_all(bytes)
        })?;
        file.sync_all()
    });
    let kept = written.and_then(|()| check_spare(data)).map_err(at(&path)).and_then(|()| sync_folder(&folder(data)));
    if kept.is_err() {
        forget(data, id);
    }
    kept
}

/// Refuses what leaves too little of the disk.
fn check_spare(data: &Path) -> std::io::Result<()> {
    match available(data) {
        Some(bytes) if bytes < SPARE => {
            let message =
                format!("{bytes} bytes of the disk would be left, and {SPARE} are kept for the results of jobs");
            Err(std::io::Error::new(std::io::ErrorKind::StorageFull, message))
        }
        _ => Ok(()),
    }
}

/// Bytes that this user may still write there, where the system says.
#[cfg(unix)]
fn available(folder: &Path) -> Option<u64> {
    let system = rustix::fs::statvfs(folder).ok()?;
    system.f_bavail.checked_mul(system.f_frsize)
}

#[cfg(not(unix))]
fn available(_folder: &Path) -> Option<u64> {
    None
}

/// Reads a file from its beginning.
pub(super) fn read(mut file: &File, mut take: impl FnMut(&[u8]) -> std::io::Result<()>) -> std::io::Result<()> {
    file.seek(SeekFrom::Start(0))?;
    let mut buffer = vec![0; 1 << 18];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(count) => take(&buffer[..count])?,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Removes the sound of a job; what cannot be removed now is removed at the next start.
pub(super) fn forget(data: &Path, id: &str) {
    let path = path(data, id);
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            tracing::warn!(%error, path = %path.display(), "a sound cannot be removed");
        }
        _ => {}
    }
}

/// Removes what is in the folder of sounds and is of no job.
pub(super) fn tidy(data: &Path, is_kept: impl Fn(&str) -> Result<bool, StoreError>) -> Result<(), StoreError> {
    let folder = folder(data);
    for entry in folder.read_dir().map_err(at(&folder))? {
        let name = entry.map_err(at(&folder))?.file_name();
        let is_kept = name.to_str().map_or(Ok(false), &is_kept)?;
        if !is_kept {
            let path = folder.join(&name);
            tracing::info!(path = %path.display(), "a file of no job is removed");
            std::fs::remove_file(&path).map_err(at(&path))?;
        }
    }
    Ok(())
}
