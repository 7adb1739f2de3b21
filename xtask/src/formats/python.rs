//! Other programs, through `benches/formats.py`, each in the first Python that has it.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use super::program::Texts;

const SCRIPT: &str = "benches/formats.py";

/// A format that can be made or a peer that can read, in one of the Pythons.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Offer {
    pub(super) name: String,
    does: String,
    /// The tool, in words.
    pub(super) how: String,
    pub(super) needs: String,
    /// Packages and their versions; nothing where no Python has what is needed.
    pub(super) with: Option<String>,
    #[serde(skip)]
    python: String,
}

/// A line of `make`.
#[derive(Debug, Deserialize)]
struct Answer {
    name: String,
    path: Option<PathBuf>,
    error: Option<String>,
}

/// All that can be had.
pub(super) struct Pythons {
    offers: Vec<Offer>,
}

impl Pythons {
    /// Asks each for what it has.
    pub(super) fn ask(pythons: &[String]) -> Result<Pythons> {
        let mut offers: Vec<Offer> = Vec::new();
        for python in pythons {
            for mut offer in answers::<Offer>(python, &["list"])? {
                offer.python.clone_from(python);
                match offers.iter_mut().find(|known| (&known.name, &known.does) == (&offer.name, &offer.does)) {
                    None => offers.push(offer),
                    Some(known) if known.with.is_none() => *known = offer,
                    Some(_) => {}
                }
            }
        }
        Ok(Pythons { offers })
    }

    /// The formats, in the order in which they need each other.
    pub(super) fn makers(&self) -> impl Iterator<Item = &Offer> {
        self.offers.iter().filter(|offer| offer.does == "make")
    }

    /// Where each format is, or why it could not be made.
    pub(super) fn make(&self, model: &Path, work: &Path, offers: &[&Offer]) -> Result<Vec<Result<PathBuf, String>>> {
        let mut made = BTreeMap::new();
        // Neighbours in the same Python are made in one go, for it takes seconds to start.
        for group in
            offers.chunk_by(|one, other| (one.with.is_some(), &one.python) == (other.with.is_some(), &other.python))
        {
            let Some(first) = group.first().filter(|first| first.with.is_some()) else { continue };
            let mut arguments = vec![OsStr::new("make"), model.as_os_str(), work.as_os_str()];
            arguments.extend(group.iter().map(|offer| OsStr::new(&offer.name)));
            for answer in answers::<Answer>(&first.python, &arguments)? {
                let place = match (answer.error, answer.path) {
                    (None, Some(path)) => Ok(path),
                    (error, _) => Err(error.unwrap_or_default()),
                };
                made.insert(answer.name, place);
            }
        }
        let missing = |offer: &Offer| Err(format!("no Python here has {}", offer.needs));
        Ok(offers.iter().map(|offer| made.remove(&offer.name).unwrap_or_else(|| missing(offer))).collect())
    }

    /// What a peer makes of the recordings, and the versions of its packages.
    pub(super) fn read(
        &self,
        peer: &str,
        place: &Path,
        model: &Path,
        recordings: &[PathBuf],
    ) -> Result<(String, Texts)> {
        let offer = self.offers.iter().find(|offer| offer.does == "read" && offer.name == peer);
        let offer = offer.with_context(|| format!("{SCRIPT} knows no {peer}"))?;
        let with = offer.with.clone().with_context(|| format!("no Python here has {}", offer.needs))?;
        let mut arguments = vec![OsStr::new("read"), OsStr::new(peer), place.as_os_str(), model.as_os_str()];
        arguments.extend(recordings.iter().map(|recording| recording.as_os_str()));
        let mut texts = Texts::default();
        for (recording, text) in answers::<BTreeMap<String, String>>(&offer.python, &arguments)?.into_iter().flatten() {
            texts.insert(&recording, &text);
        }
        Ok((with, texts))
    }
}

/// Runs the script; its lines.
fn answers<T: for<'a> Deserialize<'a>>(python: &str, arguments: &[impl AsRef<OsStr>]) -> Result<Vec<T>> {
    let output = Command::new(python)
        .arg(SCRIPT)
        .args(arguments)
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("{python} could not be started; --python names another"))?;
    if !output.status.success() {
        let verb = arguments.first().map(|verb| verb.as_ref().to_string_lossy().into_owned()).unwrap_or_default();
        bail!("{SCRIPT} {verb} failed in {python} ({})", output.status);
    }
    let lines = String::from_utf8(output.stdout).context("the script did not write text")?;
    lines.lines().map(|line| serde_json::from_str(line).with_context(|| format!("the script wrote {line}"))).collect()
}
