//! Checksums, which are also the names of blobs: SHA-256 for what git keeps apart because it is large, and the name
//! that git gives to a content for everything else.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};

use sha1::Sha1;
use sha2::{Digest, Sha256};

/// As much of a file as is read at once.
const BLOCK: usize = 1 << 18;

/// What a file's content must add up to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Checksum {
    /// SHA-256 of the content.
    Sha256(String),
    /// SHA-1 of `blob`, the size and the content.
    Git(String),
}

impl Checksum {
    /// Reads the tag of an answer, or a name of git's: hexadecimal digits, maybe in quotes.
    pub(crate) fn from_tag(tag: &str) -> Option<Self> {
        let tag = tag.trim();
        let tag = tag.strip_prefix("W/").unwrap_or(tag);
        let digits = tag.trim_matches('"').to_ascii_lowercase();
        if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        match digits.len() {
            64 => Some(Self::Sha256(digits)),
            40 => Some(Self::Git(digits)),
            _ => None,
        }
    }

    /// The digits, which are the blob's name.
    pub(crate) fn digits(&self) -> &str {
        match self {
            Self::Sha256(digits) | Self::Git(digits) => digits,
        }
    }

    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Sha256(_) => "SHA-256",
            Self::Git(_) => "git SHA-1",
        }
    }

    /// Begins to add up a content of `size` bytes.
    pub(crate) fn begin(&self, size: u64) -> Sum {
        match self {
            Self::Sha256(_) => Sum::Sha256(Sha256::new()),
            Self::Git(_) => Sum::Git(Sha1::new_with_prefix(format!("blob {size}\0"))),
        }
    }

    /// What a file adds up to; `watch` hears how many bytes were read and may end it.
    pub(crate) fn of_file(
        &self,
        file: &mut File,
        size: u64,
        watch: &mut dyn FnMut(u64) -> bool,
    ) -> io::Result<Option<String>> {
        let mut sum = self.begin(size);
        let mut block = vec![0; BLOCK];
        loop {
            let read = file.read(&mut block)?;
            if read == 0 {
                return Ok(Some(sum.end()));
            }
            sum.add(block.get(..read).unwrap_or_default());
            if !watch(read as u64) {
                return Ok(None);
            }
        }
    }
}

/// A sum that is being made.
#[derive(Clone)]
pub(crate) enum Sum {
    Sha256(Sha256),
    Git(Sha1),
}

impl Sum {
    pub(crate) fn add(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha256(sum) => sum.update(bytes),
            Self::Git(sum) => sum.update(bytes),
        }
    }

    pub(crate) fn end(self) -> String {
        match self {
            Self::Sha256(sum) => Hexadecimal(&sum.finalize()).to_string(),
            Self::Git(sum) => Hexadecimal(&sum.finalize()).to_string(),
        }
    }
}

struct Hexadecimal<'a>(&'a [u8]);

impl fmt::Display for Hexadecimal<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_those_of_git_and_of_sha256sum() {
        let of = |checksum: Checksum| {
            let mut sum = checksum.begin(6);
            sum.add(b"hel");
            sum.add(b"lo\n");
            sum.end()
        };
        // `echo hello | git hash-object --stdin`, `echo hello | sha256sum`
        assert_eq!(of(Checksum::Git(String::new())), "ce013625030ba8dba906f756967f9e9ca394464a");
        let sha256 = "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03";
        assert_eq!(of(Checksum::Sha256(String::new())), sha256);
    }

    #[test]
    fn tags_are_read_in_quotes_and_without() {
        let forty = "AB".repeat(20);
        let expected = Some(Checksum::Git("ab".repeat(20)));
        for tag in [forty.clone(), format!("\"{forty}\""), format!("W/\"{forty}\"")] {
            assert_eq!(Checksum::from_tag(&tag), expected, "{tag}");
        }
        for tag in ["", "\"../../x\"", "\"abc-2\"", "0", &"g".repeat(40)] {
            assert_eq!(Checksum::from_tag(tag), None, "{tag}");
        }
    }
}
