//! Jobs as their clients see them: added, looked for, cancelled, forgotten.

use std::fs::File;

use rusqlite::{Connection, OptionalExtension, Row, params};
use sha2::{Digest, Sha256};

use super::{Job, Keeping, Status, Store, StoreError, at, mail, sounds};
use crate::jobs::codes::hexadecimal;

/// A job that is to be kept.
pub(crate) struct NewJob<'a> {
    pub(crate) client: &'a str,
    pub(crate) sound: &'a File,
    /// What the client calls the file.
    pub(crate) name: Option<&'a str>,
    pub(crate) model: &'a str,
    pub(crate) fields: &'a [(String, String)],
    pub(crate) webhook_url: Option<&'a str>,
    /// Seconds of sound.
    pub(crate) duration: f64,
    /// What the client calls the request, so that it can be sent twice.
    pub(crate) idempotency_key: Option<&'a str>,
}

/// What became of one that was to be kept.
#[derive(Debug, PartialEq)]
pub(crate) enum Added {
    New(Job),
    /// The same request came before; this is what became of it.
    Known(Job),
}

/// Which jobs are wanted.
#[derive(Debug, Default)]
pub(crate) struct Filter<'a> {
    /// Whose; everybody's if not given.
    pub(crate) client: Option<&'a str>,
    pub(crate) status: Option<Status>,
    /// Those that came before this one.
    pub(crate) after: Option<&'a str>,
    pub(crate) limit: usize,
}

/// A page of jobs.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) jobs: Vec<Job>,
    pub(crate) has_more: bool,
}

pub(super) const COLUMNS: &str = "number, id, client, status, name, model, fields, webhook_url, duration, processed, \
    language, error, has_sound, created_at, started_at, finished_at";

/// A row of [`COLUMNS`]. What does not read is a fault of the database's, as SQLite would tell it.
pub(super) fn job(row: &Row<'_>, keeping: &Keeping) -> rusqlite::Result<Job> {
    let wrong = |column: usize, error: Box<dyn std::error::Error + Send + Sync>| {
        rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, error)
    };
    let (status, fields): (String, String) = (row.get(3)?, row.get(6)?);
    let error: Option<String> = row.get(11)?;
    let error = error.map(|error| serde_json::from_str(&error)).transpose().map_err(|error| wrong(11, error.into()))?;
    let finished_at: Option<i64> = row.get(15)?;
    Ok(Job {
        number: row.get(0)?,
        id: row.get(1)?,
        client: row.get(2)?,
        status: Status::named(&status).ok_or_else(|| wrong(3, format!("no status {status:?}").into()))?,
        name: row.get(4)?,
        model: row.get(5)?,
        fields: serde_json::from_str(&fields).map_err(|error| wrong(6, error.into()))?,
        webhook_url: row.get(7)?,
        duration: row.get(8)?,
        processed: row.get(9)?,
        language: row.get(10)?,
        error,
        has_sound: row.get(12)?,
        created_at: row.get(13)?,
        started_at: row.get(14)?,
        finished_at,
        expires_at: finished_at.map(|at| at.saturating_add_unsigned(keeping.result)),
    })
}

impl Store {
    /// Keeps a job. When this returns, it is on the disk.
    pub(crate) fn add(&self, new: &NewJob<'_>) -> Result<Added, StoreError> {
        // Before a gigabyte is copied for nothing.
        let known = self.known(&self.connection(), new)?;
        if known.is_none() {
            self.has_room(&self.connection(), new.duration)?;
        }
        let mut digest = Sha256::new();
        if let Some((job, before)) = known {
            sounds::read(new.sound, |bytes| {
                digest.update(bytes);
                Ok(())
            })
            .map_err(at(&self.folder))?;
            return if digest_of(digest, new)? == before {
                Ok(Added::Known(job))
            } else {
                Err(StoreError::OtherRequest)
            };
        }
        let random = |row: &Row<'_>| row.get::<_, String>(0);
        let id = self.connection().query_row("SELECT lower(hex(randomblob(12)))", [], random)?;
        let id = format!("job_{id}");
        sounds::keep(&self.folder, &id, new.sound, &mut digest)?;
        let added = digest_of(digest, new).and_then(|digest| self.insert(&id, &digest, new));
        // Where it is not certain what became of the row, the file stays until the next start knows.
        let is_not_in = matches!(added, Ok(Added::Known(_)) | Err(StoreError::OtherRequest | StoreError::Full { .. }));
        if is_not_in || (added.is_err() && matches!(self.get(None, &id), Err(StoreError::Unknown { .. }))) {
            sounds::forget(&self.folder, &id);
        }
        added
    }

    fn insert(&self, id: &str, digest: &str, new: &NewJob<'_>) -> Result<Added, StoreError> {
        let mut connection = self.connection();
        let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        if let Some((job, before)) = self.known(&transaction, new)? {
            return if before == digest { Ok(Added::Known(job)) } else { Err(StoreError::OtherRequest) };
        }
        self.has_room(&transaction, new.duration)?;
        transaction.prepare_cached(
            "INSERT INTO jobs (id, client, status, name, model, fields, webhook_url, duration, idempotency_key, digest, created_at)
             VALUES (?1, ?2, 'queued', ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        )?
        .execute(params![
            id,
            new.client,
            new.name,
            new.model,
            serde_json::to_string(new.fields)?,
            new.webhook_url,
            new.duration,
            new.idempotency_key,
            digest,
            self.now(),
        ])?;
        let job = self.one(&transaction, None, id)?;
        transaction.commit()?;
        Ok(Added::New(job))
    }

    /// The job that came with the same idempotency key, and what it was of.
    fn known(&self, connection: &Connection, new: &NewJob<'_>) -> Result<Option<(Job, String)>, StoreError> {
        let Some(key) = new.idempotency_key else { return Ok(None) };
        let sql = format!("SELECT {COLUMNS}, digest FROM jobs WHERE client = ?1 AND idempotency_key = ?2");
        let known = connection
            .prepare_cached(&sql)?
            .query_row(params![new.client, key], |row| Ok((job(row, &self.keeping)?, row.get(16)?)))
            .optional()?;
        Ok(known)
    }

    fn has_room(&self, connection: &Connection, duration: f64) -> Result<(), StoreError> {
        let sql = "SELECT total(duration) FROM jobs WHERE status IN ('queued', 'running')";
        let queued: f64 = connection.prepare_cached(sql)?.query_row([], |row| row.get(0))?;
        let most = self.keeping.seconds;
        if queued + duration > most { Err(StoreError::Full { queued, most }) } else { Ok(()) }
    }

    pub(super) fn one(&self, connection: &Connection, client: Option<&str>, id: &str) -> Result<Job, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM jobs WHERE id = ?1 AND (?2 IS NULL OR client = ?2)");
        let found = connection
            .prepare_cached(&sql)?
            .query_row(params![id, client], |row| job(row, &self.keeping))
            .optional()?;
        // Somebody else's job is answered as one that is not there.
        found.ok_or_else(|| StoreError::Unknown { id: id.to_owned() })
    }

    /// A job of this client, or of anybody.
    pub(crate) fn get(&self, client: Option<&str>, id: &str) -> Result<Job, StoreError> {
        self.one(&self.connection(), client, id)
    }

    /// A page of jobs, the newest first.
    pub(crate) fn list(&self, filter: &Filter<'_>) -> Result<Found, StoreError> {
        let connection = self.connection();
        let before = match filter.after {
            Some(id) => self.one(&connection, filter.client, id)?.number,
            None => i64::MAX,
        };
        let sql = format!(
            "SELECT {COLUMNS} FROM jobs WHERE number < ?1 AND (?2 IS NULL OR client = ?2) AND (?3 IS NULL OR status = ?3)
             ORDER BY number DESC LIMIT ?4"
        );
        let limit = i64::try_from(filter.limit).unwrap_or(i64::MAX - 1);
        let mut statement = connection.prepare_cached(&sql)?;
        let status = filter.status.map(Status::name);
        let rows =
            statement.query_map(params![before, filter.client, status, limit + 1], |row| job(row, &self.keeping))?;
        let mut jobs = rows.collect::<rusqlite::Result<Vec<Job>>>()?;
        let has_more = jobs.len() > filter.limit;
        jobs.truncate(filter.limit);
        Ok(Found { jobs, has_more })
    }

    /// Ends a job that is not over.
    pub(crate) fn cancel(&self, client: Option<&str>, id: &str) -> Result<Job, StoreError> {
        let mut connection = self.connection();
        let transaction = connection.transaction()?;
        let job = self.one(&transaction, client, id)?;
        if job.status.is_over() {
            return Err(StoreError::Over(job.status));
        }
        self.end(&transaction, job.number, Status::Cancelled)?;
        let job = self.one(&transaction, client, id)?;
        mail::post(&transaction, &job, self.now())?;
        transaction.commit()?;
        Ok(job)
    }

    /// Forgets a job that is over, with everything that belongs to it.
    pub(crate) fn delete(&self, client: Option<&str>, id: &str) -> Result<(), StoreError> {
        let connection = self.connection();
        let job = self.one(&connection, client, id)?;
        if !job.status.is_over() {
            return Err(StoreError::NotOver(job.status));
        }
        connection.execute("DELETE FROM jobs WHERE number = ?1", [job.number])?;
        sounds::forget(&self.folder, id);
        Ok(())
    }

    /// The sound of a job, if it is still there.
    pub(crate) fn sound(&self, job: &Job) -> Result<Option<File>, StoreError> {
        let path = sounds::path(&self.folder, &job.id);
        match File::open(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            opened => opened.map(Some).map_err(at(&path)),
        }
    }
}

/// What a request is recognised by: its sound and everything that was asked of it.
fn digest_of(sound: Sha256, new: &NewJob<'_>) -> Result<String, StoreError> {
    // The sound's own bytes cannot be mistaken for what follows them.
    let mut whole = Sha256::new();
    whole.update(sound.finalize());
    whole.update(serde_json::to_vec(&(new.model, new.fields, new.webhook_url))?);
    Ok(hexadecimal(&whole.finalize()))
}
