//! Models from Hugging Face's hub, in the cache that Python's libraries use: what one has fetched the other finds.
//!
//! [`Hub::find`] turns what a person calls a model into a place and opens no connection. [`Hub::pull`] fetches one,
//! [`Hub::find_or_pull`] does whichever is needed. Everything blocks; whoever calls hears of the progress and may end it.

mod aliases;
mod bundle;
mod checksum;
mod error;
mod facts;
mod find;
mod http;
mod listing;
mod pull;
mod settings;
mod store;

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Duration;

use amanuensis::model::Source;
use amanuensis::model::hub::{Form, HubName};

pub use aliases::Aliases;
pub use error::{HubError, Tries};
pub use facts::{Remote, RemotePart};
pub use find::Named;
pub use pull::{Pulled, Wanted};
pub use settings::{Retries, Settings, Token};
pub use store::remove::Removal;
pub use store::scan::{StoredRepository, StoredSnapshot};
pub use store::verify::{Health, Verified};

/// What happens while models are fetched or looked at.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Event<'a> {
    /// It is known what will be fetched.
    Plan {
        /// The model.
        name: &'a HubName,
        /// The commit that its revision is at.
        commit: &'a str,
        /// The form of weights that was chosen.
        form: Form,
        /// The server.
        from: &'a str,
        /// How many files are not here.
        files: usize,
        /// How many bytes are to come.
        bytes: u64,
        /// The cache.
        into: &'a Path,
    },
    /// Some of it is done.
    Progress {
        /// The file that is at work.
        file: &'a str,
        /// Bytes that are done.
        done: u64,
        /// Bytes in all.
        total: u64,
    },
    /// Another process fetches the same file; this one waits for it. Comes many times a second.
    Busy {
        /// The file.
        file: &'a str,
    },
    /// Something failed and is tried again soon. Comes many times a second until then.
    Retry {
        /// What failed.
        reason: &'a str,
        /// How long until then.
        left: Duration,
    },
}

/// Whoever hears what happens, and may end it.
pub type Watch<'a> = dyn FnMut(Event<'_>) -> ControlFlow<()> + 'a;

/// The hub and the cache.
#[derive(Debug, Clone)]
pub struct Hub {
    settings: Settings,
}

impl Hub {
    /// A hub with these settings. Nothing is opened yet.
    pub fn new(settings: Settings) -> Self {
        Self { settings }
    }

    /// The settings.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// What a person means: the model in the program, a path, or a model of the hub. An alias is looked up first.
    ///
    /// # Errors
    /// [`HubError::NoName`] where it can be none of them.
    pub fn named(&self, text: &str) -> Result<Named, HubError> {
        find::named(&self.settings, text)
    }

    /// Finds a model that is here; none where it is one of the hub's and has to be fetched. Opens no connection.
    ///
    /// # Errors
    /// As [`Hub::named`].
    pub fn find(&self, text: &str) -> Result<Option<Source>, HubError> {
        Ok(find::here(&self.settings, &self.named(text)?).ok())
    }

    /// Finds a model, and fetches it if it is not here.
    ///
    /// # Errors
    /// [`HubError::Offline`] where it would have to be fetched and must not be; everything that fetching may meet.
    pub fn find_or_pull(&self, text: &str, watch: &mut Watch<'_>) -> Result<Source, HubError> {
        let named = self.named(text)?;
        let looked = match find::here(&self.settings, &named) {
            Ok(source) => return Ok(source),
            Err(looked) => looked,
        };
        match named {
            Named::Hub(name) if !self.settings.offline => {
                Ok(Source::Path(pull::pull(&self.settings, &name, &Wanted::default(), watch)?.path))
            }
            _ => Err(HubError::Offline { name: text.to_owned(), looked }),
        }
    }

    /// Fetches what is not here of a model, at the commit that its revision is at now.
    ///
    /// # Errors
    /// [`HubError::Offline`]; everything that fetching may meet.
    pub fn pull(&self, name: &HubName, wanted: &Wanted, watch: &mut Watch<'_>) -> Result<Pulled, HubError> {
        if self.settings.offline {
            let looked = "`pull` asks the hub".to_owned();
            return Err(HubError::Offline { name: name.to_string(), looked });
        }
        pull::pull(&self.settings, name, wanted, watch)
    }

    /// What the hub says of a model.
    ///
    /// # Errors
    /// [`HubError::Offline`]; everything that asking may meet.
    pub fn remote(&self, name: &HubName, watch: &mut Watch<'_>) -> Result<Remote, HubError> {
        if self.settings.offline {
            let looked = "the hub is not asked".to_owned();
            return Err(HubError::Offline { name: name.to_string(), looked });
        }
        facts::remote(&self.settings, name, watch)
    }

    /// What is in the cache.
    pub fn list(&self) -> Vec<StoredRepository> {
        store::scan::scan(&self.settings.cache)
    }

    /// Looks at every file of a model that is here, of one commit where the name gives a revision.
    ///
    /// # Errors
    /// [`HubError::NotHere`], [`HubError::Cancelled`]
    pub fn verify(&self, name: &HubName, whole: bool, watch: &mut Watch<'_>) -> Result<Vec<Verified>, HubError> {
        let repository = self.stored(name)?;
        let commit = (!whole).then(|| {
            amanuensis::model::hub::commit_named(&repository.folder, &name.revision)
                .unwrap_or_else(|| name.revision.clone())
        });
        if commit.as_ref().is_some_and(|commit| !repository.snapshot(commit).is_dir()) {
            return Err(self.not_here(name));
        }
        store::verify::verify(&repository, commit.as_deref(), watch)
    }

    /// Removes what [`Hub::verify`] found damaged, broken or half fetched; says what it removed.
    ///
    /// # Errors
    /// [`HubError::NotHere`], [`HubError::Disk`]
    pub fn clean(&self, name: &HubName, seen: &[Verified]) -> Result<Vec<PathBuf>, HubError> {
        store::verify::clean(&self.stored(name)?, seen)
    }

    /// What would go with a model: the whole repository, or with `part` only the revision or file of its name.
    ///
    /// # Errors
    /// [`HubError::NotHere`]
    pub fn removal(&self, name: &HubName, part: bool) -> Result<Removal, HubError> {
        let plan = store::remove::plan(&self.stored(name)?, name, part)?;
        plan.ok_or_else(|| self.not_here(name))
    }

    /// Copies a model that is here into a new folder of plain files; says which files, with their bytes.
    ///
    /// # Errors
    /// [`HubError::Occupied`], [`HubError::Space`], [`HubError::Disk`], [`HubError::NoModel`]
    pub fn bundle(
        &self,
        name: &str,
        model: &Path,
        folder: &Path,
        watch: &mut Watch<'_>,
    ) -> Result<Vec<(String, u64)>, HubError> {
        bundle::bundle(name, model, folder, watch)
    }

    /// A person's own names for models.
    ///
    /// # Errors
    /// [`HubError::Disk`]
    pub fn aliases(&self) -> Result<Aliases, HubError> {
        Aliases::read(self.settings.configuration.as_deref())
    }

    fn stored(&self, name: &HubName) -> Result<store::Repository, HubError> {
        let repository = store::Repository::in_cache(&self.settings.cache, &name.repository)?;
        if repository.folder.is_dir() { Ok(repository) } else { Err(self.not_here(name)) }
    }

    fn not_here(&self, name: &HubName) -> HubError {
        let cache = self.settings.cache.folder().map_or_else(String::new, |folder| folder.display().to_string());
        HubError::NotHere { name: name.to_string(), cache }
    }
}
