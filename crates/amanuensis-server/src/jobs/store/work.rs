//! Jobs as they are worked on: taken, brought forward, ended.

use amanuensis::{Saved, Segment};
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde_json::Value;

use super::{Job, Status, Store, StoreError, entries, mail, sounds};

/// So often the process may die while it works on a job, and the job goes on as before: it was somebody else's doing.
const DEATHS_BY_CHANCE: i64 = 5;
/// A job that is alone and rested, and during which the process has died so often, is not tried again.
const MOST_DEATHS: i64 = 10;
/// Seconds that the first who is suspected rests at a start, before it is tried alone; each further death doubles them. Whatever
/// else ends the process does it in the rests as well, so deaths that come behind them only are the job's own.
const FIRST_REST: i64 = 5;

/// Seconds after a start at which a job may be tried during which the process has died so often.
fn rest(deaths: i64) -> i64 {
    let suspicion = deaths.clamp(DEATHS_BY_CHANCE - 1, MOST_DEATHS) - DEATHS_BY_CHANCE;
    if suspicion < 0 { 0 } else { FIRST_REST << suspicion }
}

/// A job that is to be worked on.
#[derive(Debug)]
pub(crate) struct Taken {
    pub(crate) job: Job,
    /// What was done of it before.
    pub(crate) saved: Option<Saved>,
}

/// What a job has come to.
pub(crate) struct Step<'a> {
    /// Without the segments.
    pub(crate) saved: &'a Saved,
    /// How many segments are kept already.
    pub(crate) before: usize,
    /// Those behind them.
    pub(crate) segments: &'a [Segment],
    /// Seconds that were heard.
    pub(crate) processed: f64,
    pub(crate) language: Option<&'a str>,
}

impl Store {
    /// Puts in order what the process left that used the folder before.
    pub(super) fn recover(&self) -> Result<(), StoreError> {
        let mut connection = self.connection();
        let transaction = connection.transaction()?;
        transaction.execute("UPDATE jobs SET deaths = deaths + at_work, at_work = 0 WHERE status = 'running'", [])?;
        let sql = "SELECT id FROM jobs WHERE status = 'running' AND deaths >= ?1";
        let ids = texts(&transaction, sql, MOST_DEATHS)?;
        for id in ids {
            tracing::error!(job = id, "the process died {MOST_DEATHS} times while a job ran; it is not tried again");
            let message = format!(
                "the process died {MOST_DEATHS} times while it worked on this recording, the last times on nothing else; it is not \
                 tried again"
            );
            let error =
                serde_json::json!({ "message": message, "type": "server_error", "param": null, "code": "crashed" });
            self.end_with(&transaction, &id, &error)?;
        }
        let waiting = transaction.execute("UPDATE jobs SET status = 'queued' WHERE status = 'running'", [])?;
        transaction.commit()?;
        if waiting > 0 {
            tracing::info!(jobs = waiting, "jobs that were running when the process ended go on");
        }
        let sql = "SELECT 1 FROM jobs WHERE id = ?1 AND has_sound";
        sounds::tidy(&self.folder, |id| Ok(connection.prepare_cached(sql)?.exists([id])?))
    }

    /// Takes the next job: of the client who has fewest running, and was served longest ago, the oldest; one that was begun
    /// first. None if there is none, or those that run are to be waited for. A job that may be what kills the process is tried
    /// alone, after a rest.
    pub(crate) fn take(&self) -> Result<Option<Taken>, StoreError> {
        let mut connection = self.connection();
        let transaction = connection.transaction()?;
        let of_running = "SELECT count(*), coalesce(max(deaths), 0) FROM jobs WHERE status = 'running'";
        let (running, deaths): (i64, i64) =
            transaction.prepare_cached(of_running)?.query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let next = "
            SELECT coalesce(min(number) FILTER (WHERE started_at IS NOT NULL), min(number)) AS first
            FROM jobs AS waiting WHERE status = 'queued' AND deaths <= ?1 GROUP BY client
            ORDER BY (SELECT count(*) FROM jobs WHERE client = waiting.client AND status = 'running'),
                     (SELECT max(turn) FROM jobs WHERE client = waiting.client), first
            LIMIT 1";
        let age = self.age();
        let rested = (0..MOST_DEATHS).rev().find(|deaths| rest(*deaths) <= age).unwrap_or(0);
        let next: Option<i64> = transaction.prepare_cached(next)?.query_row([rested], |row| row.get(0)).optional()?;
        let Some(number) = next else { return Ok(None) };
        let of_next = "SELECT deaths FROM jobs WHERE number = ?1";
        let suspicion = transaction.prepare_cached(of_next)?.query_row([number], |row| row.get::<_, i64>(0))?;
        if running > 0 && deaths.max(suspicion) >= DEATHS_BY_CHANCE {
            return Ok(None);
        }
        // A clock that was set back does not let a job begin before it came.
        transaction
            .prepare_cached(
                "UPDATE jobs SET status = 'running', started_at = coalesce(started_at, max(?2, created_at)),
             turn = 1 + (SELECT max(turn) FROM jobs) WHERE number = ?1",
            )?
            .execute(params![number, self.now()])?;
        let sql = format!("SELECT {} FROM jobs WHERE number = ?1", entries::COLUMNS);
        let job = transaction.prepare_cached(&sql)?.query_row([number], |row| entries::job(row, &self.keeping))?;
        let saved = saved(&transaction, number).unwrap_or_else(|error| {
            tracing::error!(%error, job = job.id, "what was done of a job cannot be read; it begins anew");
            None
        });
        transaction.commit()?;
        Ok(Some(Taken { job, saved }))
    }

    /// Work on the sound of a job begins: should the process die, it may be because of it. Whether the job still runs.
    pub(crate) fn begin(&self, number: i64) -> Result<bool, StoreError> {
        let sql = "UPDATE jobs SET at_work = 1 WHERE number = ?1 AND status = 'running'";
        Ok(self.connection().execute(sql, [number])? > 0)
    }

    /// The process is about to end in order: that is no death.
    pub(crate) fn put_down(&self) -> Result<(), StoreError> {
        self.connection().execute("UPDATE jobs SET at_work = 0 WHERE at_work", [])?;
        Ok(())
    }

    /// Keeps what a job has come to. Whether it still runs.
    pub(crate) fn step(&self, number: i64, step: &Step<'_>) -> Result<bool, StoreError> {
        let mut connection = self.connection();
        let transaction = connection.transaction()?;
        let sql = "UPDATE jobs SET processed = ?2, language = ?3, deaths = 0 WHERE number = ?1 AND status = 'running'";
        if transaction.prepare_cached(sql)?.execute(params![number, step.processed, step.language])? == 0 {
            return Ok(false);
        }
        let sql = "INSERT INTO progress (job, saved) VALUES (?1, ?2) ON CONFLICT DO UPDATE SET saved = ?2";
        transaction.prepare_cached(sql)?.execute(params![number, serde_json::to_string(step.saved)?])?;
        let mut insert =
            transaction.prepare_cached("INSERT INTO segments (job, number, segment) VALUES (?1, ?2, ?3)")?;
        for (segment, place) in step.segments.iter().zip(step.before as i64..) {
            insert.execute(params![number, place, serde_json::to_string(segment)?])?;
        }
        drop(insert);
        transaction.commit()?;
        Ok(true)
    }

    /// Forgets what was done of a job: it cannot be gone on with.
    pub(crate) fn begin_anew(&self, number: i64) -> Result<(), StoreError> {
        let mut connection = self.connection();
        let transaction = connection.transaction()?;
        forget_progress(&transaction, number)?;
        transaction.execute("UPDATE jobs SET processed = 0 WHERE number = ?1", [number])?;
        transaction.commit()?;
        Ok(())
    }

    /// A job waits again, with what was done of it: nothing is wrong with it.
    pub(crate) fn put_back(&self, number: i64) -> Result<(), StoreError> {
        let sql = "UPDATE jobs SET status = 'queued', at_work = 0 WHERE number = ?1 AND status = 'running'";
        self.connection().execute(sql, [number])?;
        Ok(())
    }

    /// A job has its result. None if it was not running any more.
    pub(crate) fn finish(&self, number: i64, result: &Value) -> Result<Option<Job>, StoreError> {
        let mut connection = self.connection();
        let transaction = connection.transaction()?;
        if !self.end(&transaction, number, Status::Succeeded)? {
            return Ok(None);
        }
        let language = result["transcript"]["language"].as_str();
        let sql = "UPDATE jobs SET processed = duration, language = coalesce(?2, language) WHERE number = ?1";
        transaction.execute(sql, params![number, language])?;
        let sql = "INSERT INTO results (job, result) VALUES (?1, ?2)";
        transaction.execute(sql, params![number, serde_json::to_string(result)?])?;
        self.tell(transaction, number).map(Some)
    }

    /// A job has failed, because of `error`, the inside of an error object. None if it was not running any more.
    pub(crate) fn fail(&self, number: i64, error: &Value) -> Result<Option<Job>, StoreError> {
        let mut connection = self.connection();
        let transaction = connection.transaction()?;
        if !self.end(&transaction, number, Status::Failed)? {
            return Ok(None);
        }
        transaction.execute("UPDATE jobs SET error = ?2 WHERE number = ?1", params![number, error.to_string()])?;
        self.tell(transaction, number).map(Some)
    }

    fn end_with(&self, connection: &Connection, id: &str, error: &Value) -> Result<(), StoreError> {
        let job = self.one(connection, None, id)?;
        self.end(connection, job.number, Status::Failed)?;
        connection.execute("UPDATE jobs SET error = ?2 WHERE number = ?1", params![job.number, error.to_string()])?;
        mail::post(connection, &self.one(connection, None, id)?, self.now())
    }

    /// Commits the end of a job, and with it that it is to be told of.
    fn tell(&self, transaction: rusqlite::Transaction<'_>, number: i64) -> Result<Job, StoreError> {
        let sql = format!("SELECT {} FROM jobs WHERE number = ?1", entries::COLUMNS);
        let job = transaction.query_row(&sql, [number], |row| entries::job(row, &self.keeping))?;
        mail::post(&transaction, &job, self.now())?;
        transaction.commit()?;
        Ok(job)
    }

    /// A job that was not over is. Whether it was not.
    pub(super) fn end(&self, connection: &Connection, number: i64, status: Status) -> Result<bool, StoreError> {
        let sql = "UPDATE jobs SET status = ?2, finished_at = max(?3, coalesce(started_at, created_at))
                   WHERE number = ?1 AND status IN ('queued', 'running')";
        let changed = connection.prepare_cached(sql)?.execute(params![number, status.name(), self.now()])?;
        forget_progress(connection, number)?;
        Ok(changed > 0)
    }

    /// The segments of a job that are finished, from `from` on.
    pub(crate) fn segments(&self, number: i64, from: usize) -> Result<Vec<Segment>, StoreError> {
        segments(&self.connection(), number, from)
    }

    /// The result of a job.
    pub(crate) fn result(&self, number: i64) -> Result<Option<Value>, StoreError> {
        let connection = self.connection();
        let sql = "SELECT result FROM results WHERE job = ?1";
        let result: Option<String> = connection.query_row(sql, [number], |row| row.get(0)).optional()?;
        Ok(result.map(|result| serde_json::from_str(&result)).transpose()?)
    }
}

fn forget_progress(connection: &Connection, number: i64) -> Result<(), StoreError> {
    connection.execute("DELETE FROM progress WHERE job = ?1", [number])?;
    connection.execute("DELETE FROM segments WHERE job = ?1", [number])?;
    Ok(())
}

fn segments(connection: &Connection, number: i64, from: usize) -> Result<Vec<Segment>, StoreError> {
    let from = i64::try_from(from).unwrap_or(i64::MAX);
    let sql = "SELECT segment FROM segments WHERE job = ?1 AND number >= ?2 ORDER BY number";
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map([number, from], |row| row.get::<_, String>(0))?;
    rows.map(|text| Ok(serde_json::from_str(&text?)?)).collect()
}

fn saved(connection: &Connection, number: i64) -> Result<Option<Saved>, StoreError> {
    let sql = "SELECT saved FROM progress WHERE job = ?1";
    let saved: Option<String> = connection.query_row(sql, [number], |row| row.get(0)).optional()?;
    let Some(saved) = saved else { return Ok(None) };
    let mut saved: Saved = serde_json::from_str(&saved)?;
    saved.segments = segments(connection, number, 0)?;
    Ok(Some(saved))
}

/// The first column of what a query finds.
pub(super) fn texts(connection: &Connection, sql: &str, value: i64) -> Result<Vec<String>, StoreError> {
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map([value], |row: &Row<'_>| row.get(0))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}
