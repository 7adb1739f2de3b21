//! Where NVIDIA's libraries are looked for.

use std::env;
use std::fmt;
use std::path::{Path, PathBuf};

use libloading::Library;

/// A library that is loaded at run time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// The driver.
    Driver,
    /// The compiler.
    Nvrtc,
    /// Products of matrices.
    CublasLt,
}

impl Wanted {
    /// What people call it.
    pub fn title(self) -> &'static str {
        match self {
            Wanted::Driver => "the NVIDIA driver",
            Wanted::Nvrtc => "NVRTC, NVIDIA's run-time compiler",
            Wanted::CublasLt => "cuBLASLt, NVIDIA's matrix library",
        }
    }

    /// The variable that names its file.
    pub fn variable(self) -> &'static str {
        match self {
            Wanted::Driver => "AMANUENSIS_LIBCUDA",
            Wanted::Nvrtc => "AMANUENSIS_NVRTC",
            Wanted::CublasLt => "AMANUENSIS_CUBLASLT",
        }
    }

    /// The names of its file, the newest first. A version that is not known here has another interface.
    fn files(self) -> &'static [&'static str] {
        match (self, cfg!(windows)) {
            (Wanted::Driver, false) => &["libcuda.so.1", "libcuda.so"],
            (Wanted::Driver, true) => &["nvcuda.dll"],
            (Wanted::Nvrtc, false) => &["libnvrtc.so.13", "libnvrtc.so.12", "libnvrtc.so"],
            (Wanted::Nvrtc, true) => &["nvrtc64_130_0.dll", "nvrtc64_120_0.dll"],
            (Wanted::CublasLt, false) => &["libcublasLt.so.13", "libcublasLt.so.12", "libcublasLt.so"],
            (Wanted::CublasLt, true) => &["cublasLt64_13.dll", "cublasLt64_12.dll"],
        }
    }

    /// The folders of the wheels that bring it, below `site-packages/nvidia`.
    fn wheels(self) -> &'static [&'static str] {
        match self {
            Wanted::Driver => &[],
            Wanted::Nvrtc => &["cu13", "cuda_nvrtc"],
            Wanted::CublasLt => &["cu13", "cublas"],
        }
    }

    /// How to get it.
    fn remedy(self) -> &'static str {
        match self {
            Wanted::Driver => {
                "install NVIDIA's driver (on Debian and Ubuntu the package nvidia-driver, or from nvidia.com/drivers), in a container \
                 start it with access to the GPU, or use the CPU"
            }
            Wanted::Nvrtc => {
                "`pip install nvidia-cuda-nvrtc-cu12`, or install the CUDA toolkit or the distribution's package (libnvrtc12), or \
                 name the file in AMANUENSIS_NVRTC"
            }
            Wanted::CublasLt => {
                "`pip install nvidia-cublas-cu12`, or install the CUDA toolkit or the distribution's package (libcublaslt12), or \
                 name the file in AMANUENSIS_CUBLASLT"
            }
        }
    }
}

/// Why a library cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LibraryError {
    /// It is nowhere.
    #[error("{} is missing: looked for {looked}; {}", .wanted.title(), .wanted.remedy())]
    Missing {
        /// The library.
        wanted: Wanted,
        /// Where it was looked for.
        looked: Looked,
    },
    /// It is there and cannot be loaded.
    #[error("{} cannot be loaded from {file}: {reason}; {}", .wanted.title(), .wanted.remedy())]
    Unusable {
        /// The library.
        wanted: Wanted,
        /// The file.
        file: String,
        /// What the system says.
        reason: String,
    },
    /// It has not what is called.
    #[error("{} in {file} has no {symbol}: it is too old or another library; {}", .wanted.title(), .wanted.remedy())]
    Symbol {
        /// The library.
        wanted: Wanted,
        /// The file.
        file: String,
        /// The function.
        symbol: &'static str,
    },
    /// It says no.
    #[error("{} ({file}): {call} failed with status {status}", .wanted.title())]
    Status {
        /// The library.
        wanted: Wanted,
        /// The file.
        file: String,
        /// What was called.
        call: &'static str,
        /// What it answered.
        status: i32,
    },
}

/// Names that were looked for, and folders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Looked {
    names: Vec<String>,
    folders: Vec<PathBuf>,
}

impl fmt::Display for Looked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} by the system's loader", self.names.join(", "))?;
        if !self.folders.is_empty() {
            let folders: Vec<String> = self.folders.iter().map(|folder| folder.display().to_string()).collect();
            write!(f, " and in {}", folders.join(", "))?;
        }
        Ok(())
    }
}

/// A library that was found.
pub(super) struct Found {
    pub(super) library: Library,
    pub(super) file: String,
}

/// Finds a library: the file that its variable names, and no other; else what the system's loader knows; else what lies where
/// toolkits and wheels put it.
pub(super) fn find(wanted: Wanted) -> Result<Found, LibraryError> {
    let named = env::var_os(wanted.variable()).filter(|file| !file.is_empty()).map(PathBuf::from);
    find_among(wanted, named.as_deref(), &folders(wanted))
}

fn find_among(wanted: Wanted, named: Option<&Path>, folders: &[PathBuf]) -> Result<Found, LibraryError> {
    if let Some(named) = named {
        return open(named).map_err(|reason| LibraryError::Unusable {
            wanted,
            file: named.display().to_string(),
            reason,
        });
    }
    for file in wanted.files() {
        if let Ok(found) = open(Path::new(file)) {
            return Ok(found);
        }
    }
    let mut unusable = None;
    for path in folders.iter().flat_map(|folder| wanted.files().iter().map(|file| folder.join(file))) {
        if path.exists() {
            match open(&path) {
                Ok(found) => return Ok(found),
                Err(reason) => {
                    let file = path.display().to_string();
                    unusable.get_or_insert(LibraryError::Unusable { wanted, file, reason });
                }
            }
        }
    }
    let names = wanted.files().iter().map(|name| (*name).to_owned()).collect();
    Err(unusable.unwrap_or(LibraryError::Missing { wanted, looked: Looked { names, folders: folders.to_vec() } }))
}

fn open(path: &Path) -> Result<Found, String> {
    // SAFETY: loading runs the library's initialisers. It is one of NVIDIA's by its name, or the one that the user named.
    let library = unsafe { Library::new(path) }.map_err(|error| error.to_string())?;
    Ok(Found { library, file: path.display().to_string() })
}

/// Where toolkits and wheels put a library.
fn folders(wanted: Wanted) -> Vec<PathBuf> {
    if wanted == Wanted::Driver {
        // Where Windows puts it for Linux inside of it.
        return vec![PathBuf::from("/usr/lib/wsl/lib")];
    }
    let library = if cfg!(windows) { "bin" } else { "lib64" };
    let variable = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let mut folders: Vec<PathBuf> = ["CUDA_HOME", "CUDA_PATH"]
        .iter()
        .filter_map(|name| variable(name))
        .map(|folder| folder.join(library))
        .collect();
    folders.push(PathBuf::from("/usr/local/cuda/lib64"));
    for environment in ["VIRTUAL_ENV", "CONDA_PREFIX"].iter().filter_map(|name| variable(name)) {
        folders.push(environment.join("lib"));
        wheels_in(&environment.join("lib"), wanted, &mut folders);
    }
    if let Some(home) = variable("HOME") {
        wheels_in(&home.join(".local/lib"), wanted, &mut folders);
    }
    wheels_in(Path::new("/usr/local/lib"), wanted, &mut folders);
    folders
}

/// The wheels' folders of every Python whose packages are below `lib`.
fn wheels_in(lib: &Path, wanted: Wanted, folders: &mut Vec<PathBuf>) {
    let Ok(entries) = lib.read_dir() else { return };
    let mut pythons: Vec<PathBuf> = entries
        .filter_map(Result::ok)
        .filter(|entry| entry.file_name().to_string_lossy().starts_with("python3"))
        .map(|entry| entry.path())
        .collect();
    pythons.sort();
    for packages in pythons.iter().flat_map(|python| [python.join("site-packages"), python.join("dist-packages")]) {
        let wheels = wanted.wheels().iter().map(|wheel| packages.join("nvidia").join(wheel).join("lib"));
        folders.extend(wheels.filter(|folder| folder.is_dir()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_said_with_where_and_what_to_do() {
        for (wanted, remedy) in [
            (Wanted::Nvrtc, "pip install nvidia-cuda-nvrtc-cu12"),
            (Wanted::CublasLt, "pip install nvidia-cublas-cu12"),
            (Wanted::Driver, "install NVIDIA's driver"),
        ] {
            let looked = Looked { names: vec!["liba.so.1".to_owned()], folders: vec![PathBuf::from("/somewhere")] };
            let text = LibraryError::Missing { wanted, looked }.to_string();
            assert!(text.contains("looked for liba.so.1 by the system's loader and in /somewhere"), "{text}");
            assert!(text.contains(remedy), "{text}");
        }
    }

    #[test]
    fn the_file_that_is_named_is_the_only_one_tried() {
        let named = Path::new("/nowhere/libnvrtc.so.12");
        let Err(error) = find_among(Wanted::Nvrtc, Some(named), &[]) else { panic!("nothing is there") };
        assert!(matches!(&error, LibraryError::Unusable { file, .. } if file == "/nowhere/libnvrtc.so.12"), "{error}");
    }

    #[test]
    fn what_is_no_library_is_unusable_and_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let name = Wanted::CublasLt.files()[0];
        std::fs::write(folder.path().join(name), b"not a library").expect("written");
        let found = find_among(Wanted::CublasLt, None, &[folder.path().to_owned()]);
        // Where the system has the library it is found before.
        if let Err(error) = found {
            assert!(error.to_string().contains(name), "{error}");
            assert!(matches!(error, LibraryError::Unusable { .. }), "{error}");
        }
    }

    #[test]
    fn wheels_are_found_below_every_python() {
        let lib = tempfile::tempdir().expect("a folder");
        let wheel = lib.path().join("python3.11/site-packages/nvidia/cuda_nvrtc/lib");
        std::fs::create_dir_all(&wheel).expect("folders");
        let mut folders = Vec::new();
        wheels_in(lib.path(), Wanted::Nvrtc, &mut folders);
        assert_eq!(folders, [wheel]);
    }
}
