//! One process fetches a blob; the others wait. Python's library takes the same locks.

use std::fs::{File, TryLockError};
use std::io;
use std::ops::ControlFlow;
use std::path::Path;
use std::thread;
use std::time::Duration;

use crate::error::{HubError, disk};

/// How often a lock that another process has is tried.
const BETWEEN_TRIES: Duration = Duration::from_millis(50);

/// A lock, until it is dropped.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: Option<File>,
}

/// Takes a lock, and waits while another process has it and `waiting` goes on.
pub(crate) fn take(path: &Path, mut waiting: impl FnMut() -> ControlFlow<()>) -> Result<Lock, HubError> {
    loop {
        match try_take(path)? {
            Some(lock) => return Ok(lock),
            None if waiting().is_break() => return Err(HubError::Cancelled),
            None => thread::sleep(BETWEEN_TRIES),
        }
    }
}

/// Takes a lock unless another process has it.
pub(crate) fn try_take(path: &Path) -> Result<Option<Lock>, HubError> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(disk(folder, "make the folder"))?;
    }
    let opened = File::options().create(true).truncate(false).write(true).open(path);
    let file = opened.map_err(disk(path, "open the lock"))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(Lock { _file: Some(file) })),
        Err(TryLockError::WouldBlock) => Ok(None),
        // Some network file systems have no locks. What is fetched twice is still verified and put in place whole.
        Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => Ok(Some(Lock { _file: None })),
        Err(TryLockError::Error(error)) => Err(disk(path, "lock it")(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_had_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/x.lock");
        let lock = try_take(&path).unwrap().unwrap();
        assert!(try_take(&path).unwrap().is_none());
        let mut looks = 0;
        let refused = take(&path, || {
            looks += 1;
            if looks < 3 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        assert!(matches!(refused, Err(HubError::Cancelled)));
        drop(lock);
        assert!(take(&path, || ControlFlow::Break(())).is_ok());
    }
}
