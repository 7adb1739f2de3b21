//! The hash of a model's weights, by which a transcript says what made it.

use std::fmt::Write;
use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;

use sha2::{Digest, Sha256};

/// Bytes hashed at a time.
const BLOCK: usize = 1 << 20;

/// Where the files of a model's weights are, to be hashed when somebody asks: it takes as long as reading them.
#[derive(Debug, Clone, Default)]
pub struct Fingerprint(Vec<Place>);

/// Where one file is.
#[derive(Debug, Clone)]
pub(super) enum Place {
    Disk(PathBuf),
    Embedded(&'static [u8]),
}

impl Fingerprint {
    pub(super) fn add(&mut self, place: Place) {
        self.0.push(place);
    }

    /// SHA-256 of the file, or of all of them one behind the other, in hexadecimal digits. None for no file.
    pub fn sha256(&self) -> io::Result<Option<String>> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let mut hash = Sha256::new();
        for place in &self.0 {
            match place {
                Place::Embedded(bytes) => hash.update(bytes),
                Place::Disk(path) => {
                    let mut file = File::open(path)?;
                    let mut block = vec![0; BLOCK];
                    loop {
                        match file.read(&mut block)? {
                            0 => break,
                            count => hash.update(&block[..count]),
                        }
                    }
                }
            }
        }
        let mut digits = String::with_capacity(64);
        for byte in hash.finalize() {
            // Writing to a string does not fail.
            let _ = write!(digits, "{byte:02x}");
        }
        Ok(Some(digits))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_that_of_the_files_one_behind_the_other() {
        let mut fingerprint = Fingerprint::default();
        assert_eq!(fingerprint.sha256().expect("no file, no error"), None);
        fingerprint.add(Place::Embedded(b"a"));
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("b");
        std::fs::write(&path, "bc").expect("a file");
        fingerprint.add(Place::Disk(path));
        // The digest that FIPS 180-2 gives as its example for "abc".
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(fingerprint.sha256().expect("readable files").as_deref(), Some(expected));
        fingerprint.add(Place::Disk(folder.path().join("absent")));
        assert!(fingerprint.sha256().is_err());
    }
}
