//! Whether there is room on the disk.

use std::path::Path;

use crate::error::HubError;

/// A disk is not filled to its last byte.
const SPARE: u64 = 64 << 20;

/// Refuses to begin what cannot end.
pub(crate) fn require(folder: &Path, bytes: u64) -> Result<(), HubError> {
    let needed = bytes.saturating_add(SPARE);
    match available(folder) {
        Some(available) if bytes > 0 && available < needed => {
            Err(HubError::Space { folder: folder.to_owned(), needed, available })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        assert!(require(folder.path(), 0).is_ok());
        let refused = require(folder.path(), u64::MAX);
        if cfg!(unix) {
            let error = refused.unwrap_err().to_string();
            assert!(error.contains("are free") && error.contains("HF_HOME"), "{error}");
        }
        assert!(require(Path::new("/no/such/folder"), 1).is_ok());
    }
}
