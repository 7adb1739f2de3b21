//! Files and folders that appear whole or not at all.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use tempfile::{TempDir, TempPath};

use super::WriteError;

/// What the names of things begin with that are not whole yet.
const PASSING: &str = ".amanuensis-";

/// The endings of the files that folders of models have.
const ENDINGS: [&str; 11] =
    ["json", "txt", "md", "safetensors", "bin", "npz", "npy", "onnx", "onnx_data", "tiktoken", "gitattributes"];
/// Those of weights.
const WEIGHTS: [&str; 5] = ["safetensors", "bin", "npz", "npy", "onnx"];

/// A file or folder under a passing name beside the place where it is to appear.
#[derive(Debug)]
pub(super) struct Passing {
    what: What,
    to: PathBuf,
    replace: bool,
}

#[derive(Debug)]
enum What {
    File(TempPath),
    Folder(TempDir),
}

impl Passing {
    /// Refuses a place that cannot be taken.
    pub(super) fn check(to: &Path, is_folder: bool, replace: bool) -> Result<(), WriteError> {
        let named = to.file_name().is_some_and(|name| !name.is_empty());
        if !named {
            return Err(WriteError::Nameless { path: to.to_owned() });
        }
        let metadata = match to.symlink_metadata() {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(WriteError::of(to)(error)),
        };
        let refused = |reason: &str| Err(WriteError::NotReplaced { path: to.to_owned(), reason: reason.to_owned() });
        match (is_folder, metadata.is_dir(), metadata.is_file()) {
            (true, true, _) if is_empty(to)? => Ok(()),
            (false, true, _) => refused("it is a folder, and one file is to be written"),
            _ if !replace => Err(WriteError::Exists { path: to.to_owned() }),
            (true, true, _) => check_replaceable(to),
            (true, _, true) => refused("it is a file, and a folder is to be written"),
            (false, _, true) => Ok(()),
            _ => refused("it is neither a file nor a folder"),
        }
    }

    /// Something new that will appear at `to`. Folders above it are made.
    pub(super) fn beside(to: &Path, is_folder: bool, replace: bool) -> Result<Self, WriteError> {
        Self::check(to, is_folder, replace)?;
        let above = to.parent().filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new("."));
        fs::create_dir_all(above).map_err(WriteError::of(above))?;
        let mut builder = tempfile::Builder::new();
        builder.prefix(PASSING);
        readable_as_anything_new(&mut builder, is_folder);
        let refused = WriteError::of(above);
        let what = if is_folder {
            What::Folder(builder.tempdir_in(above).map_err(refused)?)
        } else {
            What::File(builder.tempfile_in(above).map_err(refused)?.into_temp_path())
        };
        Ok(Self { what, to: to.to_owned(), replace })
    }

    /// Where it is for the time being.
    pub(super) fn path(&self) -> &Path {
        match &self.what {
            What::File(path) => path,
            What::Folder(folder) => folder.path(),
        }
    }

    /// Gives it its name.
    pub(super) fn publish(self) -> Result<PathBuf, WriteError> {
        let Self { what, to, replace } = self;
        let refused = |reason| WriteError::Write { path: to.clone(), reason };
        match what {
            What::File(file) if replace => file.persist(&to).map_err(|error| refused(error.error))?,
            What::File(file) => file.persist_noclobber(&to).map_err(|error| match error.error.kind() {
                io::ErrorKind::AlreadyExists => WriteError::Exists { path: to.clone() },
                _ => refused(error.error),
            })?,
            What::Folder(folder) => {
                // What came into the place meanwhile is judged as what was there before.
                Self::check(&to, true, replace)?;
                let old = step_aside(&to)?;
                if let Err(error) = fs::rename(folder.path(), &to) {
                    if let Some(old) = &old {
                        // Where the old one cannot go back either, the error that is told says where to look.
                        let _ = fs::rename(old, &to);
                    }
                    return Err(refused(error));
                }
                // It has no passing name any more that could be cleaned up.
                let _ = folder.keep();
                if let Some(old) = old {
                    fs::remove_dir_all(&old).map_err(WriteError::of(&old))?;
                }
            }
        }
        Ok(to)
    }
}

/// Moves what is in the place under a passing name; an empty folder is just removed.
fn step_aside(to: &Path) -> Result<Option<PathBuf>, WriteError> {
    if !to.is_dir() {
        return Ok(None);
    }
    if is_empty(to)? {
        fs::remove_dir(to).map_err(WriteError::of(to))?;
        return Ok(None);
    }
    let above = to.parent().filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // An empty folder of a free name, which the old one takes the place of.
    let aside = tempfile::Builder::new().prefix(PASSING).tempdir_in(above).map_err(WriteError::of(above))?.keep();
    fs::remove_dir(&aside).map_err(WriteError::of(&aside))?;
    fs::rename(to, &aside).map_err(WriteError::of(to))?;
    Ok(Some(aside))
}

fn is_empty(folder: &Path) -> Result<bool, WriteError> {
    Ok(fs::read_dir(folder).map_err(WriteError::of(folder))?.next().is_none())
}

/// A folder is replaced only if it holds a model and nothing else: a wrong name must not cost anybody their files.
fn check_replaceable(folder: &Path) -> Result<(), WriteError> {
    let refused = |reason: String| Err(WriteError::NotReplaced { path: folder.to_owned(), reason });
    let mut has_weights = false;
    for entry in fs::read_dir(folder).map_err(WriteError::of(folder))? {
        let entry = entry.map_err(WriteError::of(folder))?;
        let name = entry.file_name();
        let ending = Path::new(&name).extension().and_then(OsStr::to_str).unwrap_or_default();
        let is_file = entry.file_type().map_err(WriteError::of(folder))?.is_file();
        if !is_file || !ENDINGS.contains(&ending) {
            return refused(format!("{} in it is not a file of a model", name.display()));
        }
        has_weights |= WEIGHTS.contains(&ending);
    }
    if has_weights { Ok(()) } else { refused("there are no weights in it, so that it is not a model".to_owned()) }
}

/// What is temporary is its owner's alone; what it becomes is as open as the umask says.
#[cfg(unix)]
fn readable_as_anything_new(builder: &mut tempfile::Builder<'_, '_>, is_folder: bool) {
    use std::os::unix::fs::PermissionsExt;
    builder.permissions(fs::Permissions::from_mode(if is_folder { 0o777 } else { 0o666 }));
}

#[cfg(not(unix))]
fn readable_as_anything_new(_builder: &mut tempfile::Builder<'_, '_>, _is_folder: bool) {}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn written(to: &Path, replace: bool, word: &str) -> Result<Passing, WriteError> {
        let passing = Passing::beside(to, true, replace)?;
        fs::write(passing.path().join("model.safetensors"), word).unwrap();
        Ok(passing)
    }

    #[test]
    fn folders_appear_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let to = folder.path().join("new/deep");
        drop(written(&to, false, "a").unwrap());
        assert!(names(&folder.path().join("new")).is_empty());
        written(&to, false, "a").unwrap().publish().unwrap();
        assert_eq!(fs::read(to.join("model.safetensors")).unwrap(), b"a");
        assert!(matches!(written(&to, false, "b"), Err(WriteError::Exists { .. })));
        written(&to, true, "b").unwrap().publish().unwrap();
        assert_eq!(fs::read(to.join("model.safetensors")).unwrap(), b"b");
        assert_eq!(names(&folder.path().join("new")), ["deep"]);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            fs::create_dir(folder.path().join("plain")).unwrap();
            let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode();
            assert_eq!(mode(&to), mode(&folder.path().join("plain")));
        }
    }

    #[test]
    fn only_models_are_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let to = folder.path().join("letters");
        fs::create_dir(&to).unwrap();
        // An empty folder is as good as none.
        Passing::check(&to, true, false).unwrap();
        fs::write(to.join("aunt.txt"), "dear").unwrap();
        let error = Passing::check(&to, true, true).unwrap_err().to_string();
        assert!(error.contains("there are no weights in it"), "{error}");
        fs::write(to.join("photo.jpg"), "").unwrap();
        let error = Passing::check(&to, true, true).unwrap_err().to_string();
        assert!(error.contains("photo.jpg in it is not a file of a model"), "{error}");
        fs::remove_file(to.join("photo.jpg")).unwrap();
        fs::create_dir(to.join("more.bin")).unwrap();
        assert!(Passing::check(&to, true, true).is_err());
        let error = Passing::check(&to, false, true).unwrap_err().to_string();
        assert!(error.contains("it is a folder"), "{error}");
        let file = to.join("aunt.txt");
        assert!(Passing::check(&file, true, true).is_err());
        assert!(matches!(Passing::check(&file, false, false), Err(WriteError::Exists { .. })));
        Passing::check(&file, false, true).unwrap();
        for nameless in ["/", "..", ""] {
            assert!(matches!(Passing::check(Path::new(nameless), true, true), Err(WriteError::Nameless { .. })));
        }
    }

    #[test]
    fn files_do_not_take_a_name_that_was_taken_meanwhile() {
        let folder = tempfile::tempdir().unwrap();
        let to = folder.path().join("model.bin");
        let passing = Passing::beside(&to, false, false).unwrap();
        fs::write(&to, "first").unwrap();
        assert!(matches!(passing.publish(), Err(WriteError::Exists { .. })));
        let passing = Passing::beside(&to, false, true).unwrap();
        fs::write(passing.path(), "second").unwrap();
        passing.publish().unwrap();
        assert_eq!((fs::read(&to).unwrap(), names(folder.path())), (b"second".to_vec(), vec!["model.bin".to_owned()]));
    }
}
