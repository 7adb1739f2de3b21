//! The kit: everything that a report is made with, in one folder that needs neither Rust nor a network.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};
use serde::{Deserialize, Serialize};

/// What a kit was made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Manifest {
    /// The commit, with `-dirty` where files were changed.
    pub(super) commit: String,
    /// What the program says it is.
    pub(super) version: String,
    /// Whether the program is one for debugging, whose times say little.
    pub(super) debug: bool,
}

/// A kit that is there, with its programs unpacked.
#[derive(Debug, Clone)]
pub(super) struct Kit {
    folder: PathBuf,
    programs: PathBuf,
    pub(super) manifest: Manifest,
}

/// The recordings that are transcribed.
pub(super) const SAMPLES: [&str; 4] = ["english.wav", "english-numbers.wav", "german.wav", "two-voices.wav"];

/// Where things lie in a kit.
pub(super) mod place {
    pub(in super::super) const MANIFEST: &str = "kit.json";
    /// Packed, as are the tests: together they would be larger than what is easily carried.
    pub(in super::super) const PROGRAM: &str = "amanuensis";
    pub(in super::super) const TESTS: &str = "cuda-tests";
    /// As it is, for it unpacks the others.
    pub(in super::super) const XTASK: &str = "xtask";
    pub(in super::super) const PEERS: &str = "peers.py";
    pub(in super::super) const SAMPLES: &str = "samples";
}

/// The most bytes that a program is unpacked to.
const LARGEST: usize = 1 << 30;
/// How hard is tried when packing; more takes several times as long for a hundredth.
const LEVEL: u8 = 6;

impl Kit {
    /// Opens a kit, and unpacks its programs into a folder for them.
    pub(super) fn open(folder: &Path, programs: &Path) -> Result<Kit> {
        let folder = folder.canonicalize().with_context(|| format!("there is no kit in {}", folder.display()))?;
        let path = folder.join(place::MANIFEST);
        let text = fs::read_to_string(&path).with_context(|| {
            format!("{} is no kit: {} cannot be read; `gpu-report pack` makes one", folder.display(), path.display())
        })?;
        let manifest = serde_json::from_str(&text).with_context(|| format!("{} is damaged", path.display()))?;
        fs::create_dir_all(programs).with_context(|| format!("cannot make {}", programs.display()))?;
        let programs = programs.canonicalize().with_context(|| format!("{} is not there", programs.display()))?;
        for name in [place::PROGRAM, place::TESTS] {
            unpack(&folder.join(packed(name)), &programs.join(name))?;
        }
        Ok(Kit { folder, programs, manifest })
    }

    /// Something of the kit.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// A program of the kit, unpacked.
    pub(super) fn program(&self, name: &str) -> PathBuf {
        self.programs.join(name)
    }

    pub(super) fn samples(&self) -> Vec<PathBuf> {
        SAMPLES.iter().map(|name| self.path(place::SAMPLES).join(name)).collect()
    }
}

/// The name of a program in a kit.
pub(super) fn packed(name: &str) -> String {
    format!("{name}.zlib")
}

/// Packs a program.
pub(super) fn pack(program: &Path, into: &Path) -> Result<()> {
    let bytes = fs::read(program).with_context(|| format!("cannot read {}", program.display()))?;
    let bytes = miniz_oxide::deflate::compress_to_vec_zlib(&bytes, LEVEL);
    fs::write(into, bytes).with_context(|| format!("cannot write {}", into.display()))
}

/// Unpacks a program, and marks it as one.
fn unpack(path: &Path, into: &Path) -> Result<()> {
    let bytes = fs::read(path).with_context(|| {
        format!("{} cannot be read, so the kit is not whole; `gpu-report pack` makes a whole one", path.display())
    })?;
    let bytes = miniz_oxide::inflate::decompress_to_vec_zlib_with_limit(&bytes, LARGEST)
        .map_err(|error| anyhow!("{} is damaged ({:?}); carry the kit over again", path.display(), error.status))?;
    fs::write(into, bytes)
        .and_then(|()| fs::set_permissions(into, fs::Permissions::from_mode(0o755)))
        .with_context(|| format!("cannot write {}", into.display()))
}

/// Bytes of all files in a folder and below.
pub(super) fn size(folder: &Path) -> Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let entry = entry?;
        let found = entry.metadata()?;
        bytes += if found.is_dir() { size(&entry.path())? } else { found.len() };
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn a_kit_is_whole_and_its_programs_can_be_run() {
        let folder = tempfile::tempdir().unwrap();
        let programs = folder.path().join("unpacked");
        let open = || Kit::open(folder.path(), &programs);
        let error = || format!("{:#}", open().err().unwrap());
        assert!(error().contains("gpu-report pack"));
        let manifest = Manifest { commit: "abc".to_owned(), version: "amanuensis 0".to_owned(), debug: true };
        fs::write(folder.path().join(place::MANIFEST), serde_json::to_string(&manifest).unwrap()).unwrap();
        let script = folder.path().join("script");
        fs::write(&script, format!("#!/bin/sh\necho it runs\n{}", "#".repeat(10_000))).unwrap();
        pack(&script, &folder.path().join(packed(place::PROGRAM))).unwrap();
        assert!(error().contains("cuda-tests.zlib cannot be read"));
        let tests = folder.path().join(packed(place::TESTS));
        fs::write(&tests, "not packed").unwrap();
        assert!(error().contains("cuda-tests.zlib is damaged"));
        pack(&script, &tests).unwrap();
        assert!(fs::metadata(&tests).unwrap().len() < 200);
        let kit = open().unwrap();
        assert_eq!(kit.manifest, manifest);
        let said = Command::new(kit.program(place::PROGRAM)).output().unwrap();
        assert_eq!(said.stdout, b"it runs\n");
    }

    #[test]
    fn a_folder_is_as_large_as_all_that_is_in_it() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("one"), "12345").unwrap();
        fs::create_dir(folder.path().join("below")).unwrap();
        fs::write(folder.path().join("below/more"), "123").unwrap();
        assert_eq!(size(folder.path()).unwrap(), 8);
    }
}
