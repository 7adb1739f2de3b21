use std::io;
use std::path::{Path, PathBuf};

use amanuensis::model::ModelError;
use amanuensis::model::hub::NoChoice;

/// Why a model cannot be fetched, found or looked after: what is wrong, where, and what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HubError {
    /// The name is none.
    #[error("no model {name:?}: {advice}")]
    NoName {
        /// What was asked for.
        name: String,
        /// The names there are.
        advice: String,
    },
    /// It is not here and nothing may be fetched.
    #[error(
        "{name} is not here ({looked}), and nothing is fetched while offline; leave out --offline and HF_HUB_OFFLINE, or bring it along with `amanuensis models bundle`"
    )]
    Offline {
        /// The model.
        name: String,
        /// Where it was looked for, and what was found instead.
        looked: String,
    },
    /// It is not in the cache.
    #[error(
        "{name} is not in the cache {cache}; `amanuensis models list` says what is, `amanuensis models pull {name}` fetches it"
    )]
    NotHere {
        /// The model.
        name: String,
        /// The cache.
        cache: String,
    },
    /// There is no place for a cache or for settings.
    #[error("there is no home folder to put {what} into; set {variable}")]
    NoPlace {
        /// What has no place.
        what: &'static str,
        /// The variable that names one.
        variable: &'static str,
    },
    /// The server has no such repository, or does not tell strangers.
    #[error("{repository} is not on {endpoint}, or is private{}", token_advice(*.had_token))]
    NoRepository {
        /// The repository.
        repository: String,
        /// The server.
        endpoint: String,
        /// Whether a token was sent.
        had_token: bool,
    },
    /// The repository is for those who accepted its terms.
    #[error("{repository} is gated: accept its terms on {endpoint}/{repository}{}", token_advice(*.had_token))]
    Gated {
        /// The repository.
        repository: String,
        /// The server.
        endpoint: String,
        /// Whether a token was sent.
        had_token: bool,
    },
    /// The server does not accept who asks.
    #[error("{endpoint} refuses {repository} ({status}{}){}", said(.message), token_advice(*.had_token))]
    Refused {
        /// The repository.
        repository: String,
        /// The server.
        endpoint: String,
        /// 401 or 403.
        status: u16,
        /// What the server says.
        message: String,
        /// Whether a token was sent.
        had_token: bool,
    },
    /// There is no such branch, tag or commit.
    #[error("{repository} has no revision {revision:?}; see {endpoint}/{repository}/commits/main for those it has")]
    NoRevision {
        /// The repository.
        repository: String,
        /// The revision.
        revision: String,
        /// The server.
        endpoint: String,
    },
    /// No files of it make a model.
    #[error("{name}: {reason}")]
    NoModel {
        /// The model.
        name: String,
        /// What is missing, or which of several is meant.
        reason: NoChoice,
    },
    /// What the server says cannot be right.
    #[error(
        "{url}: {reason}; the server is not Hugging Face's hub or a mirror of it, or something between changes its answers (HF_ENDPOINT and the proxy variables say where requests go)"
    )]
    Answer {
        /// What was asked.
        url: String,
        /// What is wrong.
        reason: String,
    },
    /// A name in the list of files leads somewhere else.
    #[error("{repository}: its list of files names {name:?}, {reason}; nothing is fetched of it")]
    FileName {
        /// The repository.
        repository: String,
        /// The name.
        name: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A file is larger than any that is fetched.
    #[error("{file}: {size} bytes, more than the limit of {limit} for it; it is not a Whisper model's")]
    TooLarge {
        /// The file.
        file: String,
        /// Its size in bytes.
        size: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// The server answers with an error.
    #[error("{url}: the server answers {status}{}{after}", said(.message))]
    Status {
        /// What was asked.
        url: String,
        /// The status.
        status: u16,
        /// What the server says.
        message: String,
        /// How often it was tried.
        after: Tries,
    },
    /// The server cannot be reached, or the connection breaks.
    #[error("{url}: {reason}{after}; what was fetched so far is kept, and the same command goes on from there")]
    Connection {
        /// What was asked.
        url: String,
        /// What happened.
        reason: String,
        /// How often it was tried.
        after: Tries,
    },
    /// The server cannot prove who it is.
    #[error("{url}: {reason}; if a proxy of yours opens connections, name its certificates in SSL_CERT_FILE")]
    Certificate {
        /// What was asked.
        url: String,
        /// What is wrong.
        reason: String,
    },
    /// The address is not encrypted.
    #[error("{url}: models are fetched over https only; HF_ENDPOINT may name an http server, which is then trusted")]
    NotEncrypted {
        /// The address.
        url: String,
    },
    /// What came is not what the hub says the file is.
    #[error(
        "{file}: what {host} sent has the {kind} {found}, the hub says {expected}; it was removed and nothing of the model is used; try again, and if it stays so something between here and there changes files"
    )]
    Checksum {
        /// The file.
        file: String,
        /// Who sent it.
        host: String,
        /// Kind of the checksum.
        kind: &'static str,
        /// As the hub says.
        expected: String,
        /// As it is.
        found: String,
    },
    /// There is no room for it.
    #[error("{}: {needed} bytes are needed and {available} are free; make room (`amanuensis models rm`), or set HF_HOME to a folder on another disk", .folder.display())]
    Space {
        /// The folder.
        folder: PathBuf,
        /// Bytes that will be written.
        needed: u64,
        /// Bytes that are free.
        available: u64,
    },
    /// Another process has it.
    #[error("{name} is being fetched by another process; wait until it is done")]
    InUse {
        /// The model.
        name: String,
    },
    /// An alias cannot be so.
    #[error("alias {name:?}: {reason}")]
    Alias {
        /// The alias.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The folder for a bundle has something in it.
    #[error("{}: there is something in it already; give a new folder", .0.display())]
    Occupied(PathBuf),
    /// The operating system refuses.
    #[error("{}: cannot {doing}: {reason}", .path.display())]
    Disk {
        /// The file or folder.
        path: PathBuf,
        /// What was tried.
        doing: &'static str,
        /// The system's reason.
        reason: io::Error,
    },
    /// A model that is here cannot be used.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// Whoever asked does not want it any more.
    #[error("stopped; what was fetched so far is kept, and the same command goes on from there")]
    Cancelled,
}

/// How often something was tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tries(pub u32);

impl std::fmt::Display for Tries {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            0 | 1 => Ok(()),
            tries => write!(formatter, " (tried {tries} times)"),
        }
    }
}

fn token_advice(had_token: bool) -> &'static str {
    if had_token {
        "; a token was sent, and its account has no access: look at it with `hf auth whoami`"
    } else {
        "; if it is yours to use, make a token on the server and set HF_TOKEN, or run `hf auth login`"
    }
}

fn said(message: &str) -> String {
    if message.is_empty() { String::new() } else { format!(": {message}") }
}

/// Turns what the system says about a path into an error.
pub(crate) fn disk<'a>(path: &'a Path, doing: &'static str) -> impl Fn(io::Error) -> HubError + 'a {
    move |reason| HubError::Disk { path: path.to_owned(), doing, reason }
}
