//! Where jobs are kept: a database, and the sounds as files beside it.
//!
//! What is said to be kept is on the disk: files are written through before the row that names them is committed, and a
//! commit is written through before anybody hears of it. Everything here waits for the disk, so it is called from threads
//! that may.

mod entries;
mod mail;
mod sounds;
mod upkeep;
mod work;

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use rusqlite::{Connection, ErrorCode};

pub(crate) use entries::{Added, Filter, NewJob};
pub(crate) use mail::Delivery;
pub(crate) use work::{Step, Taken};

use super::{Job, Status};
use crate::error::ApiError;

/// Which tables there are.
const VERSION: i64 = 2;

const SCHEMA: &str = "
CREATE TABLE jobs (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    client TEXT NOT NULL,
    status TEXT NOT NULL,
    name TEXT,
    model TEXT NOT NULL,
    fields TEXT NOT NULL,
    webhook_url TEXT,
    duration REAL NOT NULL,
    processed REAL NOT NULL DEFAULT 0,
    language TEXT,
    error TEXT,
    has_sound INTEGER NOT NULL DEFAULT 1,
    idempotency_key TEXT,
    digest TEXT NOT NULL,
    turn INTEGER NOT NULL DEFAULT 0,      -- when it was last begun, in the order in which jobs were
    deaths INTEGER NOT NULL DEFAULT 0,    -- how often the process died at work on it since it came further
    at_work INTEGER NOT NULL DEFAULT 0,   -- whether its sound is being decoded or heard
    created_at INTEGER NOT NULL,
    started_at INTEGER,
    finished_at INTEGER,
    UNIQUE (client, idempotency_key)
) STRICT;
CREATE INDEX jobs_by_status ON jobs (status, client, number);
CREATE INDEX jobs_by_client ON jobs (client, turn);
CREATE TABLE progress (
    job INTEGER PRIMARY KEY REFERENCES jobs ON DELETE CASCADE,
    saved TEXT NOT NULL
) STRICT;
CREATE TABLE segments (
    job INTEGER NOT NULL REFERENCES jobs ON DELETE CASCADE,
    number INTEGER NOT NULL,
    segment TEXT NOT NULL,
    PRIMARY KEY (job, number)
) STRICT, WITHOUT ROWID;
CREATE TABLE results (
    job INTEGER PRIMARY KEY REFERENCES jobs ON DELETE CASCADE,
    result TEXT NOT NULL
) STRICT;
CREATE TABLE deliveries (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    job INTEGER NOT NULL REFERENCES jobs ON DELETE CASCADE,
    message TEXT NOT NULL,
    url TEXT NOT NULL,
    body TEXT NOT NULL,
    tries INTEGER NOT NULL DEFAULT 0,
    due_at INTEGER NOT NULL
) STRICT;
CREATE INDEX deliveries_by_due ON deliveries (due_at);
PRAGMA user_version = 2;
";

/// What makes tables of version 1 tables of version 2.
const SINCE_1: &str = "
ALTER TABLE jobs ADD COLUMN at_work INTEGER NOT NULL DEFAULT 0;
PRAGMA user_version = 2;
";

/// Why something could not be kept, found or changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    #[error("{path:?}: {source}")]
    File { path: PathBuf, source: std::io::Error },
    #[error("the database of jobs: {0}")]
    Database(#[from] rusqlite::Error),
    #[error("the database of jobs holds what it cannot hold: {0}")]
    Content(#[from] serde_json::Error),
    #[error(
        "the database of jobs in {folder:?} is of version {found}, this program knows version {VERSION}; use the newer \
         program, or another folder"
    )]
    Newer { folder: PathBuf, found: i64 },
    #[error("{folder:?} is in use by another server")]
    InUse { folder: PathBuf },
    #[error("there is no job {id:?}")]
    Unknown { id: String },
    #[error("a job with this idempotency key is there, and it is of another file or other options")]
    OtherRequest,
    #[error("{queued:.0} seconds of sound are waiting to be heard, {most:.0} are taken at most")]
    Full { queued: f64, most: f64 },
    #[error("the job is over: it has {}", .0.name())]
    Over(Status),
    #[error("the job is not over: it is {}; cancel it first", .0.name())]
    NotOver(Status),
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        let message = error.to_string();
        match error {
            StoreError::Unknown { .. } => ApiError::not_found("not_found", message),
            StoreError::OtherRequest => ApiError::conflict("idempotency_conflict", message),
            // Nothing faster than real time is promised before anything was measured; who knows more says so.
            StoreError::Full { queued, .. } => {
                ApiError::too_many("queue_full", queued.clamp(1.0, 86_400.0) as u64, message)
            }
            StoreError::Over(_) => ApiError::conflict("job_is_over", message),
            StoreError::NotOver(_) => ApiError::conflict("job_is_not_over", message),
            StoreError::File { .. } | StoreError::Database(_) | StoreError::Content(_) => {
                tracing::error!(%error, "jobs cannot be kept or read");
                ApiError::fault("the job could not be kept or read: the server's disk may be full; its log says more")
            }
            StoreError::Newer { .. } | StoreError::InUse { .. } => ApiError::fault(message),
        }
    }
}

/// How much is kept, and how long.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Keeping {
    /// Most seconds of sound of jobs that are not over.
    pub(crate) seconds: f64,
    /// Seconds that the sound of a job is kept that is over.
    pub(crate) sound: u64,
    /// Seconds that its result is kept.
    pub(crate) result: u64,
}

/// What tells the time, in seconds since 1970.
type Clock = Box<dyn Fn() -> i64 + Send + Sync>;

/// The jobs of a folder.
pub(crate) struct Store {
    folder: PathBuf,
    keeping: Keeping,
    connection: Mutex<Connection>,
    clock: Clock,
    /// When it was opened, by the clock; earlier once the clock was set back.
    opened: AtomicI64,
    /// Held as long as the folder is used.
    _lock: File,
}

impl Store {
    /// Opens the jobs in `folder`, which is made if it is not there. Those that were running when the process died wait again.
    pub(crate) fn open(folder: &Path, keeping: Keeping) -> Result<Self, StoreError> {
        let now = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs() as i64;
        Self::open_by(folder, keeping, Box::new(now))
    }

    fn open_by(folder: &Path, keeping: Keeping, clock: Clock) -> Result<Self, StoreError> {
        sounds::make_folder(folder)?;
        let lock = lock(folder)?;
        let uploads = sounds::folder(folder);
        sounds::make_folder(&uploads)?;
        let connection = match open_database(folder) {
            Err(Trouble::Other(error)) => return Err(error),
            Err(Trouble::Damaged(reason)) => {
                let aside = move_aside(folder, clock())?;
                tracing::error!(
                    reason,
                    kept = %aside.display(),
                    "THE DATABASE OF JOBS IS DAMAGED: it was moved aside with the sounds, and jobs begin anew without it"
                );
                sounds::make_folder(&uploads)?;
                match open_database(folder) {
                    Ok(connection) => connection,
                    Err(Trouble::Other(error)) => return Err(error),
                    Err(Trouble::Damaged(reason)) => {
                        let source = std::io::Error::other(format!("a new database is damaged: {reason}"));
                        return Err(StoreError::File { path: folder.to_owned(), source });
                    }
                }
            }
            Ok(connection) => connection,
        };
        let folder = folder.to_owned();
        let (connection, opened) = (Mutex::new(connection), AtomicI64::new(clock()));
        let store = Store { folder, keeping, connection, clock, opened, _lock: lock };
        store.recover()?;
        Ok(store)
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        // A transaction that a panic left is rolled back when it is dropped, so nothing half done is behind the lock.
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> i64 {
        (self.clock)()
    }

    /// Seconds since it was opened; from anew where the clock was set back behind that.
    fn age(&self) -> i64 {
        let now = self.now();
        now - self.opened.fetch_min(now, Ordering::Relaxed).min(now)
    }
}

fn at(path: &Path) -> impl FnOnce(std::io::Error) -> StoreError {
    let path = path.to_owned();
    |source| StoreError::File { path, source }
}

/// Two servers in one folder would run every job twice.
fn lock(folder: &Path) -> Result<File, StoreError> {
    let path = folder.join("lock");
    let file = File::options().create(true).truncate(false).write(true).open(&path).map_err(at(&path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::InUse { folder: folder.to_owned() }),
        Err(TryLockError::Error(source)) => Err(StoreError::File { path, source }),
    }
}

/// Why a database cannot be used.
enum Trouble {
    /// What is in it cannot be trusted.
    Damaged(String),
    Other(StoreError),
}

impl From<rusqlite::Error> for Trouble {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Trouble::Damaged(error.to_string()),
            _ => Trouble::Other(error.into()),
        }
    }
}

const DATABASE: &str = "jobs.db";

fn open_database(folder: &Path) -> Result<Connection, Trouble> {
    let path = folder.join(DATABASE);
    // Made here, so that nobody else may read it; SQLite gives its other files the same rights.
    sounds::touch(&path).map_err(Trouble::Other)?;
    let connection = Connection::open(&path)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    // What is deleted is somebody's speech.
    connection.pragma_update(None, "secure_delete", true)?;
    let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if version > VERSION {
        return Err(Trouble::Other(StoreError::Newer { folder: folder.to_owned(), found: version }));
    }
    let found: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if found != "ok" {
        return Err(Trouble::Damaged(found));
    }
    if version == 0 {
        let has_sounds = sounds::folder(folder).read_dir().is_ok_and(|mut files| files.next().is_some());
        if has_sounds {
            return Err(Trouble::Damaged("it is empty, but there are sounds of jobs".to_owned()));
        }
        connection.execute_batch(&format!("BEGIN; {SCHEMA} COMMIT;"))?;
    }
    if version == 1 {
        connection.execute_batch(&format!("BEGIN; {SINCE_1} COMMIT;"))?;
    }
    // A database of that version without these tables is not ours.
    connection
        .prepare("SELECT at_work, turn FROM jobs JOIN progress JOIN segments JOIN results JOIN deliveries")
        .map_err(|error| match Trouble::from(error) {
            Trouble::Other(StoreError::Database(error)) => Trouble::Damaged(error.to_string()),
            trouble => trouble,
        })?;
    Ok(connection)
}

/// Moves the database and the sounds into a folder beside them.
fn move_aside(folder: &Path, now: i64) -> Result<PathBuf, StoreError> {
    let mut aside = folder.join(format!("damaged-{now}"));
    let mut count = 0;
    while aside.exists() {
        count += 1;
        aside = folder.join(format!("damaged-{now}-{count}"));
    }
    sounds::make_folder(&aside)?;
    for name in [DATABASE.to_owned(), format!("{DATABASE}-wal"), format!("{DATABASE}-shm"), sounds::FOLDER.to_owned()] {
        let from = folder.join(&name);
        match std::fs::rename(&from, aside.join(&name)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(at(&from)(error)),
            _ => {}
        }
    }
    sounds::sync_folder(folder)?;
    Ok(aside)
}

#[cfg(test)]
mod tests;
