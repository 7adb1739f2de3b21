//! A folder of files, on disk or inside the program.

use std::io;
use std::path::{Path, PathBuf};

use amanuensis_kernels::MappedFile;
use serde::de::DeserializeOwned;

use crate::model::ModelError;
use crate::model::bytes::Bytes;
use crate::model::fingerprint::Place;

/// The largest file of settings that is read. The largest real one, a tokenizer.json, has 4 MB.
const LARGEST_SETTINGS: u64 = 64 << 20;

/// Where a model's files lie.
#[derive(Debug, Clone)]
pub(in crate::model) enum Folder {
    Disk(PathBuf),
    /// Names and contents.
    #[cfg_attr(not(feature = "demo"), allow(dead_code, reason = "only the demo model is embedded"))]
    Embedded(&'static [(&'static str, &'static [u8])]),
}

/// A file of settings in memory.
pub(in crate::model) struct Settings {
    /// The path, for errors.
    pub(in crate::model) file: String,
    pub(in crate::model) bytes: Vec<u8>,
}

impl Settings {
    pub(in crate::model) fn parse<T: DeserializeOwned>(&self) -> Result<T, ModelError> {
        serde_json::from_slice(&self.bytes)
            .map_err(|error| ModelError::Settings { file: self.file.clone(), reason: error.to_string() })
    }
}

impl Folder {
    /// The path of a file in it, for errors.
    pub(in crate::model) fn path_of(&self, name: &str) -> String {
        match self {
            Self::Disk(folder) => folder.join(name).display().to_string(),
            Self::Embedded(_) => format!("demo model's {name}"),
        }
    }

    /// The folder itself, for errors.
    pub(in crate::model) fn path(&self) -> String {
        match self {
            Self::Disk(folder) => folder.display().to_string(),
            Self::Embedded(_) => "demo model".to_owned(),
        }
    }

    pub(in crate::model) fn has(&self, name: &str) -> bool {
        match self {
            Self::Disk(folder) => folder.join(name).is_file(),
            Self::Embedded(files) => files.iter().any(|(known, _)| *known == name),
        }
    }

    /// The file whose name ends in this extension, if there is one and only one.
    pub(in crate::model) fn only_file_with_extension(&self, extension: &str) -> Option<String> {
        let is_it = |name: &str| Path::new(name).extension().is_some_and(|found| found == extension);
        let mut names: Vec<String> = match self {
            Self::Disk(folder) => {
                let entries = folder.read_dir().ok()?.flatten();
                entries.filter_map(|entry| entry.file_name().into_string().ok()).collect()
            }
            Self::Embedded(files) => files.iter().map(|(name, _)| (*name).to_owned()).collect(),
        };
        names.retain(|name| is_it(name));
        if names.len() == 1 { names.pop() } else { None }
    }

    /// The names of the files in it, in order; more than `most` are refused, names that are not UTF-8 left out.
    pub(in crate::model) fn names(&self, most: usize) -> Result<Vec<String>, ModelError> {
        let folder = match self {
            Self::Embedded(files) => return Ok(files.iter().map(|(name, _)| (*name).to_owned()).collect()),
            Self::Disk(folder) => folder,
        };
        let refused = |reason| ModelError::Read { file: self.path(), reason };
        let mut names = Vec::new();
        for entry in std::fs::read_dir(folder).map_err(refused)? {
            let name = entry.map_err(refused)?.file_name();
            if names.len() == most {
                let reason = format!("it has more than {most} files");
                return Err(ModelError::NotAModel { path: self.path(), reason });
            }
            names.extend(name.into_string());
        }
        names.sort_unstable();
        Ok(names)
    }

    /// A file of settings, if it is there.
    pub(in crate::model) fn settings(&self, name: &str) -> Result<Option<Settings>, ModelError> {
        let file = self.path_of(name);
        let bytes = match self {
            Self::Embedded(files) => files.iter().find(|(known, _)| *known == name).map(|(_, bytes)| bytes.to_vec()),
            Self::Disk(folder) => read_settings(&folder.join(name), &file)?,
        };
        Ok(bytes.map(|bytes| Settings { file, bytes }))
    }

    /// Where a file of weights is.
    pub(in crate::model) fn place_of(&self, name: &str) -> Result<Place, ModelError> {
        match self {
            Self::Disk(folder) => Ok(Place::Disk(folder.join(name))),
            Self::Embedded(files) => {
                let found = files.iter().find(|(known, _)| *known == name);
                let absent = || ModelError::Read { file: self.path_of(name), reason: io::ErrorKind::NotFound.into() };
                found.map(|(_, bytes)| Place::Embedded(bytes)).ok_or_else(absent)
            }
        }
    }

    /// A file of weights.
    pub(in crate::model) fn weights(&self, name: &str) -> Result<Bytes, ModelError> {
        let refused = |reason| ModelError::Read { file: self.path_of(name), reason };
        match self {
            Self::Embedded(files) => {
                let found = files.iter().find(|(known, _)| *known == name);
                found.map(|(_, bytes)| Bytes::Embedded(bytes)).ok_or_else(|| refused(io::ErrorKind::NotFound.into()))
            }
            Self::Disk(folder) => {
                let path = folder.join(name);
                // Only a regular file has an end that can be trusted.
                if !path.metadata().map_err(refused)?.is_file() {
                    return Err(refused(io::Error::other("it is not a regular file")));
                }
                let bytes = MappedFile::open(&path).map(Bytes::Mapped).map_err(refused)?;
                refuse_pointer(&bytes, &self.path_of(name))?;
                Ok(bytes)
            }
        }
    }
}

fn read_settings(path: &Path, file: &str) -> Result<Option<Vec<u8>>, ModelError> {
    let refused = |reason| ModelError::Read { file: file.to_owned(), reason };
    let metadata = match path.metadata() {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(refused(error)),
    };
    if !metadata.is_file() {
        return Err(refused(io::Error::other("it is not a regular file")));
    }
    if metadata.len() > LARGEST_SETTINGS {
        return Err(ModelError::TooLarge { file: file.to_owned(), size: metadata.len(), limit: LARGEST_SETTINGS });
    }
    let bytes = std::fs::read(path).map_err(refused)?;
    refuse_pointer(&bytes, file)?;
    Ok(Some(bytes))
}

/// A repository cloned without git-lfs has a few lines of text where its large files should be.
fn refuse_pointer(bytes: &[u8], file: &str) -> Result<(), ModelError> {
    if bytes.starts_with(b"version https://git-lfs") {
        return Err(ModelError::Pointer { file: file.to_owned() });
    }
    Ok(())
}
