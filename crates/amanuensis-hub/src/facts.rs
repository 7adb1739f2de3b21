//! What the hub says of a model, without fetching it.

use amanuensis::model::hub::{Form, HubName};
use serde::Serialize;

use crate::Watch;
use crate::error::HubError;
use crate::http::Client;
use crate::listing::Listing;
use crate::pull::{Wanted, choose};
use crate::settings::Settings;

/// A model on the hub.
#[derive(Debug, Clone, Serialize)]
pub struct Remote {
    /// The server.
    pub endpoint: String,
    /// The commit that the revision is at.
    pub commit: String,
    /// When it was last changed.
    pub modified: Option<String>,
    /// Its licence.
    pub license: Option<String>,
    /// Whether its terms have to be accepted.
    pub gated: bool,
    /// Whether only its owners see it.
    pub private: bool,
    /// How often it was fetched in the last month.
    pub downloads: Option<u64>,
    /// The form of weights that would be fetched.
    pub form: Option<Form>,
    /// The files that would be fetched. Parts of weights by an index are those that look like parts.
    pub files: Vec<RemotePart>,
    /// Bytes of all of them, where the hub says them.
    pub bytes: Option<u64>,
    /// Why it cannot be used, if so.
    pub unusable: Option<String>,
}

/// A file on the hub.
#[derive(Debug, Clone, Serialize)]
pub struct RemotePart {
    /// The name.
    pub name: String,
    /// Bytes, where the hub says them.
    pub bytes: Option<u64>,
}

pub(crate) fn remote(settings: &Settings, name: &HubName, watch: &mut Watch<'_>) -> Result<Remote, HubError> {
    let client = Client::new(settings)?;
    let listing = Listing::fetch(&client, settings, &name.repository, &name.revision, watch)?;
    let (form, names, unusable) = match choose(&listing, name, &Wanted::default()) {
        Ok(choice) => (Some(choice.form), choice.files().map(str::to_owned).collect(), None),
        Err(error) => (None, Vec::new(), Some(error.to_string())),
    };
    let files: Vec<RemotePart> = names
        .into_iter()
        .map(|name| RemotePart { bytes: listing.file(&name).and_then(|file| file.size), name })
        .collect();
    let bytes = if files.is_empty() { None } else { files.iter().map(|file| file.bytes).sum() };
    let facts = listing.facts;
    Ok(Remote {
        endpoint: client.endpoint(),
        commit: listing.commit,
        modified: facts.modified,
        license: facts.license,
        gated: facts.gated,
        private: facts.private,
        downloads: facts.downloads,
        form,
        files,
        bytes,
        unusable,
    })
}
