//! Keys: who may ask for what. The server knows their digests only.

use std::collections::HashSet;
use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};

use crate::error::ApiError;

/// What a key may be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Transcribing at once, and the list of models.
    Transcribe,
    /// Jobs.
    Jobs,
    /// What the server is doing.
    Status,
    /// Figures for monitoring.
    Metrics,
    /// Everything.
    Admin,
}

impl fmt::Display for Scope {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Scope::Transcribe => "transcribe",
            Scope::Jobs => "jobs",
            Scope::Status => "status",
            Scope::Metrics => "metrics",
            Scope::Admin => "admin",
        })
    }
}

/// A key as it stands in a file of keys.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Key {
    /// Whose it is; stands in logs.
    pub name: String,
    /// SHA-256 of the key, in hexadecimal.
    pub sha256: String,
    /// What it may be used for.
    pub scopes: HashSet<Scope>,
}

/// Why a list of keys is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Something that is no digest.
    #[error("the key of {name:?}: sha256 is not 64 hexadecimal digits; `printf %s KEY | sha256sum` makes it")]
    NotADigest {
        /// Whose key.
        name: String,
    },
    /// A key that may be used for nothing.
    #[error("the key of {name:?} has no scopes; there are transcribe, jobs, status, metrics and admin")]
    NoScope {
        /// Whose key.
        name: String,
    },
    /// Two keys that are one.
    #[error("the keys of {one:?} and {other:?} are the same")]
    Twice {
        /// Whose key.
        one: String,
        /// Whose key too.
        other: String,
    },
}

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    /// The key's name, or the address where no keys are asked for.
    pub name: String,
    /// Whether the key is for everything: it sees the jobs of all.
    pub is_admin: bool,
}

/// All keys.
#[derive(Default)]
pub struct Keys(Vec<(Key, [u8; 32])>);

impl Keys {
    /// Takes keys as they stand in their file.
    pub fn new(keys: Vec<Key>) -> Result<Self, KeyError> {
        let mut all: Vec<(Key, [u8; 32])> = Vec::with_capacity(keys.len());
        for key in keys {
            let digest = digest(&key.sha256).ok_or_else(|| KeyError::NotADigest { name: key.name.clone() })?;
            if key.scopes.is_empty() {
                return Err(KeyError::NoScope { name: key.name });
            }
            if let Some((other, _)) = all.iter().find(|(_, known)| *known == digest) {
                return Err(KeyError::Twice { one: other.name.clone(), other: key.name });
            }
            all.push((key, digest));
        }
        Ok(Keys(all))
    }

    /// One key for everything, as it is, not its digest.
    pub fn single(name: &str, key: &str) -> Self {
        let digest: [u8; 32] = Sha256::digest(key.as_bytes()).into();
        let scopes = HashSet::from([Scope::Admin]);
        Keys(vec![(Key { name: name.to_owned(), sha256: String::new(), scopes }, digest)])
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether everybody may ask.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whose `key` this is, if it may be used for `scope`.
    pub(crate) fn admit(&self, key: Option<&str>, scope: Scope) -> Result<Client, ApiError> {
        let Some(key) = key else {
            return Err(ApiError::no_key("no key was given; send it as `Authorization: Bearer KEY`"));
        };
        let digest: [u8; 32] = Sha256::digest(key.as_bytes()).into();
        // Every key is compared, wholly: how long it takes tells nothing of which is near.
        let (mut found, mut index) = (Choice::from(0), 0_u32);
        for (number, (_, known)) in (0_u32..).zip(&self.0) {
            let equal = known.ct_eq(&digest);
            index = u32::conditional_select(&index, &number, equal);
            found |= equal;
        }
        if !bool::from(found) {
            return Err(ApiError::no_key("the key is not one of this server's"));
        }
        let (key, _) = &self.0[index as usize];
        if key.scopes.contains(&scope) || key.scopes.contains(&Scope::Admin) {
            Ok(Client { name: key.name.clone(), is_admin: key.scopes.contains(&Scope::Admin) })
        } else {
            Err(ApiError::forbidden(format!(
                "the key of {:?} may not be used for this; it needs the scope {scope}",
                key.name
            )))
        }
    }
}

fn digest(hexadecimal: &str) -> Option<[u8; 32]> {
    let digits = hexadecimal.trim().as_bytes();
    if digits.len() != 64 {
        return None;
    }
    let mut digest = [0; 32];
    for (byte, pair) in digest.iter_mut().zip(digits.chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(digest)
}

#[cfg(test)]
mod tests {
    use axum::http::StatusCode;

    use super::*;

    /// `printf %s secret | sha256sum`
    const SECRET: &str = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";

    fn key(name: &str, sha256: &str, scopes: &[Scope]) -> Key {
        Key { name: name.to_owned(), sha256: sha256.to_owned(), scopes: scopes.iter().copied().collect() }
    }

    #[test]
    fn a_key_opens_what_its_scopes_say() {
        let keys =
            Keys::new(vec![key("other", &"0".repeat(64), &[Scope::Admin]), key("mine", SECRET, &[Scope::Transcribe])])
                .unwrap();
        assert_eq!(keys.admit(Some("secret"), Scope::Transcribe).unwrap().name, "mine");
        assert_eq!(keys.admit(Some("secret"), Scope::Jobs).unwrap_err().status, StatusCode::FORBIDDEN);
        assert_eq!(keys.admit(Some("Secret"), Scope::Transcribe).unwrap_err().status, StatusCode::UNAUTHORIZED);
        assert_eq!(keys.admit(None, Scope::Transcribe).unwrap_err().status, StatusCode::UNAUTHORIZED);
        assert_eq!(Keys::single("x", "secret").admit(Some("secret"), Scope::Metrics).unwrap().name, "x");
    }

    #[test]
    fn lists_that_mean_nothing_are_refused() {
        let wrong = |keys| Keys::new(keys).err().unwrap().to_string();
        assert!(wrong(vec![key("a", "secret", &[Scope::Jobs])]).contains("sha256sum"));
        assert!(wrong(vec![key("a", &"é".repeat(32), &[Scope::Jobs])]).contains("64 hexadecimal"));
        assert!(wrong(vec![key("a", SECRET, &[])]).contains("no scopes"));
        let twice = vec![key("a", SECRET, &[Scope::Jobs]), key("b", &SECRET.to_uppercase(), &[Scope::Jobs])];
        assert!(wrong(twice).contains("the same"));
    }
}
