//! A model, from the hub into the cache.

mod file;

use std::fs;
use std::path::PathBuf;

use amanuensis::model::hub::{self, Choice, Form, HubName};

use crate::checksum::Checksum;
use crate::error::{HubError, disk};
use crate::http::Client;
use crate::listing::{LARGEST_FILE, Listing, describe};
use crate::settings::Settings;
use crate::store::{Repository, link, lock, space};
use crate::{Event, Watch};
use file::Transfer;

/// The largest file of settings that is fetched. The largest real one, a tokenizer.json, has 4 MB.
const LARGEST_SETTINGS: u64 = 64 << 20;

/// What is wanted of a repository beside what its name says.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Patterns that the weights' names fit, in place of the program's own choice.
    pub include: Vec<String>,
    /// Whether files that are here are fetched again.
    pub again: bool,
}

/// A model that was fetched.
#[derive(Debug, Clone)]
pub struct Pulled {
    /// The commit it is of.
    pub commit: String,
    /// The form of its weights.
    pub form: Form,
    /// Where it is: the folder of the snapshot, or the file that is the model.
    pub path: PathBuf,
    /// All its files.
    pub files: Vec<String>,
    /// Bytes that were fetched now.
    pub fetched: u64,
}

/// A file of the model with all that is known of it.
#[derive(Debug, Clone)]
struct Part {
    name: String,
    size: u64,
    checksum: Checksum,
}

/// Fetches what is not here.
pub(crate) fn pull(
    settings: &Settings,
    name: &HubName,
    wanted: &Wanted,
    watch: &mut Watch<'_>,
) -> Result<Pulled, HubError> {
    let client = Client::new(settings)?;
    let listing = Listing::fetch(&client, settings, &name.repository, &name.revision, watch)?;
    let choice = choose(&listing, name, wanted)?;
    let repository = Repository::in_cache(&settings.cache, &name.repository)?;
    repository.prepare()?;
    let mut pull = Pull {
        settings,
        client,
        repository,
        name,
        commit: &listing.commit,
        again: wanted.again,
        watch,
        done: 0,
        total: 0,
    };
    let weights = match &choice.index {
        // Which files hold the weights stands in a file that has to be fetched first.
        Some(index) => {
            let parts = pull.describe(&listing, [index.as_str()].into_iter())?;
            pull.limit(&parts, &[])?;
            pull.fetch_all(&parts)?;
            let path = pull.repository.snapshot(pull.commit).join(index);
            let content = fs::read(&path).map_err(disk(&path, "read it"))?;
            hub::shards(index, &content, &listing.names()).map_err(|reason| no_model(name, reason))?
        }
        None => choice.weights.clone(),
    };
    let files: Vec<String> = choice.settings.iter().chain(&choice.index).chain(&weights).cloned().collect();
    let parts = pull.describe(&listing, files.iter().map(String::as_str))?;
    pull.limit(&parts, &weights)?;
    let absent: Vec<&Part> = parts.iter().filter(|part| wanted.again || !pull.has(part)).collect();
    let bytes = absent.iter().map(|part| part.size - pull.come(part).min(part.size)).sum();
    let plan = Event::Plan {
        name,
        commit: &listing.commit,
        form: choice.form,
        from: &settings.endpoint,
        files: absent.len(),
        bytes,
        into: &pull.repository.cache,
    };
    if (pull.watch)(plan).is_break() {
        return Err(HubError::Cancelled);
    }
    space::require(&pull.repository.folder, bytes)?;
    (pull.done, pull.total) = (0, absent.iter().map(|part| part.size).sum());
    pull.fetch_all(&parts)?;
    let repository = pull.repository;
    // Last: whoever follows the reference finds the whole model.
    if !name.names_a_commit() {
        repository.refer(&name.revision, &listing.commit)?;
    }
    let snapshot = repository.snapshot(&listing.commit);
    let path = match (weights.as_slice(), choice.form) {
        ([only], Form::Ggml | Form::Gguf) => snapshot.join(only),
        ([only], _) if name.file.as_ref() == Some(only) => snapshot.join(only),
        _ => snapshot,
    };
    Ok(Pulled { commit: listing.commit.clone(), form: choice.form, path, files, fetched: bytes })
}

/// The files that are wanted of those there are.
pub(crate) fn choose(listing: &Listing, name: &HubName, wanted: &Wanted) -> Result<Choice, HubError> {
    let names = listing.names();
    let chosen = match &name.file {
        Some(file) => hub::choose_file(&names, file),
        None if wanted.include.is_empty() => hub::choose(&names),
        None => hub::choose_matching(&names, &wanted.include),
    };
    chosen.map_err(|reason| no_model(name, reason))
}

fn no_model(name: &HubName, reason: hub::NoChoice) -> HubError {
    let reason = match reason {
        // As it would be typed.
        hub::NoChoice::Several { files } => hub::NoChoice::Several {
            files: files.iter().map(|file| HubName { file: Some(file.clone()), ..name.clone() }.to_string()).collect(),
        },
        reason => reason,
    };
    HubError::NoModel { name: name.to_string(), reason }
}

/// What stays the same from file to file.
struct Pull<'a, 'w> {
    settings: &'a Settings,
    client: Client,
    repository: Repository,
    name: &'a HubName,
    commit: &'a str,
    again: bool,
    watch: &'a mut Watch<'w>,
    /// Bytes of the files that are being fetched, and how many of them are here.
    done: u64,
    total: u64,
}

impl Pull<'_, '_> {
    fn describe<'n>(&mut self, listing: &Listing, files: impl Iterator<Item = &'n str>) -> Result<Vec<Part>, HubError> {
        files
            .filter_map(|name| listing.file(name))
            .map(|file| {
                let (size, checksum) =
                    describe(&self.client, self.settings, &self.name.repository, self.commit, file, self.watch)?;
                Ok(Part { name: file.name.clone(), size, checksum })
            })
            .collect()
    }

    /// Refuses files that are larger than a model's: of settings, and of weights.
    fn limit(&self, parts: &[Part], weights: &[String]) -> Result<(), HubError> {
        parts.iter().try_for_each(|part| {
            let limit = if weights.contains(&part.name) { LARGEST_FILE } else { LARGEST_SETTINGS };
            if part.size <= limit {
                return Ok(());
            }
            let file = format!("{}:{}", self.name.repository, part.name);
            Err(HubError::TooLarge { file, size: part.size, limit })
        })
    }

    /// Whether the content of a file is here: as long as it must be; `verify` looks closer.
    fn has(&self, part: &Part) -> bool {
        self.has_blob(part) || self.is_copy(part)
    }

    /// Whether the snapshot has the file itself, as Python leaves it where there can be no links.
    fn is_copy(&self, part: &Part) -> bool {
        let path = self.repository.snapshot(self.commit).join(&part.name);
        path.symlink_metadata().is_ok_and(|file| file.is_file() && file.len() == part.size)
    }

    fn has_blob(&self, part: &Part) -> bool {
        self.repository.blob(&part.checksum).metadata().is_ok_and(|file| file.is_file() && file.len() == part.size)
    }

    /// How much has come of a file that is not whole.
    fn come(&self, part: &Part) -> u64 {
        self.repository.partial(&part.checksum).metadata().map_or(0, |file| file.len())
    }

    fn fetch_all(&mut self, parts: &[Part]) -> Result<(), HubError> {
        parts.iter().try_for_each(|part| {
            if !self.again && self.is_copy(part) {
                return Ok(());
            }
            if self.again || !self.has_blob(part) {
                self.fetch(part)?;
            }
            link::place(&self.repository, self.commit, &part.name, &part.checksum, self.settings.without_links)
        })
    }

    fn fetch(&mut self, part: &Part) -> Result<(), HubError> {
        let before = self.done;
        let (watch, name) = (&mut *self.watch, part.name.as_str());
        let _lock = lock::take(&self.repository.lock(part.checksum.digits()), || watch(Event::Busy { file: name }))?;
        // Another process may have fetched it in the meantime.
        if self.again || !self.has_blob(part) {
            let total = self.total;
            let come = |bytes: u64| (before + bytes, total);
            Transfer {
                client: &self.client,
                retries: self.settings.retries,
                repository: &self.repository,
                of: &self.name.repository,
                commit: self.commit,
                part,
            }
            .run(&mut |event| match event {
                Event::Progress { file, done, .. } => {
                    let (done, total) = come(done);
                    (self.watch)(Event::Progress { file, done, total })
                }
                event => (self.watch)(event),
            })?;
        }
        self.done = before + part.size;
        Ok(())
    }
}
